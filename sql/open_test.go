package sql_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

func connect(t *testing.T, url string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Connect("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestOldPostgresIsRefused checks the versions that are taken, and that the README asks for the same.
func TestOldPostgresIsRefused(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]error{140_023: sql.ErrOldPostgres, 90_600: sql.ErrOldPostgres, 150_000: nil, 180_001: nil} {
		if err := sql.CheckAge(number); !errors.Is(err, want) {
			t.Errorf("%d: %v", number, err)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if asked := fmt.Sprintf("PostgreSQL %d or newer", sql.OldestPostgres); !strings.Contains(string(readme), asked) {
		t.Errorf("the README does not ask for %s", asked)
	}
}

// TestRuntimeRole checks what the runtime role may not do, whichever login it acts for.
func TestRuntimeRole(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Database(t)
	insert := "INSERT INTO audit (at, actor, action, object) VALUES (now(), 'server', 'test', 'test:1')"
	connect(t, owner).MustExec(insert)

	for login, address := range map[string]string{"owner's login": owner, "runtime's login": runtime} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, allowed := range []string{
				insert,
				"SELECT count(*) FROM audit",
				"INSERT INTO secrets (name, value) VALUES (gen_random_uuid()::text, '')",
				"UPDATE users SET name = 'Ada'",
				"DELETE FROM devices",
				"CREATE TEMPORARY TABLE audit (a int)", // must not be used below instead of the real one
			} {
				if _, err := db.Exec(allowed); err != nil {
					t.Errorf("%s: %v", allowed, err)
				}
			}
			for _, forbidden := range []string{
				"CREATE TABLE mine (a int)",
				"CREATE SCHEMA mine",
				"ALTER TABLE audit DISABLE TRIGGER ALL",
				"ALTER TABLE users ADD COLUMN mine int",
				"DROP TABLE audit",
				"UPDATE audit SET actor = 'nobody'",
				"DELETE FROM audit",
				"TRUNCATE audit",
				"TRUNCATE audit CASCADE",
				"MERGE INTO audit a USING (SELECT 1) one ON true WHEN MATCHED THEN DELETE",
				"SELECT FROM audit FOR UPDATE",
				// The server must not choose the id: otherwise it could hide an entry among older ones.
				"INSERT INTO audit (id, at, actor, action, object) VALUES ('00000000-0000-7000-8000-000000000001', now(), 'server', 'test', 'test:1')",
				"INSERT INTO audit (at, actor, action, object) VALUES (now(), 'a', 'gap.closed', 'b') ON CONFLICT (user_id, object) WHERE action = 'gap.closed' DO UPDATE SET actor = 'c'",
				"UPDATE audit_reasons SET reason = 'another'",
				"UPDATE secrets SET value = ''",
				"DELETE FROM secrets",
				"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)",
				"UPDATE schema_compatibility SET oldest = 99",
				"GRANT ALL ON audit TO holdfast_runtime",
			} {
				_, err := db.Exec(forbidden)
				if refused := (*pq.Error)(nil); !errors.As(err, &refused) || refused.Code != pqerror.InsufficientPrivilege {
					// A GRANT without the right to grant is only a warning; what counts is that it changes nothing.
					if !strings.HasPrefix(forbidden, "GRANT") {
						t.Errorf("%s: %v", forbidden, err)
					}
				}
			}
		})
	}

	db, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, escape := range []string{"SET ROLE holdfast_owner", "SET SESSION AUTHORIZATION holdfast_owner", "RESET ROLE; DELETE FROM audit"} {
		if _, err := db.Exec(escape); err == nil {
			t.Errorf("the runtime's login may %s", escape)
		}
	}
}

func TestUnavailableIsWrappedOnce(t *testing.T) {
	t.Parallel()
	_, err := sql.Open(t.Context(), "postgres:///holdfast?host="+t.TempDir())
	if err == nil || strings.Count(err.Error(), "database unavailable") != 1 {
		t.Errorf("no server at that address: %v", err)
	}
}

// TestUnrelatedLoginIsRefused checks that a login that may not act as the runtime role is refused with advice.
func TestUnrelatedLoginIsRefused(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Database(t)
	connect(t, owner).MustExec("CREATE ROLE stranger LOGIN")
	_, err := sql.Open(t.Context(), strings.Replace(runtime, "holdfast_runtime@", "stranger@", 1))
	if err == nil || !strings.Contains(err.Error(), "GRANT holdfast_runtime to the login") {
		t.Errorf("a login of no role: %v", err)
	}
}

// TestOwnerOnly checks that the owner's operations refuse any other login by name, with or without a schema.
func TestOwnerOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, migrated := sqltest.Database(t)
	owner, fresh := sqltest.Database(t)
	connect(t, owner).MustExec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
	for name, use := range map[string]func(address string) error{
		"migrate": func(address string) error { return sql.Migrate(ctx, address) },
		"prune the audit trail of": func(address string) error {
			_, err := sql.PruneAudit(ctx, address, time.Now())
			return err
		},
		"adopt a keyset for": func(address string) error {
			return sql.AdoptKeyset(ctx, address, entitlements.ServedKeyset{}, "operator", time.Now())
		},
		"back up": func(address string) error {
			_, _, err := sql.Schema(ctx, address)
			return err
		},
		"restore": func(address string) error { return sql.PrepareRestore(ctx, address) },
	} {
		for kind, address := range map[string]string{"migrated": migrated, "fresh": fresh} {
			if err := use(address); !errors.Is(err, sql.ErrNotOwner) {
				t.Errorf("%s a %s database as the runtime's login: %v", name, kind, err)
			}
		}
	}
	if err := sql.Migrate(ctx, owner); err != nil {
		t.Errorf("migrate a fresh database as its owner: %v", err)
	}
}

func TestSessionSettings(t *testing.T) {
	t.Parallel()
	_, runtime := sqltest.Database(t)
	settings := func(address string) string {
		db, err := sql.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var all string
		if err := db.Get(&all, `SELECT concat_ws(' ', current_user, current_setting('application_name'), current_setting('statement_timeout'),
			current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'), current_setting('synchronous_commit'))`); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := settings(runtime); got != "holdfast_runtime holdfast 6s 5s 10s on" {
		t.Errorf("by default: %s", got)
	}
	// Settings in the address take precedence, except the role.
	if got := settings(runtime + "&statement_timeout=3s&application_name=mine&synchronous_commit=off&role=holdfast_owner"); got != "holdfast_runtime mine 3s 5s 10s off" {
		t.Errorf("with settings of its own: %s", got)
	}
}

// TestAddressForms checks both forms of an address, and an address whose first host is down.
func TestAddressForms(t *testing.T) {
	t.Parallel()
	_, address := sqltest.Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, name := u.Query().Get("host"), strings.TrimPrefix(u.Path, "/")
	for _, form := range []string{
		address,
		fmt.Sprintf("host='%s' user=holdfast_runtime dbname=%s", host, name),
		fmt.Sprintf("host='%s,%s' user=holdfast_runtime dbname=%s", t.TempDir(), host, name),
	} {
		db, err := sql.Open(t.Context(), form)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if err := sql.CheckVersion(t.Context(), db); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		db.Close()
	}

	_, err = sql.Open(t.Context(), "postgres://ada:geheim@[/holdfast")
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("an address that is none: %v", err)
	}
}

func TestMigrateAgainAndAtOnce(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Database(t)
	db := connect(t, owner)
	db.MustExec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public")

	empty, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if err := sql.CheckVersion(t.Context(), empty); err == nil || !strings.Contains(err.Error(), "no schema yet: run 'holdfast migrate'") {
		t.Errorf("an empty database: %v", err)
	}

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := sql.Migrate(t.Context(), owner); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := sql.Migrate(t.Context(), owner); err != nil {
		t.Error(err)
	}
	if err := sql.CheckVersion(t.Context(), empty); err != nil {
		t.Error(err)
	}
}

func TestOtherVersions(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Database(t)
	db, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()

	later(t, owner, sql.Version())
	if err := sql.CheckVersion(t.Context(), db); err != nil {
		t.Errorf("a newer schema that this program's version works on: %v", err)
	}
	if err := sql.Migrate(t.Context(), owner); err != nil {
		t.Errorf("migrating a newer schema: %v", err)
	}
	if state, _, err := sql.Schema(t.Context(), owner); err != nil || state != (sql.SchemaState{Version: sql.Version() + 1, Oldest: sql.Version()}) {
		t.Errorf("after migrating a newer schema: %+v, %v", state, err)
	}
	later(t, owner, sql.Version()+1)
	if err := sql.CheckVersion(t.Context(), db); !errors.As(err, new(sql.SchemaError)) {
		t.Errorf("a newer schema that this program does not work on: %v", err)
	}
}

// later gives the schema the next version, on which programs of that schema version and newer work.
func later(t *testing.T, owner string, oldest int64) {
	t.Helper()
	connect(t, owner).MustExec("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", sql.Version()+1)
	connect(t, owner).MustExec("UPDATE schema_compatibility SET oldest = $1", oldest)
}

// TestSchemaStateCheck checks on which schemas a program of schema 5 starts, and what it says otherwise.
func TestSchemaStateCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state sql.SchemaState
		want  string // part of the refusal
	}{
		"no schema":                             {sql.SchemaState{}, "no schema yet: run 'holdfast migrate'"},
		"its own":                               {sql.SchemaState{Version: 5, Oldest: 5}, ""},
		"its own, which older programs work on": {sql.SchemaState{Version: 5, Oldest: 1}, ""},
		"older":                                 {sql.SchemaState{Version: 4, Oldest: 1}, "is of version 4, this program needs 5: run 'holdfast migrate'"},
		"older, contracted":                     {sql.SchemaState{Version: 4, Oldest: 4}, "run 'holdfast migrate'"},
		"expanded":                              {sql.SchemaState{Version: 6, Oldest: 4}, ""},
		"contracted up to this program":         {sql.SchemaState{Version: 9, Oldest: 5}, ""},
		"contracted beyond":                     {sql.SchemaState{Version: 9, Oldest: 6}, "programs of schema 6 and newer work, not this one of schema 5: run a newer program"},
	} {
		err := test.state.Check(5)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && !errors.As(err, new(sql.SchemaError)) {
			t.Errorf("%s: %T", name, err)
		}
	}
}

// TestUnavailable checks that callers can detect an unavailable database without importing this package.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // accepts connections and never answers
	silent := fmt.Sprintf("postgres://%s/holdfast?sslmode=disable", listener.Addr())

	_, runtime := sqltest.Database(t)
	u, err := url.Parse(runtime)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("host", t.TempDir())
	u.RawQuery = query.Encode()

	for name, address := range map[string]string{"nothing listens": u.String(), "nobody answers": silent} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := sql.Open(ctx, address)
		var away interface{ Unavailable() bool }
		if !errors.As(err, &away) || !away.Unavailable() {
			t.Errorf("%s: %v", name, err)
		}
	}

	_, err = sql.Open(t.Context(), strings.Replace(runtime, "/test_", "/none_", 1))
	var away interface{ Unavailable() bool }
	if err == nil || errors.As(err, &away) {
		t.Errorf("a database that does not exist: %v", err)
	}
}

// TestTransactionsPrepareWhatTheyRepeat checks that a connection prepares a statement that it runs in a second transaction,
// and no other.
func TestTransactionsPrepareWhatTheyRepeat(t *testing.T) {
	t.Parallel()
	db := sqltest.New(t)
	db.SetMaxOpenConns(1)
	const repeated, once, outside = `SELECT $1::int + 1`, `SELECT $1::int + 2`, `SELECT $1::int + 3`
	get := func(q sqlx.Queryer, statement string) {
		t.Helper()
		var sum int
		if err := sqlx.Get(q, &sum, statement, 1); err != nil || sum < 2 {
			t.Fatalf("%s: %d, %v", statement, sum, err)
		}
	}
	for pass := range 3 {
		tx := db.MustBegin()
		get(tx, repeated)
		if pass == 0 {
			get(tx, once)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		get(db, outside)
	}
	var prepared []struct {
		Statement string
		Uses      int
	}
	if err := db.Select(&prepared, `SELECT statement, generic_plans + custom_plans AS uses FROM pg_prepared_statements`); err != nil {
		t.Fatal(err)
	}
	if len(prepared) != 1 || prepared[0].Statement != repeated || prepared[0].Uses != 2 {
		t.Errorf("prepared: %+v", prepared)
	}
}

// TestPoolClosesWithALostConnection checks that the pool closes without an error although the socket of one of its connections
// is closed already, as after a request that ended just when its connection was made.
func TestPoolClosesWithALostConnection(t *testing.T) {
	t.Parallel()
	_, runtime := sqltest.Database(t)
	db, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Raw(func(driverConn any) error { sql.Abort(driverConn); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("the pool: %v", err)
	}
}
