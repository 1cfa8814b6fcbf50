package sql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestSilentServerEndsEveryExchange checks that no exchange with a server that falls silent waits forever, even if its
// context has no end, and that the outcome of changes is then said to be unknown.
func TestSilentServerEndsEveryExchange(t *testing.T) {
	t.Parallel()
	proxy := sqltest.NewProxy(t, sqltest.NewNode(t))
	address := proxy.URL(local.Runtime) + "&statement_timeout=200" // ms
	db, err := sql.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	connection := func() *sqlx.Conn {
		t.Helper()
		conn, err := db.Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	const insert = `INSERT INTO secrets (name, value) VALUES ($1, '')`
	endless := context.WithoutCancel(t.Context())
	reading, writing, returning, pinging := connection(), connection(), connection(), connection()
	change, read := db.MustBegin(), db.MustBegin()
	change.MustExec(insert, "commit")

	ways := map[string]struct {
		unknown bool
		do      func() error
	}{
		"read": {false, func() error { return reading.GetContext(endless, new(int), `SELECT 1`) }},
		"read in a transaction": {false, func() error {
			defer read.Rollback() //nolint:errcheck // the connection is lost
			return read.GetContext(endless, new(int), `SELECT 1`)
		}},
		"ping":  {false, func() error { return pinging.PingContext(endless) }},
		"write": {true, func() error { _, err := writing.ExecContext(endless, insert, "write"); return err }},
		"write, returning": {true, func() error {
			return returning.GetContext(endless, new(string), insert+` RETURNING name`, "returning")
		}},
		"commit": {true, change.Commit},
		"connect": {false, func() error {
			ctx, cancel := context.WithTimeout(endless, 200*time.Millisecond)
			defer cancel()
			_, err := sql.Open(ctx, address+"&connect_timeout=3600")
			return err
		}},
	}
	proxy.BlackHole()
	ended := map[string]chan error{}
	for way, exchange := range ways {
		end := make(chan error, 1)
		ended[way] = end
		go func() { end <- exchange.do() }()
	}
	patience := time.After(time.Minute)
	for way, exchange := range ways {
		select {
		case err := <-ended[way]:
			away := (interface{ Unavailable() bool })(nil)
			switch {
			case err == nil:
				t.Errorf("%s: succeeded", way)
			case exchange.unknown != errors.As(err, new(*sql.UnknownOutcomeError)):
				t.Errorf("%s: %v", way, err)
			case exchange.unknown && (!errors.As(err, &away) || !away.Unavailable()):
				t.Errorf("%s: %v", way, err)
			}
		case <-patience:
			t.Fatalf("%s: still waiting", way)
		}
	}
}

// TestSilentServerEndsBriefStatements checks that a statement of the hot paths ends with its context, although neither
// database/sql nor the driver watches that.
func TestSilentServerEndsBriefStatements(t *testing.T) {
	t.Parallel()
	proxy := sqltest.NewProxy(t, sqltest.NewNode(t))
	db, err := sql.Open(t.Context(), proxy.URL(local.Runtime)+"&statement_timeout=3600000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	store, err := sql.NewEntitlements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	proxy.BlackHole()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := store.Standing(ctx, "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", "jkt", "localhost")
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("succeeded")
		}
	case <-time.After(time.Minute):
		t.Fatal("still waiting")
	}
}
