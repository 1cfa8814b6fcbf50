package sql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// outgoing is a bench whose changes are sent to endpoints.
type outgoing struct {
	*bench
	outbox    *sql.Outbox
	endpoints []int64
}

func newOutgoing(t *testing.T, urls ...string) *outgoing {
	t.Helper()
	o := &outgoing{bench: newBench(t)}
	o.outbox = sql.NewOutbox(o.db)
	o.endpoints = o.register(t, urls...)
	return o
}

func (o *outgoing) register(t *testing.T, urls ...string) []int64 {
	t.Helper()
	endpoints := make([]outbox.Endpoint, len(urls))
	for i, url := range urls {
		endpoints[i] = outbox.Endpoint{URL: url + "?token=secret", Shown: url}
	}
	ids, err := o.outbox.Register(t.Context(), endpoints)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (o *outgoing) claim(t *testing.T, endpoint int64, limit int) []outbox.Delivery {
	t.Helper()
	claimed, err := o.outbox.Claim(t.Context(), endpoint, limit, o.clock.Now(), o.clock.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func (o *outgoing) settle(t *testing.T, delivery outbox.Delivery, state outbox.State, failure outbox.Failure) {
	t.Helper()
	now := o.clock.Now()
	result := outbox.Result{User: delivery.User, Delivery: delivery.ID, Attempt: delivery.Attempts, State: state, At: now, Next: now.Add(5 * time.Second), Failure: failure}
	if err := o.outbox.Settle(t.Context(), result); err != nil {
		t.Fatal(err)
	}
}

func (o *outgoing) list(t *testing.T, state outbox.State) []outbox.Delivery {
	t.Helper()
	deliveries, err := o.outbox.Deliveries(t.Context(), outbox.Query{State: state, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

// sweep marks deliveries to removed endpoints dead, and deletes nothing.
func (o *outgoing) sweep(t *testing.T) {
	t.Helper()
	if err := o.outbox.Sweep(t.Context(), time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// TestMessagesPerEndpoint checks that each change of interest is stored once for each endpoint, as ids and enumerations,
// and that other changes, and rolled back ones, are not.
func TestMessagesPerEndpoint(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t, "https://a.example.org/hook", "https://b.example.org/hook")
	other := o.user(t)
	o.link(t, other)
	user := o.user(t)
	d := o.link(t, user)
	o.subscribe(t, user, "billing:1", 30*24*time.Hour)
	o.subscribe(t, user, "billing:1", 30*24*time.Hour) // unchanged
	o.refresh(t, d)
	spent := d.lineage
	o.refresh(t, d)
	for _, change := range []func() error{
		func() error { _, err := o.Revoke(t.Context(), "token:1", "billing:1", "a personal reason"); return err },
		func() error { _, err := o.Revoke(t.Context(), "token:1", "billing:1", "again"); return err },
		func() error { _, _, err := o.Reinstate(t.Context(), "token:1", "billing:1", "personal"); return err },
		func() error { _, err := o.Suspend(t.Context(), "token:1", "billing:1", "personal"); return err },
		func() error { _, _, err := o.StartTrial(t.Context(), user); return err },
		func() error {
			_, _, err := o.Grant(t.Context(), "token:1", user, entitlements.GrantRequest{Plan: "premium", Days: 3, Reason: "personal"})
			return err
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	// A copied profile is detected.
	o.refresh(t, d)
	d.lineage = spent
	_, err := d.reconcile(t.Context(), o.Service)
	stale, ok := errors.AsType[*entitlements.NonceError](err)
	if !ok {
		t.Fatal(err)
	}
	d.nonce = boundNonce(t, o.bench, d, stale.Nonce)
	if _, err := d.reconcile(t.Context(), o.Service); err == nil {
		t.Fatal("not found out")
	}

	first, second := o.claim(t, o.endpoints[0], 100), o.claim(t, o.endpoints[1], 100)
	var told []string
	revision := int64(0)
	for i, delivery := range first {
		if delivery.Message != second[i].Message || string(delivery.Payload) != string(second[i].Payload) || delivery.ID == second[i].ID {
			t.Errorf("one endpoint is told %s, the other %s", delivery.Payload, second[i].Payload)
		}
		if delivery.Endpoint != "https://a.example.org/hook" || delivery.User != string(user) || delivery.State != outbox.Pending || delivery.Attempts != 1 {
			t.Errorf("%+v", delivery)
		}
		var message struct {
			Type      string
			Timestamp time.Time
			Data      struct {
				User, Subscription, Device string
				Revision                   int64
				Before, After              map[string]any
			}
		}
		decoder := json.NewDecoder(strings.NewReader(string(delivery.Payload)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&message); err != nil {
			t.Fatalf("%s: %v", delivery.Payload, err)
		}
		if message.Type != delivery.Type || !message.Timestamp.Equal(o.clock.Now()) || message.Data.User != string(user) || message.Data.Revision <= revision {
			t.Errorf("%s", delivery.Payload)
		}
		revision = message.Data.Revision
		about := message.Data.Subscription
		switch {
		case about == "billing:1":
		case message.Data.Device == string(d.id):
			about = "device"
		default:
			about = "another"
		}
		told = append(told, fmt.Sprintf("%s %s %v->%v", message.Type, about, message.Data.Before["revoked"], message.Data.After["revoked"]))
	}
	want := []string{
		"subscription.changed billing:1 <nil>->false", "subscription.revoked billing:1 false->true", "subscription.changed billing:1 true->false",
		"subscription.changed billing:1 false->false", "subscription.changed another <nil>->false", "subscription.changed another <nil>->false",
		"device.forked device <nil>-><nil>",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
	account, err := o.Account(t.Context(), user)
	if err != nil || account.Revision != revision {
		t.Errorf("the last message says revision %d, the account %d, %v", revision, account.Revision, err)
	}
	for _, delivery := range first {
		for _, secret := range []string{"personal", "Ada", "Phone", "ext-", "token"} {
			if strings.Contains(string(delivery.Payload), secret) {
				t.Errorf("%q is in %s", secret, delivery.Payload)
			}
		}
	}
	if n := o.count(t, `SELECT count(*) FROM webhook_deliveries`); n != 2*len(want) {
		t.Errorf("%d deliveries", n)
	}
	if n := o.count(t, `SELECT count(*) FROM webhook_endpoints e, webhook_deliveries d WHERE position('secret' IN e::text || d::text) > 0`); n != 0 {
		t.Error("the database knows the credentials of a URL")
	}
}

// TestLeases checks that a claimed delivery is exclusive until its lease ends. Then another claim may take it, and the
// earlier claim's result no longer counts, unless it was delivered.
func TestLeases(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t, "https://a.example.org")
	user := o.user(t)
	const messages = 200
	for i := range messages {
		o.subscribe(t, user, "sub", time.Duration(i+1)*time.Hour)
	}
	endpoint := o.endpoints[0]
	var claiming sync.WaitGroup
	var mu sync.Mutex
	claimed := map[string]int{}
	for range 8 {
		claiming.Go(func() {
			for {
				got, err := o.outbox.Claim(t.Context(), endpoint, 7, o.clock.Now(), o.clock.Now().Add(30*time.Second))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				twice := false
				for _, delivery := range got {
					claimed[delivery.ID]++
					twice = twice || claimed[delivery.ID] > 1
				}
				all := len(claimed) == messages
				mu.Unlock()
				if len(got) == 0 && all || twice {
					return
				}
			}
		})
	}
	claiming.Wait()
	for id, times := range claimed {
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}

	o.clock.Advance(30 * time.Second)
	lost := o.claim(t, endpoint, 3)
	if len(lost) != 3 || lost[0].Attempts != 2 {
		t.Fatalf("after the lease: %+v", lost)
	}
	o.clock.Advance(31 * time.Second)
	o.claim(t, endpoint, messages)
	o.settle(t, lost[0], outbox.Dead, outbox.TimedOut)
	o.settle(t, lost[1], outbox.Pending, outbox.TimedOut)
	o.settle(t, lost[2], outbox.Delivered, "")
	if dead, delivered := o.list(t, outbox.Dead), o.list(t, outbox.Delivered); len(dead) != 0 || len(delivered) != 1 || delivered[0].ID != lost[2].ID {
		t.Errorf("dead: %+v, delivered: %+v", dead, delivered)
	}
	for _, delivery := range o.list(t, outbox.Pending) {
		if delivery.LastError != "" {
			t.Errorf("an attempt that is over counts: %+v", delivery)
		}
	}
	o.settle(t, lost[2], outbox.Dead, outbox.Refused) // a delivered message stays delivered
	if n := len(o.list(t, outbox.Delivered)); n != 1 {
		t.Errorf("%d delivered", n)
	}
}

// TestSettle checks that a failed delivery is due again after its pause, independently for each endpoint.
func TestSettle(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t, "https://a.example.org", "https://b.example.org")
	o.subscribe(t, o.user(t), "sub", time.Hour)
	a := o.claim(t, o.endpoints[0], 10)
	result := outbox.Result{
		User: a[0].User, Delivery: a[0].ID, Attempt: 1, State: outbox.Pending, At: o.clock.Now(), Next: o.clock.Now().Add(time.Minute), Status: 503, Failure: outbox.Refused,
	}
	if err := o.outbox.Settle(t.Context(), result); err != nil {
		t.Fatal(err)
	}
	if b := o.claim(t, o.endpoints[1], 10); len(b) != 1 {
		t.Errorf("the other endpoint: %+v", b)
	}
	o.clock.Advance(59 * time.Second)
	if early := o.claim(t, o.endpoints[0], 10); len(early) != 0 {
		t.Errorf("before its pause is over: %+v", early)
	}
	o.clock.Advance(time.Second)
	again := o.claim(t, o.endpoints[0], 10)
	if len(again) != 1 || again[0].LastStatus != 503 || again[0].LastError != outbox.Refused || again[0].Attempts != 2 || again[0].Message != a[0].Message {
		t.Fatalf("again: %+v", again)
	}
	o.settle(t, again[0], outbox.Pending, outbox.Refused)
	if failing := o.list(t, outbox.Pending); !slices.ContainsFunc(failing, func(d outbox.Delivery) bool {
		return d.ID == a[0].ID && d.FailingSince != nil && d.FailingSince.Equal(result.At)
	}) {
		t.Errorf("not failing since the first attempt: %+v", failing)
	}
	o.clock.Advance(5 * time.Second)
	again = o.claim(t, o.endpoints[0], 10)
	o.settle(t, again[0], outbox.Delivered, "")
	if done := o.list(t, outbox.Delivered); len(done) != 1 || done[0].FailingSince != nil || !done[0].DeliveredAt.Equal(o.clock.Now()) || done[0].LastError != "" || done[0].LastStatus != 0 {
		t.Errorf("delivered: %+v", done)
	}
}

// TestRegister checks that an endpoint that is no longer configured gets nothing more. Its pending deliveries are dead, and
// can be resent when it is configured again.
func TestRegister(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t, "https://a.example.org", "https://b.example.org")
	user := o.user(t)
	o.subscribe(t, user, "sub", time.Hour)
	if again := o.register(t, "https://b.example.org", "https://c.example.org"); again[0] != o.endpoints[1] || again[1] == o.endpoints[0] {
		t.Errorf("ids %d, then %d", o.endpoints, again)
	}
	o.sweep(t)
	dead := o.list(t, outbox.Dead)
	if len(dead) != 1 || dead[0].LastError != outbox.EndpointRemoved || dead[0].Configured || dead[0].Endpoint != "https://a.example.org" {
		t.Fatalf("dead: %+v", dead)
	}
	o.subscribe(t, user, "sub", 2*time.Hour)
	if n := o.count(t, `SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint WHERE e.shown LIKE '%a.example%'`); n != 1 {
		t.Errorf("%d deliveries for the endpoint that is gone", n)
	}
	entry := entitlements.AuditEntry{Actor: "token:1", Action: "webhook.resent", Object: "webhook:" + dead[0].ID, Reason: "it is back"}
	if _, err := o.outbox.Resend(t.Context(), dead[0].ID, o.clock.Now(), entry); !errors.Is(err, entitlements.ErrConflict) {
		t.Errorf("resent to nobody: %v", err)
	}
	if _, err := o.outbox.Resend(t.Context(), uuid.NewString(), o.clock.Now(), entry); !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("resent an unknown one: %v", err)
	}
	o.register(t, "https://a.example.org")
	resent, err := o.outbox.Resend(t.Context(), dead[0].ID, o.clock.Now(), entry)
	if err != nil || resent.State != outbox.Pending || resent.Attempts != 0 || resent.Message != dead[0].Message {
		t.Fatalf("resent: %+v, %v", resent, err)
	}
	if due := o.claim(t, o.endpoints[0], 10); len(due) != 1 || due[0].Attempts != 1 {
		t.Errorf("due: %+v", due)
	}
	trail, err := o.Audit(t.Context(), entitlements.AuditQuery{User: user, Limit: 1})
	if err != nil || trail[0].Action != "webhook.resent" || trail[0].Reason != "it is back" {
		t.Errorf("the trail: %+v, %v", trail, err)
	}

	// Servers that start at the same time agree.
	var starting sync.WaitGroup
	for i := range 8 {
		starting.Go(func() {
			urls := []outbox.Endpoint{{URL: "https://x.example.org"}, {URL: "https://y.example.org"}}
			if i%2 == 0 {
				slices.Reverse(urls)
			}
			if ids, err := o.outbox.Register(t.Context(), urls); err != nil || len(ids) != 2 {
				t.Error(ids, err)
			}
		})
	}
	starting.Wait()
	if n := o.count(t, `SELECT count(*) FROM webhook_endpoints WHERE active`); n != 2 {
		t.Errorf("%d endpoints", n)
	}
	o.register(t)
	o.sweep(t)
	if pending, dead, err := o.outbox.Counts(t.Context()); err != nil || pending != 0 || dead < 3 {
		t.Errorf("without endpoints: %d pending, %d dead, %v", pending, dead, err)
	}
}

func TestSweepWebhooks(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t, "https://a.example.org")
	user := o.user(t)
	for i := range 4 {
		o.subscribe(t, user, "sub", time.Duration(i+1)*time.Hour)
		o.clock.Advance(time.Hour)
	}
	claimed := o.claim(t, o.endpoints[0], 3)
	o.settle(t, claimed[0], outbox.Delivered, "")
	o.settle(t, claimed[1], outbox.Dead, outbox.Refused)
	o.clock.Advance(time.Second)
	o.settle(t, claimed[2], outbox.Delivered, "")
	for _, test := range []struct {
		delivered, dead time.Time
		left            int
	}{
		{o.clock.Now().Add(-time.Second), claimed[1].CreatedAt, 4},
		{o.clock.Now(), claimed[1].CreatedAt, 3},
		{o.clock.Now(), claimed[1].CreatedAt.Add(time.Second), 2},
		{o.clock.Now().Add(time.Second), o.clock.Now().Add(time.Hour), 1}, // pending deliveries stay
	} {
		if err := o.outbox.Sweep(t.Context(), test.delivered, test.dead); err != nil {
			t.Fatal(err)
		}
		if left := len(o.list(t, "")); left != test.left {
			t.Errorf("%d are left, want %d", left, test.left)
		}
	}
}

// tell adds an audit entry that is sent to endpoints.
func tell(t *testing.T, db *sqlx.DB, user passkey.UserID) {
	t.Helper()
	err := newPasskeys(t, db).Record(t.Context(), passkey.AuditEntry{
		At: time.Now(), Actor: "operator", Action: "subscription.put", Object: "subscription:1", User: user,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEraseWebhooks checks that an erased account leaves no message but the one about its erasure.
func TestEraseWebhooks(t *testing.T) {
	w := newWorld(t)
	o := sql.NewOutbox(w.db)
	if _, err := o.Register(t.Context(), []outbox.Endpoint{{URL: "https://a.example.org", Shown: "https://a.example.org"}}); err != nil {
		t.Fatal(err)
	}
	_, in := w.register("Ada")
	_, bob := w.register("Bob")
	for _, user := range []passkey.UserID{in.User.ID, bob.User.ID} {
		tell(t, w.db, user)
	}
	if err := w.Erase(t.Context(), in.Session); err != nil {
		t.Fatal(err)
	}
	deliveries, err := o.Deliveries(t.Context(), outbox.Query{Limit: 10})
	if err != nil || len(deliveries) != 2 || deliveries[0].Type != "user.erased" || deliveries[1].User != string(bob.User.ID) {
		t.Fatalf("%+v, %v", deliveries, err)
	}
	var message struct{ Data map[string]string }
	if err := json.Unmarshal(deliveries[0].Payload, &message); err != nil || len(message.Data) != 1 || message.Data["user"] != string(in.User.ID) {
		t.Errorf("%s, %v", deliveries[0].Payload, err)
	}
	// The reason for resending is not stored as one of the erased user's.
	entry := entitlements.AuditEntry{Actor: "operator", Action: "webhook.resent", Object: "webhook:" + deliveries[0].ID, Reason: "it was lost"}
	if _, err := o.Resend(t.Context(), deliveries[0].ID, time.Now(), entry); err != nil {
		t.Fatal(err)
	}
	var reasons int
	if err := w.db.Get(&reasons, `SELECT count(*) FROM audit_reasons WHERE user_id = $1`, in.User.ID); err != nil || reasons != 0 {
		t.Errorf("%d reasons of the user, %v", reasons, err)
	}
}

// TestEraseRacesResend checks that a reason for resending a message does not outlive its user, even if the erasure is
// concurrent.
func TestEraseRacesResend(t *testing.T) {
	w := newWorld(t)
	o := sql.NewOutbox(w.db)
	if _, err := o.Register(t.Context(), []outbox.Endpoint{{URL: "https://a.example.org", Shown: "https://a.example.org"}}); err != nil {
		t.Fatal(err)
	}
	_, in := w.register("Ada")
	tell(t, w.db, in.User.ID)
	deliveries, err := o.Deliveries(t.Context(), outbox.Query{Limit: 1})
	if err != nil || len(deliveries) != 1 {
		t.Fatalf("%+v, %v", deliveries, err)
	}
	waiting := func(n int) {
		t.Helper()
		const query = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		for deadline := time.Now().Add(10 * time.Second); scan[int](w, query) < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("there are never %d that wait", n)
			}
		}
	}

	// The erasure is blocked after it has deleted the user's reasons, while a new reason is given.
	w.db.MustExec(`INSERT INTO idempotency (actor, route, key, body_hash, created_at) VALUES ('operator', $1, '1', '', now())`, "POST /admin/v1/users/"+string(in.User.ID)+"/sign-out")
	hold := w.db.MustBegin()
	defer hold.Rollback() //nolint:errcheck // does nothing after a commit
	hold.MustExec(`SELECT FROM idempotency FOR UPDATE`)
	erased, resent := make(chan error, 1), make(chan error, 1)
	go func() { erased <- w.Erase(context.Background(), in.Session) }()
	waiting(1)
	go func() {
		entry := entitlements.AuditEntry{Actor: "operator", Action: "webhook.resent", Object: "webhook:" + deliveries[0].ID, Reason: "it was lost"}
		_, err := o.Resend(context.Background(), deliveries[0].ID, time.Now(), entry)
		resent <- err
	}()
	waiting(2)
	if err := hold.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if err := <-resent; !errors.Is(err, entitlements.ErrNotFound) {
		t.Errorf("sent again: %v", err)
	}
	if n := scan[int](w, `SELECT count(*) FROM audit_reasons WHERE user_id = $1`, in.User.ID); n != 0 {
		t.Errorf("%d reasons of the user are left", n)
	}
}

// TestListenWebhook checks that a stored message is announced when it commits, and a change without endpoints is not.
func TestListenWebhook(t *testing.T) {
	t.Parallel()
	_, runtime := sqltest.Database(t)
	db, err := sql.Open(t.Context(), runtime)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	heard := make(chan struct{}, 100)
	nothing := func() {}
	listens := make(chan struct{})
	var once sync.Once
	err = sql.Listen(t.Context(), runtime, sql.Audience{
		Status: nothing, Plan: nothing, Webhook: func() { heard <- struct{}{} },
		Revision: func(entitlements.UserID, int64) { heard <- struct{}{} }, SessionEnd: func(string) {},
		Missed: func(context.Context) error { once.Do(func() { close(listens) }); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-listens
	for len(heard) > 0 {
		<-heard
	}
	store, user := newPasskeys(t, db), passkey.UserID(uuid.NewString())
	entry := passkey.AuditEntry{At: time.Now(), Actor: "operator", Action: "user.created", Object: "user:" + string(user), User: user}
	link := passkey.NewLink{Kind: passkey.EnrolmentLink, CodeHash: []byte("1"), ExpiresAt: time.Now()}
	if err := store.CreateUser(t.Context(), passkey.User{ID: user, Name: "Ada", CreatedAt: time.Now()}, link, entry); err != nil {
		t.Fatal(err)
	}
	tell(t, db, user)
	db.MustExec(`INSERT INTO webhook_endpoints (digest, shown, active) VALUES ('x', 'https://a.example.org', true)`)
	entitled, err := sql.NewEntitlements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	change := func(raise bool, reason string) error {
		_, err := entitled.Update(t.Context(), entitlements.UserID(user), time.Now(), func(entitlements.Account) (entitlements.Change, error) {
			put := entitlements.AuditEntry{Actor: "operator", Action: "subscription.put", Object: "subscription:1"}
			other := entitlements.AuditEntry{Actor: "operator", Action: "device.removed", Object: "device:1", Reason: reason}
			if raise {
				return entitlements.Change{Raise: true, Audit: []entitlements.AuditEntry{other}}, nil
			}
			return entitlements.Change{Audit: []entitlements.AuditEntry{put, other}}, nil
		})
		return err
	}
	if err := change(false, strings.Repeat("too long", 1000)); err == nil { // rolled back
		t.Fatal("a reason of any length is stored")
	}
	if err := change(true, ""); err != nil {
		t.Fatal(err)
	}
	<-heard
	if n := len(heard); n > 0 {
		t.Errorf("%d more than the revision", n)
	}
	if err := change(false, ""); err != nil {
		t.Fatal(err)
	}
	<-heard
}
