package sql_test

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

var update = flag.Bool("update", false, "write schema.sql")

// TestSchemaFile checks that schema.sql is the schema that the migrations make. With -update, it writes the file.
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	_, postgres, err := sql.Schema(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	program, err := local.FindProgram(t.Context(), "pg_dump", postgres)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := exec.CommandContext(t.Context(), program.Path, "--schema-only", "--no-owner", "--exclude-table=goose_db_version", "--dbname="+owner).Output()
	if err != nil {
		t.Fatal(err)
	}
	// Lines that depend on the version of pg_dump are left out.
	dump = regexp.MustCompile(`(?m)^(--|SET |SELECT pg_catalog\.|\\|CREATE SCHEMA|[A-Z, ]+ ON SCHEMA public ).*\n`).ReplaceAll(dump, nil)
	dump = regexp.MustCompile(`\n{2,}`).ReplaceAll(dump, []byte("\n\n"))
	schema := "-- The schema that the migrations make. Generated: go test ./sql -run TestSchemaFile -update\n" + string(dump)
	if *update {
		if err := os.WriteFile("schema.sql", []byte(schema), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != schema {
		t.Error("schema.sql is stale: go test ./sql -run TestSchemaFile -update")
	}
}
