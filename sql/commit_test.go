package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// replicated returns a primary with a synchronous standby, and the primary's database as the server's login.
func replicated(t *testing.T) (primary, standby *sqltest.Node, db *sqlx.DB) {
	t.Helper()
	primary = sqltest.NewNode(t)
	standby = primary.Standby(t)
	// An address must not hide the warning that a commit was not confirmed.
	db, err := sql.Open(t.Context(), primary.URL(local.Runtime)+"&client_min_messages=error")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return primary, standby, db
}

// TestCommitWithoutStandby checks that a statement, however it is committed, succeeds only after the synchronous standby
// has it, and that the end of a request does not interrupt that wait.
func TestCommitWithoutStandby(t *testing.T) {
	t.Parallel()
	primary, standby, db := replicated(t)
	prepared, err := db.PreparexContext(t.Context(), `INSERT INTO secrets (name, value) VALUES ($1, '') RETURNING name`)
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]func(ctx context.Context, secret string) error{
		"exec": func(ctx context.Context, secret string) error {
			_, err := db.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, '')`, secret)
			return err
		},
		"exec without arguments": func(ctx context.Context, secret string) error {
			_, err := db.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ('`+secret+`', '')`)
			return err
		},
		"returning": func(ctx context.Context, secret string) error {
			return db.GetContext(ctx, new(string), `INSERT INTO secrets (name, value) VALUES ($1, '') RETURNING name`, secret)
		},
		"returning rows": func(ctx context.Context, secret string) error {
			return db.SelectContext(ctx, new([]string), `INSERT INTO secrets (name, value) VALUES ($1, '') RETURNING name`, secret)
		},
		"inside a select": func(ctx context.Context, secret string) error {
			return db.QueryRowContext(ctx, `
				WITH made AS (INSERT INTO secrets (name, value) VALUES ($1, '')) SELECT $1::text`, secret).Scan(new(string))
		},
		"prepared": func(ctx context.Context, secret string) error { return prepared.GetContext(ctx, new(string), secret) },
		"prepared exec": func(ctx context.Context, secret string) error {
			_, err := prepared.ExecContext(ctx, secret)
			return err
		},
		"prepared, brief": func(ctx context.Context, secret string) error {
			_, err := prepared.ExecContext(sql.Brief(ctx), secret)
			return err
		},
		"returning, brief": func(ctx context.Context, secret string) error {
			return prepared.GetContext(sql.Brief(ctx), new(string), secret)
		},
		"transaction": func(ctx context.Context, secret string) error {
			tx, err := db.BeginTxx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback() //nolint:errcheck // does nothing after a commit
			if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, '')`, secret); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
	for way, write := range ways {
		if err := write(t.Context(), way+" with standby"); err != nil {
			t.Errorf("%s, with the standby: %v", way, err)
		}
	}

	standby.Stop(t)
	var group sync.WaitGroup
	for way, write := range ways {
		group.Go(func() {
			err := write(t.Context(), way) // PostgreSQL's wait for the standby never ends
			if unknown := (*sql.UnknownOutcomeError)(nil); !errors.As(err, &unknown) || !unknown.Unavailable() {
				t.Errorf("%s, without the standby: %v", way, err)
			}
		})
	}
	group.Wait()
	// What was given up waits no longer, or it would take up a connection until the standby is back.
	primary.Await(t, `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')`)
	claim := sql.NewAnswers(db)
	for range 2 { // a try of unknown outcome does not block the next one
		at := time.Now().UTC().Truncate(time.Microsecond)
		if claimed, _, _, err := claim.Claim(t.Context(), "a", "r", "k", []byte("hash"), at); err != nil || !claimed {
			t.Errorf("a claim: %v, %v", claimed, err)
		}
		if err := claim.Release(t.Context(), "a", "r", "k", at); err != nil {
			t.Errorf("a release: %v", err)
		}
	}

	// The request ends while its commit waits for the standby, which then comes back: the commit is confirmed as
	// configured.
	for way, write := range map[string]func(context.Context, string) error{"transaction": ways["transaction"], "exec": ways["exec"]} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- write(ctx, way+" of a request that ends") }()
		primary.Await(t, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')`)
		cancel()
		standby.Start(t)
		if err := <-done; err != nil {
			t.Errorf("%s: a request's end became that of its commit: %v", way, err)
		}
		if err := isThere(db, way+" of a request that ends"); err != nil {
			t.Errorf("%s: %v", way, err)
		}
		primary.AwaitStandby(t)
		standby.Stop(t)
	}
}

func isThere(db *sqlx.DB, secret string) error {
	var name string
	err := db.Get(&name, `SELECT name FROM secrets WHERE name = $1`, secret)
	if errors.Is(err, stdsql.ErrNoRows) {
		return errors.New("it was not committed")
	}
	return err
}

// TestHarmlessWarning checks that only an abandoned wait casts doubt on a commit. Many other statements warn, such as
// ANALYZE of a table that it skips.
func TestHarmlessWarning(t *testing.T) {
	t.Parallel()
	db := sqltest.New(t)
	if _, err := db.Exec(`DO $$ BEGIN RAISE WARNING 'harmless'; END $$`); err != nil {
		t.Error(err)
	}
}

// TestSpentCeremoniesAreDurable checks that a spent ceremony is on the disk when Spend returns. It waits for no standby; a
// sign-in after it does, and that covers all earlier commits.
func TestSpentCeremoniesAreDurable(t *testing.T) {
	t.Parallel()
	_, standby, db := replicated(t)
	store := newPasskeys(t, db)
	standby.Stop(t)
	ids := []string{uuid.NewString(), uuid.NewString()}
	for _, id := range ids {
		if err := store.Spend(t.Context(), id, time.Now()); err != nil {
			t.Fatalf("without the standby: %v", err)
		}
	}
	if _, err := store.Secret(t.Context(), "after", []byte("x")); !errors.As(err, new(*sql.UnknownOutcomeError)) {
		t.Errorf("what comes after it, without the standby: %v", err)
	}

	id := uuid.NewString()
	var backend int
	if err := db.Get(&backend, `SELECT pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	if err := store.Spend(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(backend, syscall.SIGKILL); err != nil { // all of PostgreSQL restarts without its memory
		t.Fatal(err)
	}
	var kept int
	for db.Get(&kept, `SELECT count(*) FROM spent WHERE id = ANY($1)`, pq.Array(append(ids, id))) != nil { // while it restarts
		time.Sleep(10 * time.Millisecond)
	}
	if kept != 3 {
		t.Errorf("after a crash %d of 3 are spent", kept)
	}
}
