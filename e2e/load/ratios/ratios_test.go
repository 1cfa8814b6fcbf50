// Package ratios measures the cost of requests relative to a baseline in the same run, so that the ratios hold on any
// machine:
//
//	go test -run '^$' -bench . -benchtime 1x ./e2e/load/ratios
//
// It runs the real program on a private, durable PostgreSQL and, on the same PostgreSQL, the baseline program of
// e2e/load/plain. Work alternates between the two. U is the minimum cost of a reconcile: one P-256 verification, one
// signature, and one prepared round trip that is committed. CPU is that of the server and of PostgreSQL together,
// without the load generator's.
package ratios

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	_ "github.com/lib/pq"

	"holdfast/e2e/support"
)

const (
	rounds  = 3               // turns of each side
	turn    = 2 * time.Second // duration of a turn
	perUser = 8               // accounts and devices that each client cycles through
)

// work is one request, or a group of requests, by client number i in its n-th attempt.
type work func(ctx context.Context, i, n int) error

// cost is the cost of work.
type cost struct {
	times       []time.Duration
	elapsed     time.Duration
	server, sql time.Duration // CPU
	wal         int64
	allocations float64
}

func (c *cost) add(o cost) {
	c.times = append(c.times, o.times...)
	c.elapsed += o.elapsed
	c.server += o.server
	c.sql += o.sql
	c.wal += o.wal
	c.allocations += o.allocations
}

func (c *cost) rate() float64 { return float64(len(c.times)) / c.elapsed.Seconds() }

// each returns the CPU time per unit of work.
func (c *cost) each() time.Duration { return (c.server + c.sql) / time.Duration(max(1, len(c.times))) }

func (c *cost) percentile(p int) time.Duration {
	if len(c.times) == 0 {
		return 0
	}
	slices.Sort(c.times)
	return c.times[min(len(c.times)-1, len(c.times)*p/100)]
}

// world holds the measured processes and the clients.
type world struct {
	b        *testing.B
	db       *sql.DB
	postgres int // process id
	holdfast *support.Server
	peer     *exec.Cmd
	plain    string // the baseline's address
}

// measure runs clients for one turn.
func (w *world) measure(server int, clients int, do work) (c cost) {
	w.b.Helper()
	before := w.now(server)
	start := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			var times []time.Duration
			for n := 0; time.Since(start) < turn; n++ {
				begun := time.Now()
				if err := do(w.b.Context(), i, n); err != nil {
					w.b.Error(err)
					return
				}
				times = append(times, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			c.times = append(c.times, times...)
		})
	}
	wg.Wait()
	c.elapsed = time.Since(start)
	after := w.now(server)
	c.server, c.sql, c.wal, c.allocations = after.server-before.server, after.sql-before.sql, after.wal-before.wal, after.allocations-before.allocations
	return c
}

// now reads the counters whose differences are costs. A server of 0 is this process.
func (w *world) now(server int) (c cost) {
	w.b.Helper()
	var err error
	if server == 0 {
		var usage syscall.Rusage
		err = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		c.server = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	} else {
		c.server, err = cpu(server)
	}
	if err != nil {
		w.b.Fatal(err)
	}
	if c.sql, err = familyCPU(w.postgres); err != nil {
		w.b.Fatal(err)
	}
	if err := w.db.QueryRow(`SELECT (pg_current_wal_lsn() - '0/0')::bigint`).Scan(&c.wal); err != nil {
		w.b.Fatal(err)
	}
	if server == w.holdfast.PID() {
		metrics, err := w.holdfast.Metrics()
		if err != nil {
			w.b.Fatal(err)
		}
		if found := mallocs.FindStringSubmatch(metrics); found != nil {
			if c.allocations, err = strconv.ParseFloat(found[1], 64); err != nil {
				w.b.Fatal(err)
			}
		}
	}
	return c
}

var mallocs = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)$`)

// account is a signed-in client with its passkey and, for Holdfast, a device.
type account struct {
	client  *support.Client
	passkey *support.Passkey
	device  *support.Device
}

func (w *world) accounts(n int, address string, premium bool) []account {
	w.b.Helper()
	accounts := make([]account, n)
	for i := range accounts {
		client := support.NewClient(address, "")
		w.b.Cleanup(client.Close)
		_, passkey, err := client.Register(w.b.Context(), fmt.Sprint("User ", i))
		if err != nil {
			w.b.Fatal(err)
		}
		accounts[i] = account{client: client, passkey: passkey}
		if !premium {
			continue
		}
		if _, err := client.Trial(w.b.Context()); err != nil {
			w.b.Fatal(err)
		}
		if accounts[i].device, err = support.NewDevice(); err != nil {
			w.b.Fatal(err)
		}
		if err := accounts[i].device.Link(w.b.Context(), client, "Phone"); err != nil {
			w.b.Fatal(err)
		}
	}
	return accounts
}

// BenchmarkRatios prints the table.
func BenchmarkRatios(b *testing.B) {
	w := start(b)
	const most = 64
	ours, theirs := w.accounts(most*perUser/4, w.holdfast.Origin, true), w.accounts(most*perUser/4, w.plain, false)
	of := func(accounts []account, clients, i, n int) account { // never one account at two clients
		share := len(accounts) / clients
		return accounts[i*share+n%share]
	}
	u := w.unit()
	var unit cost
	for range rounds {
		unit.add(w.measure(0, 8, u))
	}
	fmt.Printf("U = %v of CPU: server %v, PostgreSQL %v\n\n", unit.each().Round(time.Microsecond),
		(unit.server / time.Duration(len(unit.times))).Round(time.Microsecond), (unit.sql / time.Duration(len(unit.times))).Round(time.Microsecond))

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "work\tclients\t/s\tp50\tp99\tserver µs\tPostgreSQL µs\tCPU in U\tWAL B\tallocations\t/s to plain\tCPU to plain\t")
	for _, clients := range []int{1, 8, most} {
		signIn := func(accounts []account) work {
			return func(ctx context.Context, i, n int) error {
				a := of(accounts, clients, i, n)
				_, err := a.client.SignIn(ctx, a.passkey)
				return err
			}
		}
		register := func(address string) work {
			return func(ctx context.Context, i, n int) error {
				client := support.NewClient(address, "")
				client.Network = fmt.Sprintf("10.%d.%d.1", i, n%256)
				defer client.Close()
				_, _, err := client.Register(ctx, fmt.Sprint("New ", i, " ", n))
				return err
			}
		}
		for _, row := range []struct {
			name        string
			ours, plain work // plain may be nil
		}{
			{"sign-in", signIn(ours), signIn(theirs)},
			{"registration", register(w.holdfast.Origin), register(w.plain)},
			{"reconcile", func(ctx context.Context, i, n int) error {
				a := of(ours, clients, i, n)
				_, err := a.device.Reconcile(ctx, a.client)
				return err
			}, func(ctx context.Context, i, n int) error {
				a := of(theirs, clients, i, n)
				_, err := a.client.Do(ctx, http.MethodGet, "/v1/entitlements", nil, nil, nil)
				return err
			}},
			{"status list", w.get("/v1/status-lists/0", nil), nil},
			{"search", w.get("/admin/v1/users?q=user+1", support.Bearer(support.AdminToken)), nil},
		} {
			var our, plain cost
			for range rounds {
				our.add(w.measure(w.holdfast.PID(), clients, row.ours))
				if row.plain != nil {
					plain.add(w.measure(w.peer.Process.Pid, clients, row.plain))
				}
			}
			n := time.Duration(max(1, len(our.times)))
			fmt.Fprintf(table, "%s\t%d\t%.0f\t%v\t%v\t%d\t%d\t%.1f\t%d\t%.0f\t", row.name, clients, our.rate(),
				our.percentile(50).Round(10*time.Microsecond), our.percentile(99).Round(10*time.Microsecond),
				(our.server / n).Microseconds(), (our.sql / n).Microseconds(), float64(our.each())/float64(unit.each()),
				our.wal/int64(n), our.allocations/float64(n))
			if row.plain == nil {
				fmt.Fprint(table, "\t\t\n")
				continue
			}
			fmt.Fprintf(table, "%.2f\t%.2f\t\n", our.rate()/plain.rate(), float64(our.each())/float64(plain.each()))
		}
	}
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
	peak, err := peakMemory(w.holdfast.PID())
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\nThe server's memory: at most %d MB\n", peak>>20)
}

func (w *world) get(path string, header http.Header) work {
	client := w.holdfast.Client()
	w.b.Cleanup(client.Close)
	return func(ctx context.Context, _, _ int) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.holdfast.Origin+path, nil)
		if err != nil {
			return err
		}
		request.Header = header.Clone()
		return client.Discard(request)
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
	return func(ctx context.Context, i, n int) error {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
			return errors.New("the signature does not verify")
		}
		if _, err := update.ExecContext(ctx, (i*100+n%100)%1000); err != nil {
			return err
		}
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}
}

// start starts the release build, without the race detector, and the baseline.
func start(b *testing.B) *world {
	b.Helper()
	folder := b.TempDir()
	for name, path := range map[string]string{"holdfast": "holdfast/cmd/holdfast", "plain": "holdfast/e2e/load/plain"} {
		if built, err := exec.Command("go", "build", "-o", filepath.Join(folder, name), path).CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", path, err, built)
		}
	}
	w := &world{b: b, holdfast: support.NewServer(b, filepath.Join(folder, "holdfast"))}
	w.holdfast.Settings = []string{support.Networks}
	if err := w.holdfast.Start(); err != nil {
		b.Fatal(err)
	}
	cluster, err := support.FindCluster(w.holdfast.Data)
	if err != nil {
		b.Fatal(err)
	}
	w.postgres = cluster.PID
	owner := cluster.URL("holdfast_owner")
	if w.db, err = sql.Open("postgres", owner); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.db.Close() })
	var durable string
	if err := w.db.QueryRow(`SELECT concat(current_setting('fsync'), current_setting('synchronous_commit'))`).Scan(&durable); err != nil || durable != "onon" {
		b.Fatalf("PostgreSQL is not durable: %q, %v", durable, err)
	}

	address := support.FreeAddress(b)
	w.plain = "http://" + address
	w.peer = exec.Command(filepath.Join(folder, "plain"))
	w.peer.Env = append(os.Environ(), "DATABASE_URL="+owner, "LISTEN="+address, "ORIGIN="+w.plain)
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
			return w
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
