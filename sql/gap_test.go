package sql_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// backup saves what the database knows about a device's user. The returned function restores it.
func backup(t *testing.T, b *bench, d *device) (restore func()) {
	t.Helper()
	for _, statement := range []string{
		`CREATE TEMPORARY TABLE IF NOT EXISTS kept_users AS SELECT * FROM users LIMIT 0`,
		`CREATE TEMPORARY TABLE IF NOT EXISTS kept_devices AS SELECT * FROM devices LIMIT 0`,
		`CREATE TEMPORARY TABLE IF NOT EXISTS kept_subscriptions AS SELECT * FROM subscriptions LIMIT 0`,
	} {
		b.db.MustExec(statement)
	}
	b.db.MustExec(`INSERT INTO kept_users SELECT * FROM users WHERE id = $1`, d.user)
	b.db.MustExec(`INSERT INTO kept_devices SELECT * FROM devices WHERE id = $1`, d.id)
	b.db.MustExec(`INSERT INTO kept_subscriptions SELECT * FROM subscriptions WHERE user_id = $1`, d.user)
	return func() {
		t.Helper()
		b.db.MustExec(`UPDATE users u SET revision = k.revision FROM kept_users k WHERE u.id = k.id AND u.id = $1`, d.user)
		b.db.MustExec(`UPDATE subscriptions s SET revoked = k.revoked FROM kept_subscriptions k WHERE s.id = k.id AND s.user_id = $1`, d.user)
		b.db.MustExec(`UPDATE devices d SET lineage_n = k.lineage_n, lineage_parent = k.lineage_parent, revision = k.revision,
				document_bound = k.document_bound, document_revision = k.document_revision
			FROM kept_devices k WHERE d.id = k.id AND d.id = $1`, d.id)
	}
}

// TestGaps restores the previous state of users after they were revoked and their devices told.
func TestGaps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.SetMaxOpenConns(1) // the temporary tables belong to its session
	gaps := func(query entitlements.GapQuery) []entitlements.Gap {
		t.Helper()
		gaps, err := b.Gaps(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		return gaps
	}
	begin := func(name string) *device {
		t.Helper()
		user := b.user(t)
		b.subscribe(t, user, name, 30*24*time.Hour)
		d := b.link(t, user)
		b.refresh(t, d)
		return d
	}
	revoke := func(name entitlements.SubscriptionID) int64 {
		t.Helper()
		r, err := b.Revoke(t.Context(), "operator", name, "chargeback")
		if err != nil {
			t.Fatal(err)
		}
		return r.Revision
	}

	lost := begin("lost")
	restore := backup(t, b, lost)
	known := revoke("lost")
	b.refresh(t, lost)
	restore()
	if document := b.refresh(t, lost); document.State != entitlements.StateActive || document.Revision != known {
		t.Errorf("after the restore: %+v", document)
	}

	// As many changes were made since the restore as were lost.
	hidden := begin("hidden")
	restore = backup(t, b, hidden)
	same := revoke("hidden")
	b.refresh(t, hidden)
	restore()
	b.subscribe(t, hidden.user, "hidden", 60*24*time.Hour)
	if document := b.refresh(t, hidden); document.Revision != same {
		t.Errorf("after the restore and a change: %+v", document)
	}

	// Only reconciles are lost here.
	idle := begin("idle")
	restore = backup(t, b, idle)
	b.refresh(t, idle)
	b.refresh(t, idle)
	restore()
	b.refresh(t, idle)

	open := gaps(entitlements.GapQuery{Limit: 10})
	if len(open) != 2 || open[0].User != hidden.user || open[1].User != lost.user {
		t.Fatalf("gaps: %+v", open)
	}
	if first := open[1]; first.Device != lost.id || first.DeviceRevision != known || first.DatabaseRevision != known-1 || !first.At.Equal(b.clock.Now()) {
		t.Errorf("revoked at %d: %+v", known, first)
	}
	if second := open[0]; second.DeviceRevision != same || second.DatabaseRevision != same {
		t.Errorf("revoked at %d: %+v", same, second)
	}
	if page := gaps(entitlements.GapQuery{Limit: 1}); len(page) != 1 || page[0] != open[0] {
		t.Errorf("first page: %+v", page)
	}
	if page := gaps(entitlements.GapQuery{Limit: 1, Before: open[0].ID}); len(page) != 1 || page[0] != open[1] {
		t.Errorf("second page: %+v", page)
	}

	b.db.SetMaxOpenConns(10)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := b.CloseGap(t.Context(), "token:1", open[1].ID, "was revoked: done again"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := gaps(entitlements.GapQuery{Limit: 10}); len(left) != 1 || left[0] != open[0] {
		t.Errorf("one is closed: %+v", left)
	}
	var closed int
	if err := b.db.Get(&closed, `SELECT count(*) FROM audit a JOIN audit_reasons r ON r.audit_id = a.id
		WHERE a.action = 'gap.closed' AND a.object = 'gap:' || $1 AND a.user_id = $2 AND r.user_id = $2 AND a.actor = 'token:1'`, open[1].ID, lost.user); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}

	var other string
	if err := b.db.Get(&other, `SELECT id FROM audit WHERE action = 'lineage.recovered' AND user_id = $1 ORDER BY id DESC LIMIT 1`, idle.user); err != nil {
		t.Fatal(err)
	}
	for _, none := range []string{other, uuid.NewString()} {
		if err := b.CloseGap(t.Context(), "token:1", none, "x"); !errors.Is(err, entitlements.ErrNotFound) {
			t.Errorf("closing %s, which is no gap: %v", none, err)
		}
	}
	if err := b.CloseGap(t.Context(), "token:1", open[0].ID, " "); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}

	// An erased user's gap is neither listed nor recorded.
	if err := newPasskeys(t, b.db).EraseUser(t.Context(), passkey.UserID(hidden.user), nil, passkey.AuditEntry{
		At: b.clock.Now(), Actor: "user:" + string(hidden.user), Action: "user.erased", Object: "user:" + string(hidden.user),
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.CloseGap(t.Context(), "token:1", open[0].ID, "about somebody erased"); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("of an erased user: %v", err)
	}
	if left := gaps(entitlements.GapQuery{Limit: 10}); len(left) != 0 {
		t.Errorf("of an erased user: %+v", left)
	}
}

// TestGapsAreFoundByTheirIndex checks that gaps are found by the index, without reading the many other entries.
func TestGapsAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	db := connect(t, owner)
	db.MustExec(`
		INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'User ' || n, now() FROM generate_series(1, 500) n;
		INSERT INTO audit (at, actor, action, object, user_id, before, after)
			SELECT now(), 'server', CASE WHEN n % 200 = 100 THEN 'gap.found' WHEN n % 100 = 0 THEN 'lineage.recovered' ELSE 'subscription.put' END, 'device:1',
				u.id, '{"revision": 2, "generation": 1}', jsonb_build_object('revision', 2 + n % 200 / 100, 'generation', 2)
			FROM generate_series(1, 30000) n JOIN (SELECT id, row_number() OVER () - 1 AS i FROM users) u ON u.i = n % 500;
		INSERT INTO audit (at, actor, action, object, user_id) SELECT now(), 'server', 'gap.closed', 'gap:' || id, user_id
			FROM (SELECT id, user_id, row_number() OVER () AS n FROM audit WHERE action = 'gap.found') gaps WHERE n % 3 = 0;
		ANALYZE`)
	var plan []string
	if err := db.Select(&plan, "EXPLAIN (ANALYZE, COSTS off, TIMING off) "+sql.ListGaps, "ffffffff-ffff-ffff-ffff-ffffffffffff", 51); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "audit_by_action on audit a") || strings.Contains(text, "Seq Scan on audit") {
		t.Error(text)
	}
}
