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
