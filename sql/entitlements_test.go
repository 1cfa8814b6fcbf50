package sql_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/jose"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

const issuer = "https://app.example.com"

// manualClock is a clock that tests set.
type manualClock struct{ nanos atomic.Int64 }

func newManualClock(t time.Time) *manualClock {
	c := &manualClock{}
	c.nanos.Store(t.UnixNano())
	return c
}

func (c *manualClock) Now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *manualClock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// bench is a service on a fresh database.
type bench struct {
	*entitlements.Service
	owner, runtime string // the database's addresses
	db             *sqlx.DB
	store          *sql.Entitlements
	clock          *manualClock
	keys           entitlements.Keys
	verifier       entitlements.Verifier
}

// newBench returns a bench with a new database. settings, such as "&lock_timeout=0", extend its addresses.
func newBench(t *testing.T, settings ...string) *bench {
	t.Helper()
	owner, runtime := sqltest.Database(t)
	return benchOn(t, owner, runtime+strings.Join(settings, ""))
}

// benchOn returns a bench on the database at these addresses.
func benchOn(t *testing.T, owner, runtime string) *bench {
	t.Helper()
	db, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	store, err := sql.NewEntitlements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		owner: owner, runtime: runtime, db: db, store: store,
		clock: newManualClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
	}
	if b.keys, err = entitlements.GenerateKeys(rand.Reader, issuer, b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b.verifier = entitlements.Verifier{Keyset: b.keys.Keyset, Issuer: issuer}
	b.Service = b.replica(t)
	return b
}

// replica returns another server process's service on the same database.
func (b *bench) replica(t *testing.T) *entitlements.Service {
	t.Helper()
	service, err := entitlements.New(t.Context(), entitlements.Config{
		Issuer: issuer, RPID: "app.example.com", Keys: b.keys, OfflineWindow: 7 * 24 * time.Hour,
		TrialLength: 14 * 24 * time.Hour, TrialPlan: "premium", Now: b.clock.Now, Rand: rand.Reader,
	}, b.store)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func (b *bench) user(t *testing.T) entitlements.UserID {
	t.Helper()
	id := uuid.NewString()
	b.db.MustExec(`INSERT INTO users (id, name, external_id, created_at) VALUES ($1, 'Ada', $2, $3)`, id, "ext-"+id, b.clock.Now())
	b.db.MustExec(`INSERT INTO directory (kind, key, user_id) VALUES ('external id', $1, $2)`, "ext-"+id, id)
	return entitlements.UserID(id)
}

// device is an honest installation.
type device struct {
	user    entitlements.UserID
	id      entitlements.DeviceID
	jkt     string
	lineage string
	nonce   []byte // what its nonce is bound to
	held    string // digest of its passkeys document
	proofs  int
	clock   *manualClock
	ahead   time.Duration // of the true time
}

func (d *device) proof() dpop.Proof {
	d.proofs++
	return dpop.Proof{JKT: d.jkt, JTI: fmt.Sprintf("%s-%d", d.id, d.proofs), Binding: d.nonce, IssuedAt: float64(d.clock.Now().Add(d.ahead).Unix())}
}

func (b *bench) link(t *testing.T, user entitlements.UserID) *device {
	t.Helper()
	d := &device{user: user, jkt: uuid.NewString(), clock: b.clock}
	linked, err := b.Link(t.Context(), user, d.proof(), entitlements.LinkRequest{Name: "Phone"})
	if err != nil {
		t.Fatal("link:", err)
	}
	d.id, d.lineage = linked.Device, linked.Lineage
	return d
}

func (d *device) reconcile(ctx context.Context, service *entitlements.Service) (entitlements.Reconciled, error) {
	return service.Reconcile(ctx, d.proof(), entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage, PasskeysDigest: d.held})
}

// refresh reconciles and returns the verified document.
func (b *bench) refresh(t *testing.T, d *device) entitlements.Document {
	t.Helper()
	r, err := d.reconcile(t.Context(), b.Service)
	if err != nil {
		t.Fatal("reconcile:", err)
	}
	d.lineage = r.Lineage
	return b.verify(t, r.Document)
}

func (b *bench) verify(t *testing.T, compact string) entitlements.Document {
	t.Helper()
	document, err := b.verifier.Verify(compact, b.clock.Now())
	if err != nil {
		t.Fatal("verify:", err)
	}
	return document
}

// count returns the single number that a query yields.
func (b *bench) count(t *testing.T, query string, arguments ...any) (n int) {
	t.Helper()
	if err := b.db.Get(&n, query, arguments...); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) subscribe(t *testing.T, user entitlements.UserID, id string, paid time.Duration) {
	t.Helper()
	b.subscribeTo(t, "premium", user, id, paid)
}

func (b *bench) subscribeTo(t *testing.T, plan entitlements.PlanID, user entitlements.UserID, id string, paid time.Duration) {
	t.Helper()
	_, _, err := b.PutSubscription(t.Context(), "operator", entitlements.SubscriptionID(id), entitlements.SubscriptionChange{
		User: user, Plan: plan, State: entitlements.SubscriptionActive, PaidThrough: b.clock.Now().Add(paid),
	})
	if err != nil {
		t.Fatal("put subscription:", err)
	}
}

func TestReconcileReturnsCurrentEntitlements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	d := b.link(t, user)

	document := b.refresh(t, d)
	if document.State != entitlements.StateNone || len(document.Features) != 0 || document.Reason != nil || document.PaidThrough != nil {
		t.Errorf("without a subscription: %+v", document)
	}
	if got := time.Unix(document.ExpiresAt, 0).Sub(b.clock.Now()); got != 7*24*time.Hour {
		t.Errorf("without a subscription the document lives %v", got)
	}

	trial, revision, err := b.StartTrial(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	document = b.refresh(t, d)
	if document.State != entitlements.StateActive || len(document.Features) != 2 || document.Revision != revision || document.Plans[0] != "premium" {
		t.Errorf("in the trial: %+v", document)
	}
	if document.Subject != user || document.Device != d.id || document.Confirmation.JKT != d.jkt || document.Proof != fmt.Sprintf("%s-%d", d.id, d.proofs) {
		t.Errorf("bound to somebody else: %+v", document)
	}
	if document.RefreshAfter-document.IssuedAt != 24*3600 {
		t.Errorf("refresh after %d s", document.RefreshAfter-document.IssuedAt)
	}
	if _, _, err := b.StartTrial(t.Context(), user); !errors.Is(err, entitlements.ErrConflict) {
		t.Errorf("a second trial: %v", err)
	}

	// The window is 7 days; paid time and grace end before it, so they determine the document's end, to the second. The
	// trial alone has no grace.
	b.subscribe(t, user, "sub-"+string(user), 14*24*time.Hour)
	b.clock.Advance(13 * 24 * time.Hour)
	document = b.refresh(t, d)
	if want := trial.PaidThrough.Add(3 * 24 * time.Hour); document.ExpiresAt != want.Unix() {
		t.Errorf("ends at %d, want %d", document.ExpiresAt, want.Unix())
	}
	if document.RefreshAfter != document.IssuedAt+24*3600 {
		t.Errorf("refresh after %d s", document.RefreshAfter-document.IssuedAt)
	}
	b.clock.Advance(25 * time.Hour)
	if document = b.refresh(t, d); document.State != entitlements.StateGrace || len(document.Features) != 2 {
		t.Errorf("after the paid time: %+v", document)
	}
	b.clock.Advance(3 * 24 * time.Hour)
	if document = b.refresh(t, d); document.State != entitlements.StateExpired || *document.Reason != entitlements.ReasonLapsed || len(document.Features) != 0 {
		t.Errorf("after the grace: %+v", document)
	}
}

func TestKeysetEndBoundsEveryDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 1000*24*time.Hour)
	d := b.link(t, user)
	b.clock.Advance(entitlements.KeysetLife - 24*time.Hour)
	if document := b.refresh(t, d); document.ExpiresAt != b.keys.Keyset.ExpiresAt {
		t.Errorf("ends at %d, the keyset at %d", document.ExpiresAt, b.keys.Keyset.ExpiresAt)
	}
	b.clock.Advance(24 * time.Hour)
	if _, err := d.reconcile(t.Context(), b.Service); !errors.Is(err, entitlements.ErrKeysetEnded) {
		t.Errorf("after the keyset's end: %v", err)
	}
}

func TestRevokeAndReinstate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d, idle := b.link(t, user), b.link(t, user)
	held := b.refresh(t, d)

	r, err := b.Revoke(t.Context(), "operator", "sub", "chargeback")
	if err != nil {
		t.Fatal(err)
	}
	if r.OfflineUntil == nil || r.OfflineUntil.Unix() != held.ExpiresAt {
		t.Errorf("offline until %v, the document ends at %d", r.OfflineUntil, held.ExpiresAt)
	}
	if len(r.Devices) != 1 || r.Devices[0].ID != d.id {
		t.Errorf("devices with documents: %+v; %s never had one", r.Devices, idle.id)
	}
	again, err := b.Revoke(t.Context(), "operator", "sub", "chargeback")
	if err != nil || again.Revision != r.Revision || !again.OfflineUntil.Equal(*r.OfflineUntil) {
		t.Errorf("revoked again: %+v, %v", again, err)
	}
	document := b.refresh(t, d)
	if document.State != entitlements.StateRevoked || *document.Reason != entitlements.ReasonRevoked || len(document.Features) != 0 || document.Revision != r.Revision {
		t.Errorf("after the revoke: %+v", document)
	}
	if document.Status == held.Status {
		t.Error("the lost features' status index is still in use")
	}
	var status int
	if err := b.db.Get(&status, `SELECT status FROM status_entries WHERE idx = $1`, held.Status.StatusList.Index); err != nil || status != 1 {
		t.Errorf("status of the index that was held: %d, %v", status, err)
	}

	// Billing does not undo it.
	b.subscribe(t, user, "sub", 60*24*time.Hour)
	if document = b.refresh(t, d); document.State != entitlements.StateRevoked {
		t.Errorf("after a put: %+v", document)
	}
	if _, _, err := b.Reinstate(t.Context(), "operator", "sub", "mistake"); err != nil {
		t.Fatal(err)
	}
	if document = b.refresh(t, d); document.State != entitlements.StateActive || len(document.Features) != 2 {
		t.Errorf("after reinstating: %+v", document)
	}

	entries, err := b.Audit(t.Context(), entitlements.AuditQuery{User: user, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, entry := range entries {
		actions = append(actions, entry.Action)
		if entry.Action == "subscription.revoke" && (entry.Reason != "chargeback" || !strings.Contains(string(entry.After), `"revoked": true`)) {
			t.Errorf("audit: %+v", entry)
		}
	}
	want := "subscription.reinstate subscription.put subscription.revoke device.linked device.linked subscription.put"
	if got := strings.Join(actions, " "); got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

// TestRevocationReportsToldDevices asks for the progress before and after a revocation: asking changes nothing, and a
// device that holds a document counts as told from its first document after the revocation on, whatever that contains.
func TestRevocationReportsToldDevices(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d, lost, idle := b.link(t, user), b.link(t, user), b.link(t, user)
	held := map[entitlements.DeviceID]int64{d.id: b.refresh(t, d).ExpiresAt}
	b.clock.Advance(time.Hour)
	held[lost.id] = b.refresh(t, lost).ExpiresAt
	if err := b.RevokeDevice(t.Context(), "operator", lost.user, lost.id, "lost"); err != nil {
		t.Fatal(err)
	}
	ask := func() entitlements.Revocation {
		t.Helper()
		r, err := b.Revocation(t.Context(), "sub")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before, again := ask(), ask()
	if len(before.Devices) != 2 || before.OfflineUntil == nil || before.OfflineUntil.Unix() != held[lost.id] || before.Subscription.Revoked {
		t.Errorf("before: %+v; %s never had a document", before, idle.id)
	}
	for _, holder := range before.Devices {
		if holder.DocumentExpiresAt.Unix() != held[holder.ID] || holder.LastReconciledAt == nil || holder.Removed != (holder.ID == lost.id) {
			t.Errorf("before: %+v", holder)
		}
		if holder.DocumentRevision == nil || *holder.DocumentRevision >= before.Revision {
			t.Errorf("before: told of a change that came after its document: %+v", holder)
		}
	}
	r, err := b.Revoke(t.Context(), "operator", "sub", "chargeback")
	if err != nil || again.Revision != before.Revision || r.Revision != before.Revision+1 || len(r.Devices) != 2 || !r.OfflineUntil.Equal(*before.OfflineUntil) {
		t.Errorf("asked twice, then revoked: %+v, %+v, %v", again, r, err)
	}
	told := func() (ids []entitlements.DeviceID) {
		t.Helper()
		now := ask()
		if !now.Subscription.Revoked || !now.OfflineUntil.Equal(*r.OfflineUntil) || len(now.Devices) != 2 {
			t.Errorf("after: %+v", now)
		}
		for _, holder := range now.Devices {
			if holder.DocumentRevision != nil && *holder.DocumentRevision >= r.Revision {
				ids = append(ids, holder.ID)
			}
		}
		return ids
	}
	if ids := told(); len(ids) != 0 {
		t.Errorf("told before they asked: %v", ids)
	}
	b.refresh(t, lost)
	if ids := told(); len(ids) != 1 || ids[0] != lost.id {
		t.Errorf("told: %v, want the removed one", ids)
	}
	b.refresh(t, d)
	if ids := told(); len(ids) != 2 {
		t.Errorf("told: %v", ids)
	}
	b.clock.Advance(7 * 24 * time.Hour)
	if ended := ask(); len(ended.Devices) != 0 || ended.OfflineUntil != nil {
		t.Errorf("after the end of every document: %+v", ended)
	}
	if _, err := b.Revocation(t.Context(), "another"); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("a subscription that is not there: %v", err)
	}
}

func TestSuspensionReturnsToTheSameIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)
	status := func() (status int) {
		t.Helper()
		if err := b.db.Get(&status, `SELECT status FROM status_entries WHERE list = 0 AND idx = $1`, held.Status.StatusList.Index); err != nil {
			t.Fatal(err)
		}
		return status
	}
	if _, err := b.Suspend(t.Context(), "operator", "sub", "test"); err != nil {
		t.Fatal(err)
	}
	document := b.refresh(t, d)
	if *document.Reason != entitlements.ReasonSuspended || len(document.Features) != 0 || status() != 2 {
		t.Errorf("suspended: %+v, status %d", document, status())
	}
	if _, err := b.PutPlan(t.Context(), "operator", entitlements.Plan{
		ID: "basic", Features: map[string]entitlements.Feature{"notes": {Offline: true, Limit: new(int64(9))}}, DeviceLimit: 5,
	}, "", nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.PutSubscription(t.Context(), "operator", "lesser", entitlements.SubscriptionChange{
		User: user, Plan: "basic", State: entitlements.SubscriptionActive, PaidThrough: b.clock.Now().Add(24 * time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	if status() != 2 {
		t.Errorf("a lesser subscription lifted the suspension's status: %d", status())
	}
	if _, _, err := b.Reinstate(t.Context(), "operator", "sub", "test"); err != nil {
		t.Fatal(err)
	}
	if document = b.refresh(t, d); document.Status != held.Status || status() != 0 {
		t.Errorf("reinstated: %+v, status %d", document.Status, status())
	}
	if _, err := b.Suspend(t.Context(), "operator", "sub", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Revoke(t.Context(), "operator", "sub", "test"); err != nil {
		t.Fatal(err)
	}
	if status() != 1 {
		t.Errorf("revoked while suspended: status %d", status())
	}
	if _, _, err := b.Reinstate(t.Context(), "operator", "sub", "test"); err != nil {
		t.Fatal(err)
	}
	if status() != 1 {
		t.Errorf("INVALID has not been final: status %d", status())
	}
}

// TestNoDocumentOutlivesARevoke lets devices reconcile on two replicas without a pause while subscriptions are revoked.
func TestNoDocumentOutlivesARevoke(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replicas := []*entitlements.Service{b.Service, b.replica(t)}
	for round := range 10 {
		user := b.user(t)
		id := entitlements.SubscriptionID(fmt.Sprintf("sub-%d", round))
		b.subscribe(t, user, string(id), 30*24*time.Hour)
		var (
			wg        sync.WaitGroup
			mu        sync.Mutex
			latest    int64 // end of the last document with features
			answered  atomic.Bool
			afterward atomic.Int64
		)
		reconciled := make(chan struct{}, 400)
		for i := range 4 {
			d := b.link(t, user)
			wg.Go(func() {
				for n := 0; n < 100 && afterward.Load() < 20; n++ {
					b.clock.Advance(time.Second)
					begun := answered.Load()
					r, err := d.reconcile(t.Context(), replicas[(i+n)%2])
					if err != nil {
						t.Error("reconcile:", err)
						return
					}
					d.lineage = r.Lineage
					reconciled <- struct{}{}
					document, err := b.verifier.Verify(r.Document, time.Unix(r.ServerTime.Unix(), 0))
					if err != nil {
						t.Error("verify:", err)
						return
					}
					if begun {
						afterward.Add(1)
					}
					if len(document.Features) == 0 {
						continue
					}
					if begun {
						t.Error("a reconcile that began after the revoke had answered gave features")
					}
					mu.Lock()
					latest = max(latest, document.ExpiresAt)
					mu.Unlock()
				}
			})
		}
		for range round * 3 { // each round hits another moment
			<-reconciled
		}
		r, err := b.Revoke(t.Context(), "operator", id, "test")
		answered.Store(true)
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if latest > 0 && (r.OfflineUntil == nil || latest > r.OfflineUntil.Unix()) {
			t.Errorf("a document ends at %d, after offline_until %v", latest, r.OfflineUntil)
		}
	}
}

// TestSkewIsCounted checks that a device's permitted clock correction is in its document and in what support is shown, and
// is at most a day, whatever the device claims.
func TestSkewIsCounted(t *testing.T) {
	t.Parallel()
	const hour, day = int64(3600), int64(86_400)
	for name, test := range map[string]struct {
		ahead time.Duration
		skew  int64
	}{
		"right":              {0, 0},
		"eight hours ahead":  {8 * time.Hour, 8 * hour},
		"eight hours behind": {-8 * time.Hour, -8 * hour},
		"a day ahead":        {24 * time.Hour, day},
		"eight days ahead":   {8 * 24 * time.Hour, day},
		"a year behind":      {-365 * 24 * time.Hour, -day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			user := b.user(t)
			b.subscribe(t, user, "sub", 30*24*time.Hour)
			d := b.link(t, user)
			d.ahead = test.ahead
			document := b.refresh(t, d)
			if want := b.clock.Now().Add(7 * 24 * time.Hour).Unix(); document.Skew != test.skew || document.ExpiresAt != want {
				t.Errorf("skew %d, exp %d, want %d and %d", document.Skew, document.ExpiresAt, test.skew, want)
			}
			want := document.ExpiresAt + max(test.skew, -test.skew)
			r, err := b.Revoke(t.Context(), "operator", "sub", "test")
			if err != nil {
				t.Fatal(err)
			}
			if r.OfflineUntil == nil || r.OfflineUntil.Unix() != want {
				t.Errorf("offline_until %v, want %v", r.OfflineUntil, time.Unix(want, 0).UTC())
			}
		})
	}
}

// TestLostSkewIsCounted checks that a document whose commit was lost counts with the largest skew.
func TestLostSkewIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	b.refresh(t, d)
	b.db.MustExec(`UPDATE devices SET lineage_n = 0, lineage_parent = decode(repeat('00', 16), 'hex'), document_bound = NULL WHERE id = $1`, d.id)
	b.refresh(t, d)
	bound := devices(t, b, user)[0].DocumentExpiresAt
	if want := b.clock.Now().Add(8 * 24 * time.Hour); bound == nil || !bound.Equal(want) {
		t.Errorf("document_bound %v, want %v", bound, want)
	}
}

// TestReconcileRacesErasure checks that an account erased after a reconcile has read it, and before it writes, makes the
// device unknown.
func TestReconcileRacesErasure(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, lost := range map[string]string{
		"a step":       `SELECT $1::uuid`,
		"lost commits": `UPDATE devices SET lineage_n = 0, lineage_parent = decode(repeat('00', 16), 'hex') WHERE id = $1`,
	} {
		user := b.user(t)
		d := b.link(t, user)
		b.refresh(t, d)
		b.refresh(t, d)
		b.db.MustExec(lost, d.id)
		erasure := b.db.MustBegin()
		erasure.MustExec(`SELECT FROM users WHERE id = $1 FOR UPDATE`, user)
		erasure.MustExec(`SELECT FROM devices WHERE user_id = $1 FOR UPDATE`, user)
		answered := make(chan error, 1)
		go func() {
			_, err := d.reconcile(t.Context(), b.Service)
			answered <- err
		}()
		waits := `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		for deadline := time.Now().Add(30 * time.Second); b.count(t, waits) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the reconcile does not wait", name)
			}
		}
		erasure.MustExec(`DELETE FROM users WHERE id = $1`, user)
		if err := erasure.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-answered; !errors.Is(err, entitlements.ErrDeviceUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStandingHoldsEachSubscriptionAndPasskeyOnce reads accounts with none, one and several of each: the same subscriptions
// and plans as an account's own read, and the passkeys ordered by id.
func TestStandingHoldsEachSubscriptionAndPasskeyOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.MustExec(`INSERT INTO plans (id, features, window_seconds, grace_seconds, device_limit, rank, updated_at)
		VALUES ('plus', '{"notes": {"offline": true, "limit": 5}}', 3600, 60, 3, 5, now())`)
	for _, counts := range [][2]int{{0, 0}, {0, 3}, {2, 0}, {1, 1}, {3, 2}} {
		user := b.user(t)
		d := b.link(t, user)
		for i := range counts[0] { // the younger one has the lower id
			b.db.MustExec(`INSERT INTO subscriptions (user_id, id, plan, state, paid_through, ends, revoked, disputes, withdrawn_at, created_at, updated_at)
				VALUES ($1, $2, $3, 'active', $4, true, $5, $6, CASE WHEN $5 THEN $4::timestamptz END, $4, $4)`,
				user, fmt.Sprint("sub-", 9-i), []string{"premium", "plus"}[i%2], b.clock.Now().Add(time.Duration(i)*time.Hour), i == 1,
				[]string{`[]`, `[{"id": "dp_1", "status": "won", "at": 5, "withholds": "nothing"}]`}[i%2])
		}
		var want []entitlements.OfflinePasskey
		for i := range counts[1] {
			id, jwk := []byte{byte(9 - i)}, fmt.Sprintf(`{"n": %d}`, i)
			b.db.MustExec(`INSERT INTO passkeys (user_id, credential_id, rp_id, name, public_key, public_jwk, aaguid, sign_count, backup_eligible,
				backup_state, created_at) VALUES ($1, $2, 'app.example.com', 'Key', '', $3, gen_random_uuid(), 0, false, false, $4)`,
				user, id, jwk, b.clock.Now().Add(time.Duration(i)*time.Hour))
			want = append([]entitlements.OfflinePasskey{{ID: jose.EncodeBase64(id), JWK: []byte(jwk)}}, want...)
		}
		account, err := b.store.Account(t.Context(), user, b.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		account.Devices = nil
		standing, err := b.store.Standing(t.Context(), user, d.id, d.jkt, "app.example.com")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(standing.Account, account) || len(account.Subscriptions) != counts[0] {
			t.Errorf("%v: the account is %+v, want %+v", counts, standing.Account, account)
		}
		if !reflect.DeepEqual(standing.Passkeys, want) {
			t.Errorf("%v: the passkeys are %s, want %s", counts, standing.Passkeys, want)
		}
		rows := b.count(t, `SELECT count(*) FROM (`+sql.ReadStanding+`) rows`, user, d.id, d.jkt, "app.example.com")
		if rows > max(counts[0]+counts[1], 1) {
			t.Errorf("%v: %d rows", counts, rows)
		}
	}
}

// TestStepIsConditional changes each part of what a reconcile has read before it stores its step: then nothing is stored.
func TestStepIsConditional(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, between := range map[string]string{
		"nothing":                     `SELECT $1::uuid`,
		"a change of the account":     `UPDATE devices SET revision = revision + 1 WHERE id = $1`,
		"another step":                `UPDATE devices SET lineage_n = lineage_n + 1 WHERE id = $1`,
		"a step of another copy":      `UPDATE devices SET lineage_parent = '\xffffffffffffffffffffffffffffffff' WHERE id = $1`,
		"quarantine":                  `UPDATE devices SET forked_at = now() WHERE id = $1`,
		"removal":                     `UPDATE devices SET removed_at = now() WHERE id = $1`,
		"a bound raised by a sibling": `UPDATE devices SET document_bound = '2100-01-01Z', document_revision = 1000 WHERE id = $1`,
	} {
		user := b.user(t)
		d := b.link(t, user)
		read, err := b.store.Standing(t.Context(), user, d.id, d.jkt, "app.example.com")
		if err != nil {
			t.Fatal(err)
		}
		b.db.MustExec(between, d.id)
		before := devices(t, b, user)
		step := entitlements.Step{Lineage: entitlements.Lineage{N: 1, Parent: entitlements.Tag{1}}, DocumentRevision: 5, ReconciledAt: new(b.clock.Now())}
		step.DocumentExpiresAt = new(b.clock.Now().Add(time.Hour))
		stored, err := b.store.Step(t.Context(), read, step)
		if err != nil {
			t.Fatal(err)
		}
		after := devices(t, b, user)
		switch name {
		case "nothing":
			if !stored || after[0].Lineage != step.Lineage || *after[0].DocumentRevision != 5 || after[0].DocumentExpiresAt == nil {
				t.Errorf("%s came between, and it is %+v", name, after)
			}
		case "a bound raised by a sibling":
			if !stored || *after[0].DocumentRevision != 1000 || after[0].DocumentExpiresAt.Year() != 2100 {
				t.Errorf("%s went back: %+v", name, after)
			}
		default:
			if stored || !reflect.DeepEqual(before, after) {
				t.Errorf("%s came between, and it was stored: %+v", name, after)
			}
		}
	}
}

func TestForkedDevice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)
	thief := *d
	b.refresh(t, d)
	b.refresh(t, d)

	_, err := thief.reconcile(t.Context(), b.Service)
	var stale *entitlements.NonceError
	if !errors.As(err, &stale) || !errors.Is(err, dpop.ErrUseNonce) {
		t.Fatalf("a stale token: %v", err)
	}
	// The nonce returns in a real proof.
	thief.nonce = boundNonce(t, b, &thief, stale.Nonce)
	_, err = thief.reconcile(t.Context(), b.Service)
	var forked *entitlements.ForkedError
	if !errors.As(err, &forked) {
		t.Fatalf("a stale token under its nonce: %v", err)
	}
	document := b.verify(t, forked.Reconciled.Document)
	if len(document.Features) != 0 || *document.Reason != entitlements.ReasonDeviceForked || forked.Reconciled.Lineage != "" {
		t.Errorf("quarantined: %+v", document)
	}
	if _, err := d.reconcile(t.Context(), b.Service); !errors.As(err, &forked) {
		t.Errorf("the other copy: %v", err)
	}
	status := b.count(t, `SELECT status FROM status_entries WHERE list = 0 AND idx = $1`, held.Status.StatusList.Index)
	audited := b.count(t, `SELECT count(*) FROM audit WHERE action = 'device.forked' AND user_id = $1`, user)
	if status != 1 || audited != 1 {
		t.Errorf("status %d, audited %d times", status, audited)
	}
	// One tap links again in its place, and five devices can be linked.
	if _, err := b.Link(t.Context(), user, dpop.Proof{JKT: "anew", JTI: "x"}, entitlements.LinkRequest{Name: "Laptop", Cookie: d.id}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		b.link(t, user)
	}
}

// TestUnsignableChangesAreNotStored checks that a server that must not sign stores nothing: no step, no quarantine, and no
// consequence of lost commits.
func TestUnsignableChangesAreNotStored(t *testing.T) {
	t.Parallel()
	for cause, hinder := range map[string]func(t *testing.T, b *bench) error{
		"clock far from the database's": func(t *testing.T, b *bench) error {
			if err := b.CheckClock(t.Context()); !errors.Is(err, entitlements.ErrClockOff) { // its clock is the machine's
				t.Fatal(err)
			}
			return entitlements.ErrClockOff
		},
		"clock before the keys": func(_ *testing.T, b *bench) error {
			b.clock.Advance(-24 * time.Hour)
			return entitlements.ErrBeforeKeys
		},
		"keyset ended": func(_ *testing.T, b *bench) error {
			b.clock.Advance(entitlements.KeysetLife)
			return entitlements.ErrKeysetEnded
		},
		"no private key": func(t *testing.T, b *bench) error {
			keys := b.keys
			keys.Signing = nil
			if err := b.TakeKeys(t.Context(), keys); err != nil {
				t.Fatal(err)
			}
			return nil
		},
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			user := b.user(t)
			b.subscribe(t, user, "sub", 30*24*time.Hour)
			ordinary, copied, restored := b.link(t, user), b.link(t, user), b.link(t, user)
			b.refresh(t, copied)
			thief := *copied
			b.refresh(t, copied)
			b.refresh(t, copied)
			var stale *entitlements.NonceError
			if _, err := thief.reconcile(t.Context(), b.Service); !errors.As(err, &stale) {
				t.Fatal(err)
			}
			thief.nonce = boundNonce(t, b, &thief, stale.Nonce)
			b.refresh(t, restored)
			b.db.MustExec(`UPDATE devices SET lineage_n = 0, lineage_parent = DEFAULT WHERE id = $1`, restored.id)

			want := hinder(t, b)
			stored := func() (rows []string) {
				t.Helper()
				if err := b.db.Select(&rows, `
					SELECT devices::text FROM devices UNION ALL SELECT audit::text FROM audit UNION ALL SELECT users::text FROM users
					ORDER BY 1`); err != nil {
					t.Fatal(err)
				}
				return rows
			}
			before := stored()
			for what, d := range map[string]*device{"an ordinary device": ordinary, "a copied one": &thief, "one of lost commits": restored} {
				if _, err := d.reconcile(t.Context(), b.Service); err == nil || want != nil && !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			if after := stored(); !reflect.DeepEqual(before, after) {
				t.Errorf("stored:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
			}
		})
	}
}

func boundNonce(t *testing.T, b *bench, d *device, nonce string) []byte {
	t.Helper()
	binding := b.binding(t, nonce)
	id := uuid.MustParse(string(d.id))
	if string(binding[:16]) != string(id[:]) || binary.BigEndian.Uint64(binding[16:]) != 3 {
		t.Errorf("bound to %x", binding)
	}
	return binding
}

// binding returns what a nonce is bound to.
func (b *bench) binding(t *testing.T, nonce string) []byte {
	t.Helper()
	var secret []byte
	if err := b.db.Get(&secret, `SELECT value FROM secrets WHERE name = 'nonce'`); err != nil {
		t.Fatal(err)
	}
	nonces, err := dpop.NewNonces(secret, b.clock.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := nonces.Check(dpop.Proof{Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	return proof.Binding
}

func TestRestoredDatabaseCatchesUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	b.refresh(t, d)
	var n int64
	var parent []byte
	if err := b.db.QueryRow(`SELECT lineage_n, lineage_parent FROM devices WHERE id = $1`, d.id).Scan(&n, &parent); err != nil {
		t.Fatal(err)
	}
	yesterday := b.count(t, `SELECT revision FROM users WHERE id = $1`, user)
	for range 3 {
		if _, err := b.Suspend(t.Context(), "operator", "sub", "test"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Reinstate(t.Context(), "operator", "sub", "test"); err != nil {
			t.Fatal(err)
		}
		b.refresh(t, d)
	}
	today := b.refresh(t, d).Revision
	b.clock.Advance(time.Hour)
	b.db.MustExec(`UPDATE devices SET document_bound = $2 WHERE id = $1`, d.id, b.clock.Now())
	b.subscribe(t, user, "sub", -2*24*time.Hour) // less is left now than was granted
	b.db.MustExec(`UPDATE devices SET lineage_n = $2, lineage_parent = $3, revision = $4 WHERE id = $1`, d.id, n, parent, yesterday)
	b.db.MustExec(`UPDATE users SET revision = $2 WHERE id = $1`, user, yesterday)

	if document := b.refresh(t, d); document.Revision != today || document.State != entitlements.StateGrace {
		t.Errorf("after the restore: revision %d, was %d", document.Revision, today)
	}
	// Documents issued since the backup are unknown, so the bound is the latest that any document can have.
	if bound, want := devices(t, b, user)[0].DocumentExpiresAt, b.clock.Now().Add(7*24*time.Hour); bound == nil || bound.Before(want) {
		t.Errorf("after the restore the bound is %v, want at least %v", bound, want)
	}
	b.refresh(t, d)
	revision := b.count(t, `SELECT revision FROM users WHERE id = $1`, user)
	audited := b.count(t, `SELECT count(*) FROM audit WHERE action = 'gap.found' AND user_id = $1`, user)
	if int64(revision) != today || audited != 1 {
		t.Errorf("revision %d, want %d; audited %d times", revision, today, audited)
	}
}

func TestRefusedReconciles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, other := b.link(t, b.user(t)), b.link(t, b.user(t))
	request := entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage}
	flipped := []byte(d.lineage)
	flipped[40] ^= 1
	tests := map[string]struct {
		jkt     string
		request entitlements.ReconcileRequest
		want    error
	}{
		"unknown device":       {d.jkt, entitlements.ReconcileRequest{Device: entitlements.DeviceID(uuid.NewString()), Lineage: d.lineage}, entitlements.ErrDeviceUnknown},
		"another's key":        {other.jkt, request, entitlements.ErrDeviceUnknown},
		"another's device":     {d.jkt, entitlements.ReconcileRequest{Device: other.id, Lineage: other.lineage}, entitlements.ErrDeviceUnknown},
		"another's lineage":    {d.jkt, entitlements.ReconcileRequest{Device: d.id, Lineage: other.lineage}, entitlements.ErrLineageInvalid},
		"no lineage":           {d.jkt, entitlements.ReconcileRequest{Device: d.id}, entitlements.ErrLineageInvalid},
		"a changed lineage":    {d.jkt, entitlements.ReconcileRequest{Device: d.id, Lineage: string(flipped)}, entitlements.ErrLineageInvalid},
		"a lineage and more":   {d.jkt, entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage + "AA"}, entitlements.ErrLineageInvalid},
		"padding":              {d.jkt, entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage + "="}, entitlements.ErrLineageInvalid},
		"a ledger":             {d.jkt, entitlements.ReconcileRequest{Device: d.id, Lineage: d.lineage, Ledger: "x"}, entitlements.ErrLedgerInvalid},
		"a ledger, no lineage": {d.jkt, entitlements.ReconcileRequest{Device: d.id, Ledger: "x"}, entitlements.ErrLineageInvalid},
		"a ledger, no device":  {other.jkt, entitlements.ReconcileRequest{Device: d.id, Ledger: "x"}, entitlements.ErrDeviceUnknown},
	}
	for name, test := range tests {
		if _, err := b.Reconcile(t.Context(), dpop.Proof{JKT: test.jkt, JTI: "x"}, test.request); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	b.refresh(t, d)
}

func TestLink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, stranger := b.user(t), b.user(t)
	link := func(user entitlements.UserID, jkt string, request entitlements.LinkRequest) (entitlements.Linked, error) {
		if request.Name == "" {
			request.Name = "Phone"
		}
		return b.Link(t.Context(), user, dpop.Proof{JKT: jkt, JTI: "x"}, request)
	}
	first := b.link(t, user)
	b.clock.Advance(time.Second)
	again, err := link(user, first.jkt, entitlements.LinkRequest{})
	if err != nil || again.Device != first.id {
		t.Fatalf("the same key again: %+v, %v", again, err)
	}
	if _, err := link(stranger, first.jkt, entitlements.LinkRequest{}); !errors.Is(err, entitlements.ErrConflict) {
		t.Errorf("somebody else's key: %v", err)
	}
	first.lineage = again.Lineage
	b.refresh(t, first)
	if _, err := link(user, first.jkt, entitlements.LinkRequest{}); !errors.Is(err, entitlements.ErrConflict) {
		t.Errorf("a key that has reconciled: %v", err)
	}
	if _, err := link(user, "new", entitlements.LinkRequest{Name: "\x00"}); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := link(stranger, "new", entitlements.LinkRequest{Replaces: first.id}); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("replacing another's device: %v", err)
	}
	if _, err := link(stranger, "new", entitlements.LinkRequest{Cookie: first.id}); err != nil {
		t.Errorf("another's device in the cookie: %v", err)
	}
	b.refresh(t, first)

	for len(devices(t, b, user)) < entitlements.DefaultDeviceLimit {
		b.link(t, user)
		b.clock.Advance(time.Second)
	}
	var limit *entitlements.DeviceLimitError
	if _, err := link(user, "sixth", entitlements.LinkRequest{}); !errors.As(err, &limit) || len(limit.Devices) != 5 || limit.Devices[0].ID != first.id {
		t.Errorf("over the limit: %v", err)
	}
	replaced, err := link(user, "sixth", entitlements.LinkRequest{Cookie: first.id})
	if err != nil {
		t.Fatal("replacing by the cookie:", err)
	}
	document := b.refresh(t, first)
	if *document.Reason != entitlements.ReasonDeviceRemoved || len(document.Features) != 0 {
		t.Errorf("the replaced device: %+v", document)
	}
	if err := b.Unlink(t.Context(), "user:"+string(user), stranger, replaced.Device); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("unlinking another's device: %v", err)
	}

	// Twenty concurrent links: the limit holds.
	crowd := b.user(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := link(crowd, fmt.Sprint("crowd", i), entitlements.LinkRequest{}); err != nil && !errors.As(err, new(*entitlements.DeviceLimitError)) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(devices(t, b, crowd)); n != entitlements.DefaultDeviceLimit {
		t.Errorf("%d devices", n)
	}
}

func devices(t *testing.T, b *bench, user entitlements.UserID) []entitlements.Device {
	t.Helper()
	devices, err := b.Devices(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return devices
}

func TestRemovedDeviceKeepsItsBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)
	if err := b.RevokeDevice(t.Context(), "operator", d.user, d.id, "lost on a train"); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Hour)
	if document := b.refresh(t, d); len(document.Features) != 0 || *document.Reason != entitlements.ReasonDeviceRemoved {
		t.Errorf("a removed device: %+v", document)
	}
	r, err := b.Revoke(t.Context(), "operator", "sub", "test")
	if err != nil || r.OfflineUntil == nil || r.OfflineUntil.Unix() != held.ExpiresAt {
		t.Errorf("its document counts: %+v, %v", r, err)
	}
}

func TestPutSubscription(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, stranger := b.user(t), b.user(t)
	put := func(id string, change entitlements.SubscriptionChange) (int64, error) {
		_, revision, err := b.PutSubscription(t.Context(), "operator", entitlements.SubscriptionID(id), change)
		return revision, err
	}
	good := entitlements.SubscriptionChange{ExternalID: "ext-" + string(user), Plan: "premium", State: "active", PaidThrough: b.clock.Now().Add(time.Hour)}
	first, err := put("billing:1", good)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := put("billing:1", good); err != nil || same != first {
		t.Errorf("the same again: revision %d after %d, %v", same, first, err)
	}
	tests := map[string]struct {
		id     string
		change func(*entitlements.SubscriptionChange)
		want   error
	}{
		"another user": {"billing:1", func(c *entitlements.SubscriptionChange) { c.ExternalID, c.User = "", stranger }, entitlements.ErrConflict},
		"unknown user": {"billing:2", func(c *entitlements.SubscriptionChange) {
			c.ExternalID, c.User = "", entitlements.UserID(uuid.NewString())
		}, entitlements.ErrUserUnknown},
		"unknown reference": {"billing:2", func(c *entitlements.SubscriptionChange) { c.ExternalID = "nobody" }, entitlements.ErrUserUnknown},
		"both references":   {"billing:2", func(c *entitlements.SubscriptionChange) { c.User = user }, entitlements.ErrInvalid},
		"unknown plan":      {"billing:2", func(c *entitlements.SubscriptionChange) { c.Plan = "gold" }, entitlements.ErrPlanUnknown},
		"unknown state":     {"billing:2", func(c *entitlements.SubscriptionChange) { c.State = "revoked" }, entitlements.ErrInvalid},
		"year 10000 in UTC": {"billing:2", func(c *entitlements.SubscriptionChange) {
			c.PaidThrough = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
		}, entitlements.ErrInvalid},
		"no time": {"billing:2", func(c *entitlements.SubscriptionChange) { c.PaidThrough = time.Time{} }, entitlements.ErrInvalid},
		"bad id":  {"billing 2", func(*entitlements.SubscriptionChange) {}, entitlements.ErrInvalid},
	}
	for name, test := range tests {
		change := good
		test.change(&change)
		if _, err := put(test.id, change); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestGrant checks that granted days follow the existing days of the plan, and that taking them back restores the previous
// state.
func TestGrant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	grant := func(plan entitlements.PlanID, days int, reason string) (entitlements.Subscription, int64, error) {
		return b.Grant(t.Context(), "token:1", user, entitlements.GrantRequest{Plan: plan, Days: days, Reason: reason})
	}
	const day = 24 * time.Hour
	first, revision, err := grant("premium", 3, "an outage of ours")
	if err != nil || !first.PaidThrough.Equal(b.clock.Now().Add(3*day)) || first.State != entitlements.SubscriptionCancelled || !strings.HasPrefix(string(first.ID), "grant-") {
		t.Fatalf("without a subscription: %+v, %v", first, err)
	}
	d := b.link(t, user)
	if document := b.refresh(t, d); document.State != entitlements.StateActive || len(document.Features) != 2 || document.Revision <= revision {
		t.Errorf("granted: %+v", document)
	}
	b.subscribe(t, user, "sub", 20*day)
	second, _, err := grant("premium", 366, "goodwill")
	if err != nil || !second.PaidThrough.Equal(b.clock.Now().Add(386*day)) {
		t.Errorf("beside 20 days: %+v, %v", second, err)
	}
	if _, err := b.Revoke(t.Context(), "token:1", second.ID, "undone"); err != nil {
		t.Fatal(err)
	}
	if document := b.refresh(t, d); len(document.Features) != 2 || *document.PaidThrough != b.clock.Now().Add(20*day).Unix() {
		t.Errorf("after the grant was taken back: %+v", document)
	}
	b.clock.Advance(30 * day)
	if third, _, err := grant("premium", 1, "goodwill"); err != nil || !third.PaidThrough.Equal(b.clock.Now().Add(day)) {
		t.Errorf("after the end, beside a grant that was taken back: %+v, %v", third, err)
	}

	if _, _, err := b.PutSubscription(t.Context(), "operator", "sub", entitlements.SubscriptionChange{
		User: user, Plan: "premium", State: entitlements.SubscriptionActive, PaidThrough: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}); err != nil {
		t.Fatal(err)
	}
	for name, refused := range map[string]struct {
		plan   entitlements.PlanID
		days   int
		reason string
		want   error
	}{
		"no days":       {"premium", 0, "x", entitlements.ErrInvalid},
		"too many days": {"premium", 367, "x", entitlements.ErrInvalid},
		"year 10000":    {"premium", 1, "x", entitlements.ErrInvalid},
		"no reason":     {"premium", 1, " ", entitlements.ErrInvalid},
		"unknown plan":  {"gold", 1, "x", entitlements.ErrPlanUnknown},
	} {
		if _, _, err := grant(refused.plan, refused.days, refused.reason); !errors.Is(err, refused.want) {
			t.Errorf("%s: %v, want %v", name, err, refused.want)
		}
	}
	// Billing knows nothing of grants and cannot take one back either.
	if _, _, err := b.PutSubscription(t.Context(), "token:1", first.ID, entitlements.SubscriptionChange{
		User: user, Plan: "premium", State: entitlements.SubscriptionCancelled, PaidThrough: b.clock.Now(),
	}); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("put by billing: %v", err)
	}
	user = entitlements.UserID(uuid.NewString())
	if _, _, err := grant("premium", 1, "x"); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	var reason string
	err = b.db.Get(&reason, `SELECT r.reason FROM audit a JOIN audit_reasons r ON r.audit_id = a.id
		WHERE a.action = 'subscription.grant' AND a.actor = 'token:1' AND a.object = $1 AND a.after->>'state' = 'cancelled'`, "subscription:"+string(first.ID))
	if err != nil || reason != "an outage of ours" {
		t.Errorf("audited: %q, %v", reason, err)
	}
}

func TestPasskeysDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	for i, rp := range []string{"app.example.com", "elsewhere.example.com"} {
		b.db.MustExec(`INSERT INTO passkeys (user_id, credential_id, rp_id, name, public_key, public_jwk, aaguid, sign_count, backup_eligible, backup_state, created_at)
			VALUES ($1, $2, $3, 'Passkey', '\x00', '{"kty":"EC"}', $4, 0, false, false, now())`, user, []byte{1, 2, 250, byte(i)}, rp, uuid.NewString())
	}
	d := b.link(t, user)
	r, err := d.reconcile(t.Context(), b.Service)
	if err != nil {
		t.Fatal(err)
	}
	message, err := jose.Parse(r.Passkeys)
	if err != nil {
		t.Fatal(err)
	}
	var passkeys entitlements.PasskeysDocument
	if err := json.Unmarshal(message.Payload, &passkeys); err != nil {
		t.Fatal(err)
	}
	if len(passkeys.Passkeys) != 1 || passkeys.Passkeys[0].ID != "AQL6AA" || passkeys.RPID != "app.example.com" || passkeys.Device != d.id || passkeys.Subject != user {
		t.Errorf("passkeys: %+v", passkeys)
	}
}

// TestPasskeysDocumentIsSentWhenItDiffers checks also that the held passkeys document never ends before the entitlement
// document.
func TestPasskeysDocumentIsSentWhenItDiffers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 300*24*time.Hour)
	passkey := func(id byte) {
		b.db.MustExec(`INSERT INTO passkeys (user_id, credential_id, rp_id, name, public_key, public_jwk, aaguid, sign_count, backup_eligible, backup_state, created_at)
			VALUES ($1, $2, 'app.example.com', 'Passkey', '\x00', '{"kty":"EC"}', $3, 0, false, false, $4)`, user, []byte{id}, uuid.NewString(), b.clock.Now())
	}
	passkey(1)
	d := b.link(t, user)
	var held entitlements.PasskeysDocument
	reconcile := func(what string) (sent bool) {
		t.Helper()
		r, err := d.reconcile(t.Context(), b.Service)
		if forked := (*entitlements.ForkedError)(nil); errors.As(err, &forked) {
			r, err = forked.Reconciled, nil
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if r.Lineage != "" {
			d.lineage = r.Lineage
		}
		if r.Passkeys != "" {
			sum := sha256.Sum256([]byte(r.Passkeys[:strings.LastIndexByte(r.Passkeys, '.')]))
			d.held = jose.EncodeBase64(sum[:])
			if held, err = b.verifier.VerifyPasskeys(r.Passkeys, b.clock.Now()); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if end := b.verify(t, r.Document).ExpiresAt; held.ExpiresAt < end {
			t.Errorf("%s: the passkeys document held ends at %d, before the document at %d", what, held.ExpiresAt, end)
		}
		return r.Passkeys != ""
	}
	expect := func(what string, sent bool) {
		t.Helper()
		if reconcile(what) != sent {
			t.Errorf("%s: sent: %v, want %v", what, !sent, sent)
		}
	}
	expect("none held", true)
	expect("the same", false)
	passkey(2)
	expect("a passkey more", true)
	expect("the same", false)
	b.db.MustExec(`DELETE FROM passkeys WHERE credential_id = '\x01'`)
	expect("a passkey removed", true)
	if len(held.Passkeys) != 1 || held.Passkeys[0].ID != "Ag" {
		t.Errorf("passkeys: %+v", held.Passkeys)
	}
	d.held = "wrong"
	expect("a wrong digest", true)

	sent := 0
	for range 50 {
		b.clock.Advance(24 * time.Hour)
		if reconcile("a day later") {
			sent++
		}
	}
	if sent < 7 || sent > 8 {
		t.Errorf("sent %d times in 50 days, not once in each offline window", sent)
	}

	proposal, made, err := b.keys.Rotate(rand.Reader, b.clock.Now(), time.Hour, 7*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.keys = changed(t, b.keys, b.clock.Now(), proposal, made)
	b.verifier.Keyset = b.keys.Keyset
	if err := b.TakeKeys(t.Context(), b.keys); err != nil {
		t.Fatal(err)
	}
	expect("a key published", false)
	b.clock.Advance(time.Hour)
	expect("a key whose turn has come", true)
	expect("the same", false)

	b.db.MustExec(`UPDATE devices SET forked_at = now()`)
	expect("a fork", true)
	if len(held.Passkeys) != 0 {
		t.Errorf("passkeys of a fork: %+v", held.Passkeys)
	}
	expect("the same fork", false)
}

// TestShorterPaidTimeWithdrawsTheIndex checks that a document that outlasts the shortened paid time does not stay VALID.
func TestShorterPaidTimeWithdrawsTheIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	b.subscribe(t, user, "sub", 30*24*time.Hour)
	d := b.link(t, user)
	held := b.refresh(t, d)
	b.subscribe(t, user, "sub", 60*24*time.Hour)
	if after := b.refresh(t, d); after.Status != held.Status {
		t.Error("a longer time changed the index")
	}
	b.subscribe(t, user, "sub", 20*24*time.Hour)
	if after := b.refresh(t, d); after.Status != held.Status {
		t.Error("a time that ends after every document changed the index")
	}
	b.subscribe(t, user, "sub", 0)
	if after := b.refresh(t, d); after.Status == held.Status || after.State != entitlements.StateGrace {
		t.Errorf("documents end after paid time and grace, and the index stayed: %+v", after)
	}
	var status int
	if err := b.db.Get(&status, `SELECT status FROM status_entries WHERE idx = $1`, held.Status.StatusList.Index); err != nil || status != 1 {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestReplacingRaisesTheRevisionAndKeepsNoIndex(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.user(t)
	first := b.link(t, user)
	before := b.refresh(t, first).Revision
	if _, err := b.Link(t.Context(), user, dpop.Proof{JKT: "second", JTI: "x"}, entitlements.LinkRequest{Name: "Phone", Replaces: first.id}); err != nil {
		t.Fatal(err)
	}
	if after := b.refresh(t, first); after.Revision != before+1 {
		t.Errorf("revision %d after %d", after.Revision, before)
	}
	var entries int
	if err := b.db.Get(&entries, `SELECT count(*) FROM status_entries`); err != nil || entries != 2 {
		t.Errorf("%d indexes for two devices, %v", entries, err)
	}
}

// TestStoredBound compares the bound that SQL stores with the decision: it is never below the document's end, and equal to
// it for a single subscription.
func TestStoredBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	random := mathrand.New(mathrand.NewPCG(3, 4))
	for _, plan := range []entitlements.Plan{
		{ID: "short", Features: map[string]entitlements.Feature{"maps": {Offline: true}}, Window: 24 * time.Hour, DeviceLimit: 1},
		{ID: "long", Features: map[string]entitlements.Feature{"notes": {Offline: true}}, Window: 2000 * time.Hour, Grace: 90 * time.Hour, DeviceLimit: 1},
	} {
		if _, err := b.PutPlan(t.Context(), "operator", plan, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	states := []entitlements.SubscriptionState{"trialing", "active", "past_due", "cancelled"}
	for range 100 {
		user := b.user(t)
		count := random.IntN(4)
		for i := range count {
			_, _, err := b.PutSubscription(t.Context(), "operator", entitlements.SubscriptionID(fmt.Sprintf("%s.%d", user, i)), entitlements.SubscriptionChange{
				User: user, Plan: []entitlements.PlanID{"premium", "short", "long"}[random.IntN(3)], State: states[random.IntN(4)],
				PaidThrough: b.clock.Now().Add(time.Duration(random.Int64N(int64(400*time.Hour))) - 200*time.Hour),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		document := b.refresh(t, b.link(t, user))
		bound := devices(t, b, user)[0].DocumentExpiresAt
		switch {
		case len(document.Features) == 0:
			if bound != nil {
				t.Errorf("no features, and bound %v", bound)
			}
		case bound == nil || bound.Unix() < document.ExpiresAt:
			t.Errorf("a document ends at %d, the bound is %v", document.ExpiresAt, bound)
		case count == 1 && bound.Unix() != document.ExpiresAt:
			t.Errorf("a document ends at %d, the bound is %v", document.ExpiresAt, bound)
		}
	}
}
