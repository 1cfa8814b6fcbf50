package sql_test

import (
	"encoding/json"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestStepIsCheap checks a reconcile's database budget: two prepared statements. The one that commits, on rows as densely
// packed as after a bulk load, updates no index (a HOT update in PostgreSQL) and writes at most 300 bytes of WAL.
func TestStepIsCheap(t *testing.T) {
	t.Parallel()
	// It has its own cluster: where other databases have running transactions, dead rows are removed later.
	db, err := sql.Open(t.Context(), sqltest.NewNode(t).URL(local.Runtime))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	store, err := sql.NewEntitlements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	const devices, passes = 500, 2
	db.MustExec(`INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'Ada', now() FROM generate_series(1, $1)`, devices)
	db.MustExec(`INSERT INTO status_entries (list, idx) SELECT 0, n FROM generate_series(1, $1) n`, devices)
	db.MustExec(`INSERT INTO devices (user_id, id, name, jkt, linked_at, revision, status_list, status_idx)
		SELECT id, gen_random_uuid(), 'Chrome on Windows', 'thumbprint of 43 characters of base64url ' || id, now(), 1, 0, row_number() OVER () FROM users`)
	var keys []struct {
		User   entitlements.UserID   `db:"user_id"`
		Device entitlements.DeviceID `db:"id"`
		JKT    string
	}
	if err := db.Select(&keys, `SELECT user_id, id, jkt FROM devices`); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for pass := range int64(passes) {
		mathrand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys {
			read, err := store.Standing(t.Context(), key.User, key.Device, key.JKT, "app.example.com")
			if err != nil {
				t.Fatal(err)
			}
			stored, err := store.Step(t.Context(), read, entitlements.Step{
				Lineage:           entitlements.Lineage{N: pass + 1, Parent: entitlements.Tag{byte(pass + 1)}},
				DocumentExpiresAt: new(now.Add(time.Duration(pass) * time.Hour)), DocumentRevision: 1, ReconciledAt: new(now.Add(time.Duration(pass))),
			})
			if err != nil || !stored {
				t.Fatalf("stored: %v, %v", stored, err)
			}
		}
	}

	// A statement sent only by its name takes one round trip and is not planned again.
	var uses []int
	if err := db.Select(&uses, `SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE NOT from_sql`); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(uses, []int{devices * passes, devices * passes}) {
		t.Errorf("prepared statements were used %d times", uses)
	}

	held, next := entitlements.Tag{passes}, entitlements.Tag{passes + 1}
	var most int
	for _, key := range keys[:20] {
		var plans []byte
		if err := db.Get(&plans, `EXPLAIN (ANALYZE, WAL, FORMAT json) `+sql.StoreStep, key.User, key.Device, 1, passes, held[:],
			false, false, passes+1, next[:], now, 1, now); err != nil {
			t.Fatal(err)
		}
		var explained []struct {
			Plan struct {
				Bytes  int `json:"WAL Bytes"`
				Images int `json:"WAL FPI"` // full pages, at the first change after a checkpoint
			}
		}
		if err := json.Unmarshal(plans, &explained); err != nil {
			t.Fatal(err)
		}
		if plan := explained[0].Plan; plan.Images == 0 {
			most = max(most, plan.Bytes)
		}
	}
	const commit = 64 // bytes of the commit record
	if most == 0 || most+commit > 300 {
		t.Errorf("%d bytes of WAL", most)
	}

	// A connection reports its statistics at the latest when it ends.
	db.SetMaxIdleConns(0)
	var updated, hot int
	for deadline := time.Now().Add(30 * time.Second); updated < devices*passes; time.Sleep(10 * time.Millisecond) {
		if err := db.QueryRow(`SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'devices'`).Scan(&updated, &hot); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d updates were reported", updated)
		}
	}
	if hot*100 < updated*95 {
		t.Errorf("%d of %d updates were HOT", hot, updated)
	}
}
