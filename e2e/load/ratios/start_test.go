package ratios

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"holdfast/e2e/support"
)

// build builds a program without the race detector.
func build(b *testing.B, path string) (binary string) {
	b.Helper()
	binary = filepath.Join(b.TempDir(), filepath.Base(path))
	if built, err := exec.Command("go", "build", "-o", binary, path).CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", path, err, built)
	}
	return binary
}

// start starts the release build on a durable PostgreSQL of its own.
func start(b *testing.B) *world {
	b.Helper()
	w := &world{b: b, holdfast: support.NewServer(b, build(b, "holdfast/cmd/holdfast"))}
	w.holdfast.Settings = []string{support.Networks}
	w.startServer()
	return w
}

// startServer starts Holdfast, and connects to its PostgreSQL.
func (w *world) startServer() {
	b := w.b
	b.Helper()
	if err := w.holdfast.Start(); err != nil {
		b.Fatal(err)
	}
	cluster, err := support.FindCluster(w.holdfast.Data)
	if err != nil {
		b.Fatal(err)
	}
	w.postgres = cluster.PID
	w.owner = cluster.URL("holdfast_owner")
	if w.db, err = sql.Open("postgres", w.owner); err != nil {
		b.Fatal(err)
	}
	db := w.db
	b.Cleanup(func() { db.Close() })
	var durable string
	if err := w.db.QueryRow(`SELECT concat(current_setting('fsync'), current_setting('synchronous_commit'))`).Scan(&durable); err != nil || durable != "onon" {
		b.Fatalf("PostgreSQL is not durable: %q, %v", durable, err)
	}
}

// startPeer starts the baseline on the same PostgreSQL.
func (w *world) startPeer() {
	b := w.b
	b.Helper()
	address := support.FreeAddress(b)
	w.plain = "http://" + address
	w.peer = exec.Command(build(b, "holdfast/e2e/load/plain"))
	w.peer.Env = append(os.Environ(), "DATABASE_URL="+w.owner, "LISTEN="+address, "ORIGIN="+w.plain)
	var log strings.Builder
	w.peer.Stderr = &log
	if err := w.peer.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		w.peer.Process.Kill() //nolint:errcheck // it may have ended
		w.peer.Wait()         //nolint:errcheck // it was killed
		if b.Failed() {
			b.Logf("log of the peer:\n%.4000s", log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		response, err := http.Get(w.plain)
		if err == nil {
			response.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// unit measures U.
func (w *world) unit() work {
	w.b.Helper()
	if _, err := w.db.Exec(`CREATE TABLE plain.unit AS SELECT n AS id, 0 AS value FROM generate_series(0, 999) n; ALTER TABLE plain.unit ADD PRIMARY KEY (id)`); err != nil {
		w.b.Fatal(err)
	}
	update, err := w.db.Prepare(`UPDATE plain.unit SET value = value + 1 WHERE id = $1`)
	if err != nil {
		w.b.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("unit"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		w.b.Fatal(err)
	}
	return timed(func(ctx context.Context, i, n int) error {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			return errors.New("the signature does not verify")
		}
		if _, err := update.ExecContext(ctx, (i*100+n%100)%1000); err != nil {
			return err
		}
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	})
}
