// Package sqltest gives each test its own PostgreSQL database.
//
// The first test that needs it starts a private cluster for the test binary. Each test's database is a copy of a migrated
// template, which takes some 20 ms. A package that uses it needs
//
//	func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }
//
// A machine without PostgreSQL fails the tests; it never skips them.
package sqltest

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/sql"
	"holdfast/sql/local"
)

// Main runs the tests, stops the cluster if one was started, and removes its data. It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "sqltest:", err)
		return max(code, 1)
	}
	return code
}

// New returns a connection, like the server's, to a migrated database that has the plan premium and nothing else. It is
// dropped when the test ends.
func New(t testing.TB) *sqlx.DB {
	t.Helper()
	_, url := Database(t)
	db, err := sql.Open(t.Context(), url)
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Database creates a migrated database that has the plan premium and nothing else, and returns its addresses for the owner's
// and the runtime role's logins. It is dropped when the test ends. With HOLDFAST_CITUS_URL, it is [Distributed]: not for tests
// of what a PostgreSQL of their own has.
func Database(t testing.TB) (owner, runtime string) {
	t.Helper()
	if os.Getenv(coordinator) != "" {
		return Distributed(t)
	}
	s, err := shared.start()
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	name := "test_" + uuid.NewString()
	if err := s.exec("CREATE DATABASE " + pq.QuoteIdentifier(name) + " TEMPLATE " + template); err != nil {
		t.Fatal("sqltest:", err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + pq.QuoteIdentifier(name) + " WITH (FORCE)"); err != nil {
			t.Error("sqltest:", err)
		}
	})
	return s.cluster.URL(local.Owner, name), s.cluster.URL(local.Runtime, name)
}

// template is the database that all others are copied from. Nothing stays connected to it, because PostgreSQL does not copy
// a database that is in use.
const template = "template_holdfast"

// shared is the test binary's cluster.
var shared server

type server struct {
	once    sync.Once
	err     error
	dir     string
	cluster *local.Cluster
	admin   *stdsql.DB // as the owner, to create and drop databases
}

func (s *server) start() (*server, error) {
	s.once.Do(func() { s.err = s.boot() })
	return s, s.err
}

func (s *server) boot() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	// PostgreSQL must be able to pass through the folder when it runs as another user.
	if s.dir, err = os.MkdirTemp("", "sqltest-"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil {
		return err
	}
	if s.cluster, err = local.Start(ctx, local.Options{Dir: filepath.Join(s.dir, "pg"), Fast: true}); err != nil {
		return err
	}
	if s.admin, err = stdsql.Open("postgres", s.cluster.URL(local.Owner, "postgres")); err != nil {
		return err
	}
	if err := s.exec("CREATE DATABASE " + template); err != nil {
		return err
	}
	return setUp(ctx, s.cluster.URL(local.Owner, template))
}

// setUp migrates the database at url and puts the plan premium.
func setUp(ctx context.Context, url string) error {
	if err := sql.Migrate(ctx, url); err != nil {
		return err
	}
	db, err := stdsql.Open("postgres", url)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `
		INSERT INTO plans (id, features, grace_seconds, device_limit, rank, updated_at)
		VALUES ('premium', '{"export": {"offline": true}, "notes": {"offline": true}}', 259200, 5, 10, now())`)
	return errors.Join(err, db.Close())
}

func (s *server) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := s.admin.ExecContext(ctx, statement)
	return err
}

func (s *server) stop() error {
	var errs []error
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	if s.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		errs = append(errs, s.cluster.Stop(ctx))
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
