package main

import (
	stdsql "database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// TestDistributeNeedsCitus checks that --distribute refuses a PostgreSQL without Citus, and still shows its SQL.
func TestDistributeNeedsCitus(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	for _, more := range [][]string{nil, {"--dry-run"}} {
		code, out, errs := call(t, append([]string{"migrate", "--distribute", "--database-url", owner}, more...)...)
		if code != 1 || !strings.Contains(errs, "needs the extension citus") {
			t.Errorf("%v: exit code %d, %s", more, code, errs)
		}
		if more == nil {
			if strings.Contains(out, "moved") {
				t.Errorf("output: %s", out)
			}
			continue
		}
		for _, statement := range []string{
			"SELECT create_reference_table('plans');", "SELECT create_distributed_table('users', 'id', colocate_with => 'none');",
			"SELECT create_distributed_table('devices', 'user_id', colocate_with => 'users');",
			"ALTER TABLE devices DROP CONSTRAINT devices_user_id_fkey;",
			"ALTER TABLE devices ADD CONSTRAINT devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;",
			"GRANT INSERT (id) ON audit TO holdfast_runtime;",
		} {
			if !strings.Contains(out, statement+"\n") {
				t.Errorf("the dry run lacks %q: %s", statement, out)
			}
		}
		if strings.Contains(out, "('spent'") {
			t.Errorf("a local table moves: %s", out)
		}
	}
	for _, args := range [][]string{{"--distribute"}, {"--distribute", "--status", "--database-url", owner}, {"--status", "--dry-run"}} {
		if code, _, errs := call(t, append([]string{"migrate"}, args...)...); code != 2 {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

// TestMigrateStatus checks that --status and --dry-run say what migrating would do, and change nothing.
func TestMigrateStatus(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	db, err := stdsql.Open("postgres", owner)
	must(t, err)
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	tables := func() (n int) {
		t.Helper()
		must(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&n))
		return n
	}
	migrate := func(args ...string) string {
		t.Helper()
		return succeed(t, append([]string{"migrate", "--database-url", owner}, args...)...)
	}
	status := func() (s migrationStatus) {
		t.Helper()
		must(t, json.Unmarshal([]byte(migrate("--status", "--json")), &s))
		return s
	}
	names := func(migrations []sql.Migration) (names []string) {
		for _, m := range migrations {
			names = append(names, m.Name)
		}
		return names
	}
	all, newest := names(sql.Migrations()), sql.Version()

	exec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	if s := status(); s.Schema != 0 || s.Oldest != 0 || s.Program != newest || len(s.Applied) > 0 || !slices.Equal(names(s.Pending), all) {
		t.Errorf("without a schema: %+v", s)
	}
	if out := migrate("--status"); !strings.Contains(out, "schema is version 0,") || !strings.Contains(out, "pending  "+all[0]) {
		t.Errorf("without a schema: %s", out)
	}
	out := migrate("--dry-run")
	for _, m := range sql.Migrations() {
		if !strings.Contains(out, "-- "+m.Name+"\n"+m.SQL) {
			t.Errorf("the dry run lacks %s: %s", m.Name, out)
		}
	}
	if n := tables(); n != 0 {
		t.Errorf("%d tables", n)
	}

	migrate()
	if s := status(); s.Schema != newest || s.Oldest < 1 || s.Oldest > newest || !slices.Equal(names(s.Applied), all) || len(s.Pending) > 0 {
		t.Errorf("migrated: %+v", s)
	}
	if out := migrate("--dry-run"); out != "-- nothing is pending\n" {
		t.Errorf("migrated: %s", out)
	}

	exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, true); UPDATE schema_compatibility SET oldest = 8000")
	if out := migrate("--status"); !strings.Contains(out, "schema is version 9000,") || !strings.Contains(out, "Programs of schema 8000 and newer") {
		t.Errorf("newer: %s", out)
	}
	if out := migrate(); out != "The schema is version 9000.\n" {
		t.Errorf("newer: %s", out)
	}
}
