package sql_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// change edits the plan premium and raises nobody.
func (b *bench) change(t *testing.T, edit func(*entitlements.Plan)) {
	t.Helper()
	plan, err := b.Plan(t.Context(), "premium")
	if err != nil {
		t.Fatal(err)
	}
	edit(&plan)
	if _, err := b.PutPlan(t.Context(), "operator", plan, "", nil); err != nil {
		t.Fatal(err)
	}
}

// raise raises all waiting holders and returns the number of batches.
func (b *bench) raise(t *testing.T) (batches int) {
	t.Helper()
	for more := true; more; batches++ {
		var err error
		if more, err = b.store.RaiseHolders(t.Context(), b.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return batches - 1 // the last found nobody
}

// holders creates users of premium, each with a device that holds a document.
func (b *bench) holders(t *testing.T, n int) {
	t.Helper()
	owner := sqlx.MustConnect("postgres", b.owner) // without the server's time limits
	defer owner.Close()
	tx := owner.MustBegin()
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit
	now := b.clock.Now()
	for _, statement := range []string{
		`CREATE TEMPORARY TABLE made ON COMMIT DROP AS SELECT i, gen_random_uuid() AS id FROM generate_series(1, $1::int) i WHERE $2::timestamptz IS NOT NULL`,
		`INSERT INTO users (id, name, created_at) SELECT id, 'Holder', $2 FROM made WHERE i <= $1`,
		`INSERT INTO subscriptions (id, user_id, plan, state, paid_through, created_at, updated_at)
			SELECT 'made-' || id, id, 'premium', 'active', $2::timestamptz + interval '1 year', $2, $2 FROM made WHERE i <= $1`,
		`INSERT INTO status_entries (list, idx) SELECT 0, i - 1 FROM made WHERE i <= $1 AND $2::timestamptz IS NOT NULL`,
		`INSERT INTO devices (user_id, id, name, jkt, linked_at, revision, document_bound, status_list, status_idx)
			SELECT id, gen_random_uuid(), 'Phone', id, $2, 1, $2::timestamptz + interval '7 days', 0, i - 1 FROM made WHERE i <= $1`,
	} {
		if _, err := tx.Exec(statement, n, now); err != nil {
			t.Fatal(statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

const (
	raisedOnce = `SELECT count(*) FROM users u JOIN devices d ON d.user_id = u.id WHERE u.revision = 2 AND d.revision = 2`
	// newIndex selects the devices that have a valid index above those that the holders had at first.
	newIndex = `SELECT count(*) FROM devices d JOIN status_entries e ON e.list = d.status_list AND e.idx = d.status_idx
		WHERE e.status = 0 AND e.idx >= $1`
	withdrawn = `SELECT count(*) FROM status_entries WHERE status = 1 AND list = 0`
)

func TestPutPlanReachesItsHolders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	before := b.refresh(t, d)
	b.change(t, func(plan *entitlements.Plan) {
		plan.Features["maps"] = entitlements.Feature{Offline: true}
		plan.Features["chat"] = entitlements.Feature{}
		plan.Window = 24 * time.Hour
	})
	// The new plan takes effect at once; its higher revision follows soon.
	if now := b.refresh(t, d); len(now.Features) != 3 || now.Revision != before.Revision {
		t.Errorf("before anybody is raised: %+v", now)
	}
	if batches := b.raise(t); batches != 1 {
		t.Errorf("%d batches", batches)
	}
	after := b.refresh(t, d)
	if after.Revision != before.Revision+1 || after.ExpiresAt-after.IssuedAt != 24*3600 {
		t.Errorf("after the change: %+v", after)
	}
	if _, ok := after.Features["maps"]; !ok || len(after.Features) != 3 {
		t.Errorf("features: %v", after.Features)
	}
	online, err := b.DeviceEntitlements(t.Context(), dpop.Proof{JKT: d.jkt})
	if err != nil || len(online.Decision.Features) != 4 || online.Revision != after.Revision {
		t.Errorf("online: %+v, %v", online, err)
	}
	if _, err := b.Plan(t.Context(), "gold"); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("an unknown plan: %v", err)
	}
	trail, err := b.Audit(t.Context(), entitlements.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rank": 10, "grace": 259200, "window": 0, "features": {"notes": {"offline": true}, "export": {"offline": true}}, "device_limit": 5}`
	if entry := trail[0]; entry.Action != "plan.put" || string(entry.Before) != want || string(entry.After) == want {
		t.Errorf("the trail: %s of %s: %s, then %s", entry.Action, entry.Object, entry.Before, entry.After)
	}
}

// TestPlanChangeWithdrawsDocuments checks that a plan change that takes something away invalidates earlier documents and
// gives devices new indices, and that any other change leaves them alone.
func TestPlanChangeWithdrawsDocuments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.change(t, func(plan *entitlements.Plan) {
		plan.Window = 100 * time.Hour
		plan.Features["seats"] = entitlements.Feature{Limit: new(int64(5)), Offline: true}
		plan.Features["chat"] = entitlements.Feature{}
	})
	first, err := b.Plan(t.Context(), "premium")
	if err != nil {
		t.Fatal(err)
	}
	user, other := b.user(t), b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d, none := b.link(t, user), b.link(t, other)
	linked := b.refresh(t, none).Revision
	for name, change := range map[string]struct {
		edit  func(*entitlements.Plan)
		takes bool
	}{
		"nothing":            {func(*entitlements.Plan) {}, false},
		"a further feature":  {func(p *entitlements.Plan) { p.Features["maps"] = entitlements.Feature{Offline: true} }, false},
		"no feature":         {func(p *entitlements.Plan) { delete(p.Features, "export") }, true},
		"an online one less": {func(p *entitlements.Plan) { delete(p.Features, "chat") }, true},
		"online only":        {func(p *entitlements.Plan) { p.Features["notes"] = entitlements.Feature{} }, true},
		"a higher limit": {func(p *entitlements.Plan) {
			p.Features["seats"] = entitlements.Feature{Limit: new(int64(6)), Offline: true}
		}, false},
		"a lower limit": {func(p *entitlements.Plan) {
			p.Features["seats"] = entitlements.Feature{Limit: new(int64(4)), Offline: true}
		}, true},
		"a limit": {func(p *entitlements.Plan) {
			p.Features["notes"] = entitlements.Feature{Limit: new(int64(4)), Offline: true}
		}, true},
		"no limit":              {func(p *entitlements.Plan) { p.Features["seats"] = entitlements.Feature{Offline: true} }, false},
		"more grace":            {func(p *entitlements.Plan) { p.Grace += time.Hour }, false},
		"less grace":            {func(p *entitlements.Plan) { p.Grace -= time.Hour }, true},
		"a longer window":       {func(p *entitlements.Plan) { p.Window += time.Hour }, false},
		"the server's window":   {func(p *entitlements.Plan) { p.Window = 0 }, false},
		"a shorter window":      {func(p *entitlements.Plan) { p.Window -= time.Hour }, true},
		"devices and rank less": {func(p *entitlements.Plan) { p.DeviceLimit, p.Rank = 1, 1 }, false},
	} {
		b.change(t, func(plan *entitlements.Plan) { *plan = first })
		b.raise(t)
		before := b.refresh(t, d)
		plan := first
		plan.Features = maps.Clone(first.Features)
		change.edit(&plan)
		b.change(t, func(p *entitlements.Plan) { *p = plan })
		b.raise(t)
		after := b.refresh(t, d)
		status := b.count(t, `SELECT status FROM status_entries WHERE idx = $1`, before.Status.StatusList.Index)
		if takes := after.Status != before.Status; takes != change.takes || (status == 1) != change.takes || after.Revision != before.Revision+1 {
			t.Errorf("%s: index %v, then %v; status %d; revision %d, then %d", name, before.Status, after.Status, status, before.Revision, after.Revision)
		}
	}
	// A window above the server's counts only as the server's.
	b.change(t, func(plan *entitlements.Plan) { plan.Window = 2000 * time.Hour })
	b.raise(t)
	before := b.refresh(t, d)
	b.change(t, func(plan *entitlements.Plan) { plan.Window = 0 })
	b.raise(t)
	if after := b.refresh(t, d); after.Status != before.Status {
		t.Error("a window that never counted is withdrawn")
	}
	// A device without a document loses nothing, and holders of another plan are not affected.
	if after := b.refresh(t, none); after.Revision != linked {
		t.Error("somebody without the plan was raised")
	}
	b.clock.Advance(8 * 24 * time.Hour)
	indices := b.count(t, `SELECT count(*) FROM status_entries`)
	b.change(t, func(plan *entitlements.Plan) { clear(plan.Features) })
	b.raise(t)
	if n := b.count(t, `SELECT count(*) FROM status_entries`); n != indices {
		t.Error("a document that has ended was withdrawn")
	}
}

// TestRaisingTenThousand raises ten thousand holders by two replicas while their devices reconcile: each holder is raised
// exactly once, every document is withdrawn, and reconciles do not wait for the whole raise.
func TestRaisingTenThousand(t *testing.T) {
	t.Parallel()
	const holders, reconciling = 10_000, 30
	b := newBench(t, "&statement_timeout=0&lock_timeout=0") // batches, not seconds, say how long a reconcile may wait
	b.holders(t, holders)
	var devices []*device
	for range reconciling {
		user := b.user(t)
		b.subscribe(t, user, "sub-"+string(user), 30*24*time.Hour)
		devices = append(devices, b.link(t, user))
		b.refresh(t, devices[len(devices)-1])
	}
	linked := b.count(t, `SELECT sum(revision) FROM users WHERE external_id IS NOT NULL`)
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "export") })

	raised, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	var batches, reconciles, longest atomic.Int64 // longest: the most batches that ended during one reconcile
	for i := range 3 {
		working.Go(func() {
			for n := i; raised.Err() == nil; n++ {
				d := devices[(n*3+i)%reconciling/3*3+i]
				before := batches.Load()
				r, err := d.reconcile(t.Context(), b.Service)
				if err != nil {
					t.Error("reconcile:", err)
					return
				}
				d.lineage = r.Lineage
				reconciles.Add(1)
				for ended := batches.Load() - before; ; {
					if known := longest.Load(); ended <= known || longest.CompareAndSwap(known, ended) {
						break
					}
				}
			}
		})
	}
	begun := time.Now()
	var raising sync.WaitGroup
	for range 2 {
		db, err := sql.Open(t.Context(), b.runtime)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		store, err := sql.NewEntitlements(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		raising.Go(func() {
			for left := 1; left > 0; {
				more, err := store.RaiseHolders(t.Context(), b.clock.Now())
				if err == nil {
					err = b.db.Get(&left, `SELECT count(*) FROM plans WHERE raising_after IS NOT NULL`)
				}
				if err != nil {
					t.Error("raise:", err)
					return
				}
				if more {
					batches.Add(1)
				}
			}
		})
	}
	raising.Wait()
	took := time.Since(begun)
	stop()
	working.Wait()

	if n := b.count(t, raisedOnce+` AND u.external_id IS NULL`); n != holders {
		t.Errorf("%d of %d holders were raised once", n, holders)
	}
	if n := b.count(t, `SELECT sum(revision) FROM users WHERE external_id IS NOT NULL`); n != linked+reconciling {
		t.Errorf("of those who reconciled, the revisions rose by %d", n-linked)
	}
	if n := b.count(t, withdrawn); n != holders+reconciling {
		t.Errorf("%d documents are withdrawn", n)
	}
	if n := b.count(t, `SELECT count(*) FROM devices d JOIN status_entries e ON e.list = d.status_list AND e.idx = d.status_idx WHERE e.status = 0`); n != holders+reconciling {
		t.Errorf("%d devices have a good index", n)
	}
	t.Logf("%d batches in %v; %d reconciles meanwhile, the longest during %d batches", batches.Load(), took, reconciles.Load(), longest.Load())
	if batches.Load() < holders/sql.HoldersAtOnce {
		t.Errorf("%d batches", batches.Load())
	}
	if longest.Load() > batches.Load()/2 {
		t.Errorf("%d of %d batches ended while one reconcile waited", longest.Load(), batches.Load())
	}
}

// TestWithdrawingReadsNoOtherDevices checks that giving devices new indices does not read the devices of all users.
func TestWithdrawingReadsNoOtherDevices(t *testing.T) {
	t.Parallel()
	tx := sqltest.New(t).MustBegin()
	defer tx.Rollback()                           //nolint:errcheck // it only explains
	tx.MustExec(`SET LOCAL enable_seqscan = off`) // a small table is read whole otherwise
	tx.MustExec(`SET LOCAL enable_bitmapscan = off`)
	id := pq.Array([]string{uuid.NewString()})
	var plan []string
	if err := tx.Select(&plan, `EXPLAIN (COSTS off) `+sql.GiveIndices, id, id, pq.Array([]int{0}), pq.Array([]int{0})); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "Index Cond: (user_id = n.user_id)") && !strings.Contains(text, "Index Cond: ((user_id = n.user_id)") {
		t.Errorf("plan:\n%s", text)
	}
}

// TestInterruptedRaiseResumes checks that a server that dies in the middle of a batch has raised none of it, and that
// another continues after the last complete batch.
func TestInterruptedRaiseResumes(t *testing.T) {
	t.Parallel()
	const batch, holders = sql.HoldersAtOnce, 5 * sql.HoldersAtOnce / 2
	b := newBench(t)
	owner := sqlx.MustConnect("postgres", b.owner)
	defer owner.Close()
	b.holders(t, holders)
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "export") })
	if more, err := b.store.RaiseHolders(t.Context(), b.clock.Now()); !more || err != nil {
		t.Fatal(more, err)
	}

	// The second batch is blocked at its last holder, and its connection dies there.
	holder := owner.MustBegin()
	holder.MustExec(`SELECT FROM users WHERE id = (SELECT id FROM users ORDER BY id OFFSET $1 LIMIT 1) FOR UPDATE`, 2*batch-1)
	died := make(chan error, 1)
	go func() {
		_, err := b.store.RaiseHolders(t.Context(), b.clock.Now())
		died <- err
	}()
	for ended := 0; ended == 0; {
		if err := owner.Get(&ended, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%users%NO KEY UPDATE%'`); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-died; err == nil {
		t.Fatal("the batch went well")
	}
	// While one replica is raising, another has nothing to do.
	busy := owner.MustBegin()
	busy.MustExec(`SELECT FROM plans WHERE id = 'premium' FOR NO KEY UPDATE`)
	if more, err := b.store.RaiseHolders(t.Context(), b.clock.Now()); more || err != nil {
		t.Errorf("a second replica: %v, %v", more, err)
	}
	// New subscriptions do not wait meanwhile.
	newcomer := b.user(t)
	b.subscribe(t, newcomer, "newcomer", time.Hour)
	for _, tx := range []*sqlx.Tx{holder, busy} {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.count(t, raisedOnce); n != batch {
		t.Errorf("%d holders were raised when it was cut off", n)
	}
	if n := b.count(t, newIndex, holders); n != batch {
		t.Errorf("%d devices had new indices when it was cut off", n)
	}
	b.raise(t)
	if n := b.count(t, raisedOnce); n != holders {
		t.Errorf("%d holders were raised once", n)
	}
	if n := b.count(t, withdrawn); n != holders {
		t.Errorf("%d documents are withdrawn", n)
	}
	if n := b.count(t, newIndex, holders); n != holders {
		t.Errorf("%d devices have new indices", n)
	}
}

// TestPlanChangesAgain changes a plan again while its holders are being raised: all are raised for the new change, and
// holders not yet reached also have their documents withdrawn for the first.
func TestPlanChangesAgain(t *testing.T) {
	t.Parallel()
	const batch, holders = sql.HoldersAtOnce, 3 * sql.HoldersAtOnce / 2
	b := newBench(t)
	b.holders(t, holders)
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "export") })
	if more, err := b.store.RaiseHolders(t.Context(), b.clock.Now()); !more || err != nil {
		t.Fatal(more, err)
	}
	b.change(t, func(plan *entitlements.Plan) { plan.Features["maps"] = entitlements.Feature{Offline: true} })
	b.raise(t)
	if twice, once := b.count(t, `SELECT count(*) FROM users WHERE revision = 3`), b.count(t, raisedOnce); twice != batch || once != holders-batch {
		t.Errorf("raised twice: %d, once: %d", twice, once)
	}
	if n := b.count(t, withdrawn); n != holders {
		t.Errorf("%d documents are withdrawn, each once", n)
	}
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "maps") })
	b.raise(t)
	if n := b.count(t, withdrawn); n != 2*holders {
		t.Errorf("%d documents are withdrawn, each twice", n)
	}
}

// TestLeavingPlanWithdrawsDocument checks that a user who changes to another plan before the batch arrives has the old
// plan's document withdrawn by that change.
func TestLeavingPlanWithdrawsDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.PutPlan(t.Context(), "operator", entitlements.Plan{
		ID: "other", Features: map[string]entitlements.Feature{"notes": {Offline: true}}, Grace: 72 * time.Hour, DeviceLimit: 5,
	}, "", nil); err != nil {
		t.Fatal(err)
	}
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "export") })
	if _, _, err := b.PutSubscription(t.Context(), "operator", "sub", entitlements.SubscriptionChange{
		User: user, Plan: "other", State: entitlements.SubscriptionActive, PaidThrough: b.clock.Now().Add(30 * 24 * time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	b.raise(t)
	if after := b.refresh(t, d); after.Status == held.Status || after.Plans[0] != "other" {
		t.Errorf("the index stayed: %+v", after)
	}
	if status := b.count(t, `SELECT status FROM status_entries WHERE idx = $1`, held.Status.StatusList.Index); status != 1 {
		t.Errorf("status %d", status)
	}
}

// TestFullStatusListBeginsNewList checks that indices come from the next list when the newest is nearly full.
func TestFullStatusListBeginsNewList(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOLDFAST_DRILLS") != "full" {
		t.Skip("a million rows; HOLDFAST_DRILLS=full")
	}
	b := newBench(t)
	b.holders(t, 100)
	const all, batch = 1 << 20, 1 << 15 // no statement may take longer than a few seconds
	for from := 0; from < all; from += batch {
		b.db.MustExec(`INSERT INTO status_entries (list, idx) SELECT 0, i FROM generate_series($1::int, $2::int) i ON CONFLICT DO NOTHING`,
			from, from+batch-1)
	}
	b.change(t, func(plan *entitlements.Plan) { delete(plan.Features, "export") })
	b.raise(t)
	if n := b.count(t, `SELECT count(*) FROM devices WHERE status_list = 1`); n != 100 {
		t.Errorf("%d devices are in the next list", n)
	}
	if d := b.link(t, b.user(t)); b.count(t, `SELECT status_list FROM devices WHERE id = $1`, d.id) != 1 {
		t.Error("the next device is in the full list")
	}
}

// interrupted is a store that runs a function between the read of an account and its change.
type interrupted struct {
	entitlements.Store
	by func()
}

func (s *interrupted) Update(
	ctx context.Context, user entitlements.UserID, at time.Time, change func(entitlements.Account) (entitlements.Change, error),
) (entitlements.Account, error) {
	return s.Store.Update(ctx, user, at, func(a entitlements.Account) (entitlements.Change, error) {
		c, err := change(a)
		if s.by != nil {
			s.by()
		}
		return c, err
	})
}

// TestSubscribeWhilePlanLosesFeature checks that a user who subscribes to a plan while it loses a feature is affected,
// whichever commits first.
func TestSubscribeWhilePlanLosesFeature(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gold, err := b.Plan(t.Context(), "premium")
	if err != nil {
		t.Fatal(err)
	}
	gold.ID = "gold"
	if _, err := b.PutPlan(t.Context(), "operator", gold, "", nil); err != nil {
		t.Fatal(err)
	}
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)

	lesser := gold
	lesser.Features = map[string]entitlements.Feature{"notes": {Offline: true}}
	changed := make(chan error, 1)
	store := &interrupted{Store: b.store, by: func() {
		go func() {
			_, err := b.PutPlan(context.Background(), "operator", lesser, "", nil)
			for more := true; more && err == nil; {
				more, err = b.store.RaiseHolders(context.Background(), b.clock.Now())
			}
			changed <- err
		}()
		const waiting = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		for deadline := time.Now().Add(10 * time.Second); len(changed) == 0 && b.count(t, waiting) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("the plan is neither changed nor waited for")
				return
			}
		}
	}}
	service, err := entitlements.New(t.Context(), entitlements.Config{
		Issuer: issuer, RPID: "app.example.com", Keys: b.keys, OfflineWindow: 7 * 24 * time.Hour, Now: b.clock.Now, Rand: rand.Reader,
	}, store)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = service.PutSubscription(t.Context(), "operator", "sub", entitlements.SubscriptionChange{
		User: user, Plan: "gold", State: entitlements.SubscriptionActive, PaidThrough: b.clock.Now().Add(30 * 24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM status_entries WHERE idx = $1 AND status = 1`, held.Status.StatusList.Index); n != 1 {
		t.Error("the status list says VALID of a document with a feature that the user has lost")
	}
	if now := b.refresh(t, d); len(now.Features) != 1 {
		t.Errorf("features: %v", now.Features)
	}
}
