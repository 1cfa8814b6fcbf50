package e2e

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"

	"holdfast/e2e/support"
)

// The last release works on the next one's schema, beside the next one and alone, whether it runs while the schema is
// expanded or starts afterwards, and restores a backup of it. It refuses a schema that was contracted too far, as doctor does, and says why.
//
// HOLDFAST_PREVIOUS names the program of the last release. Without it, the program under test stands for it. The schema is
// that of the program under test, with the migrations of a release to come.
func TestPreviousReleaseOnNewerSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	next := support.NewServer(t, binary)
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	previous := next.Replica(t)
	previous.Binary = cmp.Or(os.Getenv("HOLDFAST_PREVIOUS"), binary)
	if err := previous.Start(); err != nil {
		t.Fatal(err)
	}
	cluster, err := support.FindCluster(next.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	schema := &futureSchema{MapFS: fstest.MapFS{}, db: db}
	if schema.version, err = schema.copyMigrations("../sql/migrations"); err != nil {
		t.Fatal(err)
	}
	released := schema.version

	journey(ctx, t, next, previous)
	if err := schema.expand(ctx); err != nil {
		t.Fatal(err)
	}
	journey(ctx, t, previous, next)
	if err := previous.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := previous.Start(); err != nil {
		t.Fatalf("on an expanded schema: %v", err)
	}
	journey(ctx, t, previous, previous)
	if err := previous.Stop(); err != nil {
		t.Fatal(err)
	}

	backup := filepath.Join(support.Folder(t), "expanded.tar")
	command(t, "backup", backup, "--data", next.Data)
	restored := support.NewServer(t, previous.Binary)
	restored.Data = filepath.Join(restored.Data, "restored")
	if out, err := exec.CommandContext(ctx, previous.Binary, "restore", backup, "--data", restored.Data).CombinedOutput(); err != nil {
		t.Fatalf("the previous release does not restore it: %v, %s", err, out)
	}
	restored.Origin = next.Origin
	if err := restored.Start(); err != nil {
		t.Errorf("on a restored schema that was expanded: %v", err)
	}

	if err := schema.contract(ctx, released+1); err != nil {
		t.Fatal(err)
	}
	refusal := fmt.Sprintf("on which programs of schema %d and newer work, not this one of schema", released+1)
	if err := previous.Start(); err == nil || !strings.Contains(err.Error(), refusal) {
		t.Errorf("on a schema contracted too far: %v", err)
	}
	doctor := exec.CommandContext(ctx, previous.Binary, "doctor", "--data", previous.Data, "--origin", previous.Origin,
		"--database-url", previous.DatabaseURL)
	if out, err := doctor.CombinedOutput(); err == nil || !strings.Contains(string(out), refusal) {
		t.Errorf("doctor: %v, %s", err, out)
	}
}

// journey takes a user and a device through registration, entitlements, support and erasure, on both servers in turn.
func journey(ctx context.Context, t *testing.T, one, other *support.Server) {
	t.Helper()
	at := func(c *support.Client, s *support.Server) *support.Client { return c.At(s.Address()) }
	adminReads := func(s *support.Server, method, path string, body, out any) {
		t.Helper()
		client := s.Client()
		defer client.Close()
		if _, err := client.Do(ctx, method, "/admin/v1"+path, body, out, support.Bearer(support.AdminToken)); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	admin := func(s *support.Server, method, path string, body any) {
		t.Helper()
		adminReads(s, method, path, body, nil)
	}
	client := one.Client()
	user, passkey, err := client.Register(ctx, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	subscription, err := at(client, other).Trial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	device, err := support.NewDevice()
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Link(ctx, client, "laptop"); err != nil {
		t.Fatal(err)
	}
	reconcile := func(s *support.Server, state string) support.Reconciled {
		t.Helper()
		reconciled, err := device.Reconcile(ctx, at(client, s))
		if err != nil || reconciled.Document.State != state {
			t.Fatalf("reconcile: %q, %v, want %q", reconciled.Document.State, err, state)
		}
		return reconciled
	}
	held := reconcile(other, "active").Document
	for _, feature := range []string{"notes", "teleport"} {
		if err := device.Record(feature, held); err != nil {
			t.Fatal(err)
		}
	}
	want := []support.Verdict{{Seq: 1, Verdict: "accepted"}, {Seq: 2, Verdict: "rejected", Code: "not_granted"}}
	for _, s := range []*support.Server{one, other} { // the second time, they were taken before
		if got := reconcile(s, "active").Verdicts; !slices.Equal(got, want) {
			t.Errorf("verdicts: %v", got)
		}
	}
	type act struct {
		ID            string
		Seq, Position int64
		Verdict       string
	}
	var feed struct{ Actions []act }
	follow := func(want ...int64) {
		t.Helper()
		if _, err := at(client, other).Do(ctx, http.MethodGet, "/v1/actions", nil, &feed, nil); err != nil {
			t.Fatal(err)
		}
		got := []int64{}
		for _, a := range feed.Actions {
			got = append(got, a.Seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the feed has the acts %v, want %v", got, want)
		}
	}
	follow(1)
	var recorded struct{ Entries []act }
	ledger := "/users/" + user.ID + "/ledger"
	adminReads(one, http.MethodGet, ledger+"?verdict=rejected", nil, &recorded)
	if len(recorded.Entries) != 1 {
		t.Fatalf("rejected: %+v", recorded)
	}
	admin(other, http.MethodPost, ledger+"/verdict", map[string]any{"entries": []string{recorded.Entries[0].ID}, "verdict": "accepted", "reason": "rollout"})
	follow(1, 2)
	admin(one, http.MethodPost, ledger+"/verdict", map[string]any{"entries": []string{feed.Actions[0].ID}, "verdict": "superseded", "reason": "rollout"})
	follow(2, 1)

	page := at(client, other)
	events, err := page.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	because := map[string]string{"reason": "rollout"}
	admin(one, http.MethodPost, "/subscriptions/"+subscription+"/revoke", because)
	reconcile(other, "revoked")
	admin(one, http.MethodPost, "/subscriptions/"+subscription+"/reinstate", because)
	reconcile(other, "active")
	admin(other, http.MethodPut, "/plans/rollout", map[string]any{
		"features": map[string]any{"notes": map[string]any{"offline": true}, "vault": map[string]any{"offline": true}}, "grace": 0, "device_limit": 5, "rank": 1,
	})
	admin(one, http.MethodPost, "/users/"+user.ID+"/grants", map[string]any{"plan": "rollout", "days": 3, "reason": "rollout"})
	if err := support.Told(events, reconcile(other, "active").Document.Revision); err != nil {
		t.Error(err)
	}
	page.Close()

	for _, s := range []*support.Server{one, other} {
		if keys, err := device.ContentKeys(ctx, at(client, s)); err != nil || keys == "" {
			t.Errorf("content keys: %q, %v", keys, err)
		}
		if _, err := at(client, s).Do(ctx, http.MethodPost, "/v1/vault/epochs", nil, nil, nil); err != nil {
			t.Errorf("new epoch: %v", err)
		}
		admin(s, http.MethodPost, "/packs/atlas/epochs", because)
		admin(s, http.MethodGet, "/packs/atlas/keys", nil)
	}
	if again, err := other.Client().SignIn(ctx, passkey); err != nil || again != user {
		t.Fatalf("%+v, %v", again, err)
	}
	for _, path := range []string{"/v1/session", "/v1/sessions", "/v1/passkeys", "/v1/devices", "/v1/entitlements"} {
		if _, err := at(client, one).Do(ctx, http.MethodGet, path, nil, nil, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	var export struct{ Ledger []act }
	if _, err := at(client, one).Do(ctx, http.MethodGet, "/v1/account/export", nil, &export, nil); err != nil || len(export.Ledger) != 2 {
		t.Errorf("export: %+v, %v", export, err)
	}
	for _, path := range []string{"/users?q=Ada", "/users/" + user.ID, "/audit", "/gaps", "/plans"} {
		admin(other, http.MethodGet, path, nil)
	}
	if _, err := at(client, one).Do(ctx, http.MethodDelete, "/v1/account", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}

// futureSchema migrates a database as later releases may.
type futureSchema struct {
	fstest.MapFS
	db      *sql.DB
	version int64
}

// copyMigrations takes the migrations of a folder and returns the last one's version.
func (f *futureSchema) copyMigrations(folder string) (version int64, err error) {
	files := os.DirFS(folder)
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return 0, err
		}
		f.MapFS[name] = &fstest.MapFile{Data: content}
		if version, err = goose.NumericComponent(name); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// expand adds a table, and a column to each table that there is.
func (f *futureSchema) expand(ctx context.Context) error {
	var tables []string
	if err := f.db.QueryRowContext(ctx, `SELECT array_agg(relname::text) FROM pg_class
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'goose_db_version'`).Scan((*pq.StringArray)(&tables)); err != nil {
		return err
	}
	statements := "CREATE TABLE later (id int);\n"
	for _, table := range tables {
		statements += "ALTER TABLE " + table + " ADD COLUMN later text NOT NULL DEFAULT 'later';\n"
	}
	return f.migrate(ctx, statements)
}

// contract removes what was added, and the support of programs older than a version.
func (f *futureSchema) contract(ctx context.Context, oldest int64) error {
	return f.migrate(ctx, fmt.Sprintf("DROP TABLE later;\nALTER TABLE users DROP COLUMN later;\nUPDATE schema_compatibility SET oldest = %d;\n", oldest))
}

// migrate adds a migration and applies it, each statement in a transaction of its own.
func (f *futureSchema) migrate(ctx context.Context, statements string) error {
	f.version++
	f.MapFS[fmt.Sprintf("%05d_later.sql", f.version)] = &fstest.MapFile{Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\n" + statements)}
	provider, err := goose.NewProvider(goose.DialectPostgres, f.db, f.MapFS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
