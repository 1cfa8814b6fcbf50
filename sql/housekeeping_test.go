package sql_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// TestEveryTableIsBounded checks that each table of the schema is swept, or is listed here with the reason why it does not
// grow.
func TestEveryTableIsBounded(t *testing.T) {
	t.Parallel()
	kept := map[string]string{
		"admin_tokens":         "the operator makes them",
		"audit":                "as long as --audit-retention says; the server may not delete from it",
		"directory":            "with what it finds",
		"billing_erased":       "a few hashes for each account that was erased",
		"audit_reasons":        "with the audit trail, or its user",
		"goose_db_version":     "one for each migration",
		"keyset_marks":         "one for each root",
		"ledger_accepted":      "one for each feature of a plan and user",
		"ledger_entries":       "with their user",
		"notes":                "a hundred for each user",
		"pack_keys":            "content encrypted with them may still be in use",
		"vault_keys":           "likewise, or with their user",
		"passkeys":             "so many for each user",
		"plans":                "the operator makes them",
		"schema_compatibility": "one",
		"recovery_codes":       "ten for each user",
		"secrets":              "a few",
		"staff":                "admins make them",
		"subscriptions":        "billing makes them",
		"users":                "until they are erased",
		"webhook_deliveries":   "package outbox sweeps them",
		"webhook_endpoints":    "the operator makes them",
	}
	var tables []string
	if err := sqltest.New(t).Select(&tables, `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`); err != nil {
		t.Fatal(err)
	}
	if len(tables) < 15 {
		t.Fatalf("tables: %v", tables)
	}
	for _, table := range tables {
		if !slices.Contains(sql.Swept(), table) && kept[table] == "" {
			t.Errorf("nothing ends the rows of %s", table)
		}
	}
}

// litter inserts n rows that end at that time into every swept table.
func litter(t *testing.T, db *sqlx.DB, user string, end time.Time, n int) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO spent (id, expires_at) SELECT gen_random_uuid(), $2::timestamptz - interval '10 minutes' FROM generate_series(1, $3) WHERE $1::uuid IS NOT NULL`,
		// Every other session ends after 14 idle days.
		`INSERT INTO sessions (user_id, id, token_hash, authenticated_at, last_active_at, expires_at)
			SELECT $1, g, uuid_send(g), $2, $2::timestamptz - idle * interval '14 days', $2::timestamptz + idle * interval '76 days'
			FROM (SELECT gen_random_uuid() AS g, i % 2 AS idle FROM generate_series(1, $3) i) s`,
		`INSERT INTO enrolments (user_id, code_hash, expires_at, created_at) SELECT $1, uuid_send(gen_random_uuid()), $2, $2 FROM generate_series(1, $3)`,
		`INSERT INTO idempotency (actor, route, key, body_hash, created_at)
			SELECT $1, 'POST /', gen_random_uuid(), '', $2::timestamptz - interval '24 hours' FROM generate_series(1, $3)`,
		`INSERT INTO billing_events (source, id, customer, subject, at, rank, facts, received_at)
			SELECT 'stripe', gen_random_uuid(), '', '', $2, 1, '{}', $2::timestamptz - interval '30 days' FROM generate_series(1, $3) WHERE $1::uuid IS NOT NULL`,
		`WITH u AS (INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'Eve', $2 FROM generate_series(1, $3) WHERE $1::uuid IS NOT NULL RETURNING id)
			INSERT INTO past_subscriptions (user_id, until, subscriptions) SELECT id, $2::timestamptz - interval '490 days', '[]' FROM u`,
		`INSERT INTO past_plans (id, until, plan)
			SELECT gen_random_uuid(), $2::timestamptz - interval '490 days', '{}' FROM generate_series(1, $3) WHERE $1::uuid IS NOT NULL`,
		`INSERT INTO status_changes (list, at) SELECT 0, $2::timestamptz - interval '10 minutes' FROM generate_series(1, $3) WHERE $1::uuid IS NOT NULL`,
		`WITH e AS (INSERT INTO status_entries (list, idx, status) SELECT 0, coalesce((SELECT max(idx) FROM status_entries), 0) + i, 1 FROM generate_series(1, $3) i RETURNING list, idx)
			INSERT INTO devices (user_id, id, name, jkt, linked_at, removed_at, document_bound, revision, status_list, status_idx)
			SELECT $1, gen_random_uuid(), 'Phone', gen_random_uuid(), $2, $2::timestamptz - interval '97 days', $2::timestamptz - interval '90 days', 1, list, idx FROM e`,
	} {
		if _, err := db.Exec(statement, user, end, n); err != nil {
			t.Fatal(err)
		}
	}
}

// left counts the rows of the swept tables.
func left(t *testing.T, db *sqlx.DB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range sql.Swept() {
		var n int
		if err := db.Get(&n, `SELECT count(*) FROM `+table); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

// TestHousekeepingDeletesExpiredRows checks that all expired rows and nothing else are deleted, in batches, even while a
// dump reads an old snapshot.
func TestHousekeepingDeletesExpiredRows(t *testing.T) {
	t.Parallel()
	db := sqltest.New(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	user := uuid.NewString()
	db.MustExec(`INSERT INTO users (id, name, created_at) VALUES ($1, 'Ada', $2)`, user, now)
	const ended = 2*sql.HousekeepingBatch + 7
	litter(t, db, user, now.Add(-time.Hour), ended-7)
	litter(t, db, user, now, 7)
	litter(t, db, user, now.Add(time.Microsecond), 3)
	// A linked device never expires; nor does one whose document ends later, or an event that belongs to a user.
	db.MustExec(`UPDATE devices SET removed_at = NULL WHERE id IN (SELECT id FROM devices WHERE linked_at = $1 LIMIT 1)`, now)
	db.MustExec(`UPDATE devices SET document_bound = $2 WHERE id IN (SELECT id FROM devices WHERE linked_at = $1 AND removed_at IS NOT NULL LIMIT 1)`, now, now)
	db.MustExec(`UPDATE billing_events SET user_id = $1 WHERE id IN (SELECT id FROM billing_events WHERE at = $2 LIMIT 1)`, user, now)
	var indices int
	if err := db.Get(&indices, `SELECT count(*) FROM status_entries`); err != nil {
		t.Fatal(err)
	}

	db.MustExec(`INSERT INTO directory (kind, key, user_id) SELECT 'device', id::text, user_id FROM devices
		UNION ALL SELECT 'device key', jkt, user_id FROM devices
		UNION ALL SELECT 'link', encode(code_hash, 'hex'), user_id FROM enrolments`)

	dump := db.MustBegin()
	defer dump.Rollback() //nolint:errcheck // it only reads
	dump.MustExec(`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`)
	var seen int
	if err := dump.Get(&seen, `SELECT count(*) FROM sessions`); err != nil {
		t.Fatal(err)
	}

	// Another replica is sweeping: there is nothing to do here.
	other := db.MustBegin()
	other.MustExec(`SELECT pg_advisory_xact_lock(hashtextextended('housekeeping', 0))`)
	if err := sql.Sweep(t.Context(), db, now); err != nil || left(t, db)["sessions"] != ended+3 {
		t.Errorf("beside another replica: %v, %v", err, left(t, db))
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // a repetition finds nothing
		if err := sql.Sweep(t.Context(), db, now); err != nil {
			t.Fatal(err)
		}
	}
	for table, n := range left(t, db) {
		want := map[string]int{"devices": 3 + 2, "billing_events": 3 + 1, "status_entries": indices}[table] // the newest list stays
		if want == 0 {
			want = 3
		}
		if n != want {
			t.Errorf("%d rows are left in %s, want %d", n, table, want)
		}
	}
	var keys int
	if err := db.Get(&keys, `SELECT count(*) FROM directory`); err != nil || keys != 2*(3+2)+3 {
		t.Errorf("%d keys are left in the directory: %v", keys, err)
	}
	if err := dump.Get(&seen, `SELECT count(*) FROM sessions`); err != nil || seen != ended+3 {
		t.Errorf("the dump sees %d sessions: %v", seen, err)
	}
}

// TestStatusIndicesExpire checks that an index's row is deleted 400 days after it became INVALID and its last document
// ended, if its list allots no more indices and no device has it.
func TestStatusIndicesExpire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	staying, erased := b.link(t, user), b.link(t, b.user(t))
	revoked := b.refresh(t, staying).Status.StatusList.Index
	if _, err := b.Revoke(t.Context(), "operator", "sub", "fraud"); err != nil {
		t.Fatal(err)
	}
	given := b.refresh(t, staying).Status.StatusList.Index
	b.db.MustExec(`UPDATE devices SET document_bound = now() + interval '30 days' WHERE id = $1`, erased.id)
	if err := newPasskeys(t, b.db).EraseUser(t.Context(), passkey.UserID(erased.user), nil, passkey.AuditEntry{
		At: b.clock.Now(), Actor: "operator", Action: "account.erased", User: passkey.UserID(erased.user),
	}); err != nil {
		t.Fatal(err)
	}
	var ends []struct {
		Idx  int
		End  *time.Time `db:"ended_at"`
		Late bool
	}
	if err := b.db.Select(&ends, `SELECT idx, ended_at, coalesce(ended_at > now() + interval '29 days', false) AS late FROM status_entries ORDER BY ended_at NULLS FIRST`); err != nil {
		t.Fatal(err)
	}
	if len(ends) != 3 || ends[0].Idx != given || ends[0].End != nil || ends[1].Idx != revoked || ends[1].End == nil || ends[1].Late || !ends[2].Late {
		t.Fatalf("indices %+v; %d is the device's, and %d was", ends, given, revoked)
	}

	left := func(at time.Time) (n int) {
		t.Helper()
		if err := sql.Sweep(t.Context(), b.db, at); err != nil {
			t.Fatal(err)
		}
		return b.count(t, `SELECT count(*) FROM status_entries WHERE list = 0`)
	}
	gone, later := ends[1].End.Add(400*24*time.Hour), ends[2].End.Add(400*24*time.Hour)
	b.db.MustExec(`INSERT INTO status_entries (list, idx) VALUES (1, 0)`)
	if n := left(later); n != 3 {
		t.Errorf("%d indices are left in a list that was the newest a moment ago", n)
	}
	b.db.MustExec(`INSERT INTO status_entries (list, idx) VALUES (2, 0)`)
	for _, step := range []struct {
		at   time.Time
		left int
	}{{gone.Add(-time.Second), 3}, {gone, 2}, {later.Add(-time.Second), 2}, {later, 1}} {
		if n := left(step.at); n != step.left {
			t.Errorf("%d indices are left at %v, want %d", n, step.at, step.left)
		}
	}
	b.db.MustExec(`UPDATE status_entries SET status = 1, ended_at = '2000-01-01Z' WHERE idx = $1`, given) // as of a quarantined device
	if n := left(later); n != 1 {
		t.Error("the index of a device was deleted")
	}
}
