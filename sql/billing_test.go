package sql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
)

var billingPrices = billing.Prices{{Price: "gold", Plan: "premium"}}

// biller makes events of one customer, who is user.
type biller struct {
	b        *bench
	user     entitlements.UserID
	customer string
	events   int
}

func (b *bench) biller(t *testing.T) *biller {
	t.Helper()
	user := b.user(t)
	return &biller{b: b, user: user, customer: "cus-" + string(user)}
}

func (c *biller) subscription() string { return "sub-" + string(c.user) }

func (c *biller) event(subject string, facts billing.Facts) billing.Event {
	c.events++
	return billing.Event{
		Source: billing.Stripe, ID: fmt.Sprintf("evt-%d-%s", c.events, c.user), Customer: c.customer, Subject: subject,
		At: c.b.clock.Now().Add(time.Duration(c.events) * time.Second), Facts: facts,
	}
}

// active says that the subscription is paid for these days.
func (c *biller) active(days int) billing.Event {
	start := c.b.clock.Now()
	return c.event(c.subscription(), billing.Facts{
		Kind: billing.Snapshot, Subscription: c.subscription(), User: string(c.user), Status: billing.Active,
		Items: []billing.Item{{Price: "gold", Start: start.Unix(), End: start.Add(time.Duration(days) * 24 * time.Hour).Unix()}},
	})
}

func (c *biller) payment(days int) billing.Event {
	return c.event("in-"+string(c.user), billing.Facts{
		Kind: billing.Payment, Subscription: c.subscription(), Invoice: "in-" + string(c.user),
		Until: c.b.clock.Now().Add(time.Duration(days) * 24 * time.Hour).Unix(),
	})
}

func (c *biller) link() billing.Event {
	e := c.event("in-"+string(c.user), billing.Facts{Kind: billing.Link, Invoice: "in-" + string(c.user), PaymentIntent: "pi-" + string(c.user)})
	e.Customer = ""
	return e
}

func (c *biller) refund() billing.Event {
	e := c.event("ch-"+string(c.user), billing.Facts{Kind: billing.Refund, Charge: "ch-" + string(c.user), PaymentIntent: "pi-" + string(c.user), Full: true})
	e.Rank = billing.RankFull
	return e
}

func (b *bench) take(ctx context.Context, event billing.Event) (entitlements.BillingOutcome, error) {
	return b.TakeBilling(ctx, event, billingPrices, nil)
}

func (b *bench) mustTake(t *testing.T, event billing.Event, want entitlements.BillingOutcome) {
	t.Helper()
	if got, err := b.take(t.Context(), event); err != nil || got != want {
		t.Fatalf("%s %+v: %s, %v, want %s", event.ID, event.Facts, got, err, want)
	}
}

func (b *bench) only(t *testing.T, user entitlements.UserID) entitlements.Subscription {
	t.Helper()
	subscriptions, err := b.Subscriptions(t.Context(), user)
	if err != nil || len(subscriptions) != 1 {
		t.Fatalf("%d subscriptions, %v", len(subscriptions), err)
	}
	return subscriptions[0]
}

func TestTakeBilling(t *testing.T) {
	b := newBench(t)
	c := b.biller(t)
	first, second := c.active(30), c.active(60)
	b.mustTake(t, second, entitlements.BillingApplied)
	revision := b.count(t, `SELECT revision FROM users WHERE id = $1`, c.user)
	b.mustTake(t, first, entitlements.BillingUnchanged)
	b.mustTake(t, second, entitlements.BillingUnchanged)
	sub := b.only(t, c.user)
	if want := b.clock.Now().Add(60 * 24 * time.Hour); !sub.PaidThrough.Equal(want) || sub.Plan != "premium" || sub.State != "active" {
		t.Errorf("%+v, want until %v", sub, want)
	}
	if again := b.count(t, `SELECT revision FROM users WHERE id = $1`, c.user); again != revision {
		t.Errorf("revision %d, then %d", revision, again)
	}
	var actors []string
	if err := b.db.Select(&actors, `SELECT actor || ' ' || action FROM audit WHERE user_id = $1`, c.user); err != nil || fmt.Sprint(actors) != "[billing:stripe subscription.put]" {
		t.Errorf("trail: %q, %v", actors, err)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id = $1`, c.user); n != 2 {
		t.Errorf("%d events kept", n)
	}

	// What support or the admin API does is not undone by an event that is known, but the newest word of billing counts again.
	put := entitlements.SubscriptionChange{User: c.user, Plan: "premium", State: "past_due", PaidThrough: b.clock.Now()}
	if _, _, err := b.PutSubscription(t.Context(), "token:x", sub.ID, put); err != nil {
		t.Fatal(err)
	}
	b.mustTake(t, first, entitlements.BillingApplied)
	if got := b.only(t, c.user); got.State != "active" {
		t.Errorf("%+v", got)
	}
}

// TestBillingCustomers: which customer an event names does not decide which is the newer one about a subscription.
func TestBillingCustomers(t *testing.T) {
	b := newBench(t)
	for _, reversed := range []bool{false, true} {
		c := b.biller(t)
		older, newer := c.active(30), c.active(60)
		newer.Customer = "another-" + c.customer
		first, second := older, newer
		if reversed {
			first, second = newer, older
		}
		for _, event := range []billing.Event{first, second} {
			if _, err := b.take(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		if sub := b.only(t, c.user); !sub.PaidThrough.Equal(b.clock.Now().Add(60 * 24 * time.Hour)) {
			t.Errorf("reversed %v: until %v", reversed, sub.PaidThrough)
		}
	}
}

// TestBillingStrangers: what is for nobody here is refused or ignored, and not kept.
func TestBillingStrangers(t *testing.T) {
	b := newBench(t)
	c, other := b.biller(t), b.biller(t)
	unknown := c.active(30)
	for _, name := range []struct{ user, external string }{
		{"00000000-0000-4000-8000-000000000000", ""}, {"no uuid", ""}, {"", "nobody"},
	} {
		unknown.Facts.User, unknown.Facts.ExternalID = name.user, name.external
		if _, err := b.take(t.Context(), unknown); !errors.Is(err, entitlements.ErrUserUnknown) {
			t.Errorf("%v: %v", name, err)
		}
		foreign := unknown
		foreign.Facts.Items = []billing.Item{{Price: "bread", Start: 1, End: 2}}
		b.mustTake(t, foreign, entitlements.BillingIgnored)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events`); n != 0 {
		t.Errorf("%d events kept", n)
	}
	unknown.Facts.User, unknown.Facts.ExternalID = "", "ext-"+string(c.user)
	b.mustTake(t, unknown, entitlements.BillingApplied)

	plan := c.active(30)
	if _, err := b.TakeBilling(t.Context(), plan, billing.Prices{{Price: "gold", Plan: "none"}}, nil); !errors.Is(err, entitlements.ErrPlanUnknown) {
		t.Errorf("unknown plan: %v", err)
	}
	odd := c.active(30)
	odd.Facts.Subscription, odd.Subject = "-odd-", "-odd-"
	if _, err := b.take(t.Context(), odd); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("odd id: %v", err)
	}
	// A subscription stays whose it is.
	taken := c.active(60)
	taken.Facts.User, taken.Facts.ExternalID = string(other.user), ""
	if _, err := b.take(t.Context(), taken); !errors.Is(err, entitlements.ErrConflict) {
		t.Errorf("another user: %v", err)
	}
	// An id is kept once: for another customer it does nothing.
	reused := other.active(60)
	reused.ID = unknown.ID
	b.mustTake(t, reused, entitlements.BillingUnchanged)
	if subscriptions, err := b.Subscriptions(t.Context(), other.user); err != nil || len(subscriptions) != 0 {
		t.Errorf("%+v, %v", subscriptions, err)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events`); n != 1 {
		t.Errorf("%d events kept", n)
	}
}

// TestBillingTies: a refund that names neither invoice nor customer finds what it is for in every order of arrival.
func TestBillingTies(t *testing.T) {
	b := newBench(t)
	for round := range 24 {
		c := b.biller(t)
		snapshot, payment, link, refund := c.active(30), c.payment(30), c.link(), c.refund()
		order := []billing.Event{snapshot, payment, link, refund}
		for i, n := 0, round; i < len(order); i++ { // the round-th permutation
			j := i + n%(len(order)-i)
			n /= len(order) - i
			order[i], order[j] = order[j], order[i]
		}
		for _, event := range order {
			if _, err := b.take(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		if sub := b.only(t, c.user); !sub.PaidThrough.Equal(refund.At) {
			t.Errorf("round %d: paid through %v, want %v", round, sub.PaidThrough, refund.At)
		}
		if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id = $1 AND customer = $2`, c.user, c.customer); n != 4 {
			t.Errorf("round %d: %d events are the user's", round, n)
		}
	}
	// What is nobody's goes after a month.
	stray := b.biller(t)
	b.mustTake(t, stray.link(), entitlements.BillingUnchanged)
	b.mustTake(t, stray.payment(30), entitlements.BillingUnchanged)
	b.clock.Advance(31 * 24 * time.Hour)
	last := b.biller(t)
	b.mustTake(t, last.link(), entitlements.BillingUnchanged)
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id IS NULL`); n != 1 {
		t.Errorf("%d events of nobody", n)
	}
}

// TestBillingTogether sends the same and different events of several customers at once, on two replicas.
func TestBillingTogether(t *testing.T) {
	b := newBench(t)
	replica := b.replica(t)
	customers := make([]*biller, 4)
	var all []billing.Event
	for i := range customers {
		c := b.biller(t)
		customers[i] = c
		for days := 1; days <= 5; days++ {
			event := c.active(days)
			all = append(all, event, event)
		}
		all = append(all, c.payment(5), c.link(), c.refund())
	}
	var group sync.WaitGroup
	for i, event := range all {
		service := b.Service
		if i%2 == 1 {
			service = replica
		}
		group.Go(func() {
			if _, err := service.TakeBilling(t.Context(), event, billingPrices, nil); err != nil {
				t.Errorf("%s: %v", event.ID, err)
			}
		})
	}
	group.Wait()
	for _, c := range customers {
		refund := b.clock.Now().Add(8 * time.Second)
		if sub := b.only(t, c.user); !sub.PaidThrough.Equal(refund) {
			t.Errorf("paid through %v, want %v", sub.PaidThrough, refund)
		}
		if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id = $1`, c.user); n != 8 {
			t.Errorf("%d events", n)
		}
		raised, changes := b.count(t, `SELECT revision FROM users WHERE id = $1`, c.user), b.count(t, `SELECT count(*) FROM audit WHERE user_id = $1`, c.user)
		if raised != changes+1 {
			t.Errorf("revision %d after %d changes", raised, changes)
		}
	}
}

// TestBillingAndSupport: nothing from billing ever undoes what support has done.
func TestBillingAndSupport(t *testing.T) {
	b := newBench(t)
	c := b.biller(t)
	b.mustTake(t, c.active(30), entitlements.BillingApplied)
	id := entitlements.SubscriptionID(c.subscription())
	revocation, err := b.Revoke(t.Context(), "token:x", id, "chargeback")
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []billing.Event{c.active(60), c.payment(60), c.link(), c.refund(), c.active(90)} {
		if _, err := b.take(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		account, err := b.Account(t.Context(), c.user)
		if err != nil {
			t.Fatal(err)
		}
		if d := account.Decide(b.clock.Now()); d.State != entitlements.StateRevoked || len(d.Features) != 0 || !account.Subscriptions[0].Revoked {
			t.Fatalf("after %+v: %+v", event.Facts, d)
		}
	}
	if account, err := b.Account(t.Context(), c.user); err != nil || account.Revision <= revocation.Revision {
		t.Errorf("revision %d, %v: billing was not heard at all", account.Revision, err)
	}
	// Support and billing at once.
	var group sync.WaitGroup
	for i := range 20 {
		event := c.active(100 + i)
		group.Go(func() {
			if _, err := b.take(t.Context(), event); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			act := b.Revoke
			if i%2 == 1 {
				act = b.Suspend
			}
			if _, err := act(t.Context(), "token:x", id, "test"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if sub := b.only(t, c.user); !sub.Revoked || !sub.Suspended || !sub.PaidThrough.Equal(b.clock.Now().Add(119*24*time.Hour)) {
		t.Errorf("%+v", sub)
	}
}

// TestFetchedBilling: of what was fetched, the later asked for counts, whichever answer came first.
func TestFetchedBilling(t *testing.T) {
	b := newBench(t)
	c := b.biller(t)
	fetch := func(days int, then func()) func(context.Context, *billing.Event) error {
		return func(_ context.Context, event *billing.Event) error {
			event.Facts = c.active(days).Facts
			event.Facts.Fetched = true
			then()
			return nil
		}
	}
	slow, fast := c.active(1), c.active(2)
	_, err := b.TakeBilling(t.Context(), slow, billingPrices, fetch(10, func() {
		if _, err := b.TakeBilling(t.Context(), fast, billingPrices, fetch(20, func() {})); err != nil {
			t.Error(err)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	until := func(days int) {
		t.Helper()
		if sub := b.only(t, c.user); !sub.PaidThrough.Equal(b.clock.Now().Add(time.Duration(days) * 24 * time.Hour)) {
			t.Errorf("paid through %v, want %d days", sub.PaidThrough, days)
		}
	}
	until(20)
	// An event that is sent again is asked about again.
	if _, err := b.TakeBilling(t.Context(), slow, billingPrices, fetch(30, func() {})); err != nil {
		t.Fatal(err)
	}
	until(30)
	failure := errors.New("no answer")
	_, err = b.TakeBilling(t.Context(), c.active(40), billingPrices, func(context.Context, *billing.Event) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("a failed fetch: %v", err)
	}
	until(30)
}

func TestEraseBilling(t *testing.T) {
	b := newBench(t)
	c := b.biller(t)
	for _, event := range []billing.Event{c.payment(30), c.active(30), c.link(), c.refund()} {
		if _, err := b.take(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := b.BillingEvents(t.Context(), c.user); err != nil || len(kept) != 4 {
		t.Fatalf("%d events, %v", len(kept), err)
	}
	b.db.MustExec(`DELETE FROM users WHERE id = $1`, c.user)
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE position($1 IN billing_events::text) > 0`, c.user); n != 0 {
		t.Errorf("%d events are left", n)
	}
	if _, err := b.take(t.Context(), c.active(60)); !errors.Is(err, entitlements.ErrUserUnknown) {
		t.Errorf("after that: %v", err)
	}
}
