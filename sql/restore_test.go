package sql_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestRestoreOlderSchema checks that a dump of an older schema is migrated to this program's version with its data: here,
// the version before support's withdrawals stored their own time.
func TestRestoreOlderSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, _ := sqltest.Database(t)
	db := connect(t, old)
	db.MustExec("DROP OWNED BY holdfast_runtime; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	if err := sql.MigrateTo(ctx, old, 10); err != nil {
		t.Fatal(err)
	}
	db.MustExec(`
		INSERT INTO users (id, name, created_at) VALUES ('11111111-1111-4111-8111-111111111111', 'Ada', '2026-01-01T00:00:00Z');
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, revoked, created_at, updated_at) VALUES
			('gone', '11111111-1111-4111-8111-111111111111', 'premium', 'active', '2027-01-01T00:00:00Z', true, '2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z'),
			('held', '11111111-1111-4111-8111-111111111111', 'premium', 'active', '2027-01-01T00:00:00Z', false, '2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z');
		INSERT INTO audit (at, actor, action, object, user_id)
			SELECT at::timestamptz, 'operator', action, object, '11111111-1111-4111-8111-111111111111' FROM (VALUES
				('2026-02-01T00:00:00Z', 'subscription.revoke', 'subscription:gone'),
				('2026-02-02T00:00:00Z', 'subscription.put', 'subscription:gone'),
				('2026-02-03T00:00:00Z', 'subscription.revoke', 'subscription:held'),
				('2026-02-04T00:00:00Z', 'subscription.reinstate', 'subscription:held')) AS a (at, action, object);
		INSERT INTO status_entries (list, idx, status, changed) VALUES (0, 1, 1, '4000000000');
		INSERT INTO secrets (name, value) VALUES ('ceremony', 'old'), ('lineage', 'old')`)
	version, postgres, err := sql.Schema(ctx, old)
	if err != nil || version != 10 {
		t.Fatalf("the old schema is of version %d, %v", version, err)
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
	var withdrawn string
	if err := served.Get(&withdrawn, `
		SELECT string_agg(id || ' ' || coalesce((withdrawn_at AT TIME ZONE 'UTC')::date::text, 'never'), ', ' ORDER BY id) FROM subscriptions`); err != nil {
		t.Fatal(err)
	}
	if withdrawn != "gone 2026-02-01, held never" {
		t.Errorf("withdrawn: %s", withdrawn)
	}
	var settled bool
	if err := served.Get(&settled, `SELECT changed <= pg_snapshot_xmax(pg_current_snapshot()) FROM status_entries`); err != nil || !settled {
		t.Errorf("a status seems to have been changed by a transaction that is still to come (%v)", err)
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

// TestFinishRestoreRefusesNewer checks that a database made by a newer program is refused even after its restore, whatever
// the backup claimed.
func TestFinishRestoreRefusesNewer(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	connect(t, owner).MustExec("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", sql.Version()+1)
	if err := sql.FinishRestore(t.Context(), owner); err == nil || !strings.Contains(err.Error(), "newer than") {
		t.Errorf("a newer schema: %v", err)
	}
}
