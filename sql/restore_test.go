package sql_test

import (
	"errors"
	"os"
	"testing"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestRestore checks that a dump of each version of the schema is migrated to this program's version.
func TestRestore(t *testing.T) {
	t.Parallel()
	for version := range sql.Version() {
		testRestore(t, version+1)
	}
}

func testRestore(t *testing.T, of int64) {
	ctx := t.Context()
	old, _ := sqltest.Database(t)
	db := connect(t, old)
	db.MustExec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	if err := sql.MigrateTo(ctx, old, of); err != nil {
		t.Fatal(err)
	}
	db.MustExec(`
		INSERT INTO secrets (name, value) VALUES ('ceremony', 'old'), ('lineage', 'old')`)
	schema, postgres, err := sql.Schema(ctx, old)
	if err != nil || schema.Version != of {
		t.Fatalf("the old schema is of version %d, %v", schema.Version, err)
	}
	dump, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close()
	restored, runtime := sqltest.Database(t)
	pgDump, err := local.FindProgram(t.Context(), "pg_dump", postgres)
	if err != nil {
		t.Fatal(err)
	}
	if err := pgDump.Dump(ctx, old, dump); err != nil {
		t.Fatal(err)
	}

	if err := sql.PrepareRestore(ctx, restored); !errors.Is(err, sql.ErrNotEmpty) {
		t.Errorf("a database with a schema passes for an empty one: %v", err)
	}
	connect(t, restored).MustExec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	if err := sql.PrepareRestore(ctx, restored); err != nil {
		t.Fatal(err)
	}
	pgRestore, err := local.FindProgram(t.Context(), "pg_restore", postgres)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dump.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	if err := pgRestore.Restore(ctx, restored, dump); err != nil {
		t.Fatal(err)
	}
	if err := sql.FinishRestore(ctx, restored); err != nil {
		t.Fatal(err)
	}

	served, err := sql.Open(ctx, runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if err := sql.CheckVersion(ctx, served); err != nil {
		t.Error(err)
	}
	var secrets string
	if err := served.Get(&secrets, `SELECT string_agg(name, ' ') FROM secrets WHERE value = 'old'`); err != nil || secrets != "lineage" {
		t.Errorf("of the backup's secrets are left: %q, %v; ceremonies that were spent since would be good again", secrets, err)
	}
	for _, forbidden := range []string{"DELETE FROM audit", "DROP TABLE audit", "UPDATE secrets SET value = ''"} {
		if _, err := served.Exec(forbidden); err == nil {
			t.Errorf("in the restored database, the runtime role may %s", forbidden)
		}
	}
}

// TestFinishRestoreRefusesNewer checks that a database on which this program does not work is refused even after its
// restore, whatever the backup claimed.
func TestFinishRestoreRefusesNewer(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	later(t, owner, sql.Version()+1)
	if err := sql.FinishRestore(t.Context(), owner); !errors.As(err, new(sql.SchemaError)) {
		t.Errorf("a newer schema: %v", err)
	}
}
