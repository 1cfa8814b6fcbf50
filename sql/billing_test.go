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
	"holdfast/passkey"
	"holdfast/sql"
)

var billingTerms = billing.Terms{Prices: billing.Prices{{Price: "gold", Plan: "premium"}}, Disputes: billing.DisputesSuspend}

// biller makes events of one customer, who belongs to user.
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

// active returns an event for a subscription that is paid for this many days.
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

func (c *biller) checkout(reference string) billing.Event {
	return c.event(c.subscription(), billing.Facts{Kind: billing.Checkout, Subscription: c.subscription(), Reference: reference})
}

func (c *biller) dispute(status billing.DisputeStatus) billing.Event {
	e := c.event("du-"+string(c.user), billing.Facts{Kind: billing.Dispute, Charge: "ch-" + string(c.user), PaymentIntent: "pi-" + string(c.user), Dispute: status})
	e.Customer, e.Rank = "", billing.DisputeRank(status)
	return e
}

// everyOrder calls do with every order of events, each made for a new customer.
func (b *bench) everyOrder(t *testing.T, events func(*biller) []billing.Event, do func(*biller, []billing.Event)) {
	t.Helper()
	n, orders := 1, 1
	for i := range events(b.biller(t)) {
		orders *= i + 1
	}
	for ; n <= orders; n++ {
		c := b.biller(t)
		order := events(c)
		for i, k := 0, n; i < len(order); i++ { // the n-th permutation
			j := i + k%(len(order)-i)
			k /= len(order) - i
			order[i], order[j] = order[j], order[i]
		}
		do(c, order)
	}
}

// TestBillingMoves checks that, in every order of events, a subscription ends up with the user whom its newest events name,
// and keeps support's flags.
func TestBillingMoves(t *testing.T) {
	b := newBench(t)
	var next entitlements.UserID
	b.everyOrder(t, func(c *biller) []billing.Event {
		next = b.user(t)
		first, second, third := c.active(30), c.active(30), c.active(60)
		second.Facts.User, third.Facts.User, third.Facts.ExternalID = string(next), "", "ext-"+string(next)
		return []billing.Event{first, second, third, c.payment(60)}
	}, func(c *biller, order []billing.Event) {
		for i, event := range order {
			if _, err := b.take(t.Context(), event); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		if left, err := b.Subscriptions(t.Context(), c.user); err != nil || len(left) != 0 {
			t.Fatalf("the old user has %+v, %v", left, err)
		}
		if sub := b.only(t, next); !sub.PaidThrough.Equal(b.clock.Now().Add(60 * 24 * time.Hour)) {
			t.Errorf("%+v", sub)
		}
		if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id = $1`, next); n != 4 {
			t.Errorf("%d events are the new user's", n)
		}
	})

	c := b.biller(t)
	next = b.user(t)
	b.mustTake(t, c.active(30), entitlements.BillingApplied)
	if _, err := b.Revoke(t.Context(), "token:x", entitlements.SubscriptionID(c.subscription()), "fraud"); err != nil {
		t.Fatal(err)
	}
	moved := c.active(60)
	moved.Facts.User = string(next)
	before := b.count(t, `SELECT revision FROM users WHERE id = $1`, c.user)
	b.mustTake(t, moved, entitlements.BillingApplied)
	if sub := b.only(t, next); !sub.Revoked {
		t.Errorf("a move clears the revocation: %+v", sub)
	}
	if after := b.count(t, `SELECT revision FROM users WHERE id = $1`, c.user); after != before+1 {
		t.Errorf("the old user's revision is %d after %d", after, before)
	}
	if n := b.count(t, `SELECT count(*) FROM audit WHERE user_id = $1 AND action = 'subscription.put' AND after IS NULL AND actor = 'billing:stripe'`, c.user); n != 1 {
		t.Errorf("%d entries say that it is gone", n)
	}
	if n := b.count(t, `SELECT count(*) FROM audit a WHERE user_id = $1 AND position($2 IN a::text) > 0`, c.user, next); n != 0 {
		t.Error("the old user's trail names the new one")
	}
}

// TestMovedSubscriptionIsToldAgain checks that the new user's trail gets the events of the paid time that the old one's has.
func TestMovedSubscriptionIsToldAgain(t *testing.T) {
	b := newBench(t)
	c, next := b.biller(t), b.user(t)
	late := c.active(30)
	late.Facts.Status = billing.PastDue
	told := func(user entitlements.UserID) {
		t.Helper()
		late.Facts.User = string(user)
		late.ID, late.At = late.ID+"x", late.At.Add(time.Second)
		b.mustTake(t, late, entitlements.BillingApplied)
		if err := b.TellDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `SELECT count(*) FROM audit WHERE user_id = $1 AND action = 'subscription.grace'`, user); n != 1 {
			t.Errorf("the trail has %d events", n)
		}
	}
	told(c.user)
	told(next)
}

// TestBillingCheckout checks that, in every order, a checkout ties customer and subscription to the user whom its reference
// names, and that earlier events are kept.
func TestBillingCheckout(t *testing.T) {
	b := newBench(t)
	for _, reference := range []func(*biller) string{
		func(c *biller) string { return string(c.user) }, func(c *biller) string { return "ext-" + string(c.user) },
	} {
		b.everyOrder(t, func(c *biller) []billing.Event {
			first, second, other := c.active(30), c.active(60), c.active(90)
			for _, e := range []*billing.Event{&first, &second, &other} {
				e.Facts.User = ""
			}
			other.Subject, other.Facts.Subscription = "other-"+other.Subject, "other-"+other.Subject
			return []billing.Event{first, second, other, c.checkout(reference(c))}
		}, func(c *biller, order []billing.Event) {
			claimed := false
			for _, event := range order {
				got, err := b.take(t.Context(), event)
				claimed = claimed || event.Facts.Kind == billing.Checkout
				if err != nil || (got == entitlements.BillingUnclaimed) == claimed {
					t.Fatalf("%+v: %s, %v", event.Facts, got, err)
				}
			}
			subscriptions, err := b.Subscriptions(t.Context(), c.user)
			if err != nil || len(subscriptions) != 2 {
				t.Fatalf("%+v, %v", subscriptions, err)
			}
			for _, sub := range subscriptions {
				days := 60
				if string(sub.ID) != c.subscription() {
					days = 90
				}
				if !sub.PaidThrough.Equal(b.clock.Now().Add(time.Duration(days) * 24 * time.Hour)) {
					t.Errorf("%+v", sub)
				}
			}
		})
	}
	// A user created later is found, too.
	c := b.biller(t)
	late := c.active(30)
	late.Facts.User = ""
	b.mustTake(t, late, entitlements.BillingUnclaimed)
	if err := b.ClaimBilling(t.Context(), billing.Stripe, billingTerms); err != nil {
		t.Fatal(err)
	}
	if subscriptions, err := b.Subscriptions(t.Context(), c.user); err != nil || len(subscriptions) != 0 {
		t.Fatalf("%+v, %v", subscriptions, err)
	}
	b.db.MustExec(`UPDATE users SET external_id = $2 WHERE id = $1`, c.user, c.customer)
	b.db.MustExec(`INSERT INTO directory (kind, key, user_id) VALUES ('external id', $1, $2)`, c.customer, c.user)
	for range 2 {
		if err := b.ClaimBilling(t.Context(), billing.Stripe, billingTerms); err != nil {
			t.Fatal(err)
		}
	}
	b.only(t, c.user)
}

// TestBillingDisputes checks that, in every order of the events that tie it to the payment, a dispute withholds the
// subscription while it is open and after it is lost; a dispute that was won, or that support has waived, does not.
func TestBillingDisputes(t *testing.T) {
	b := newBench(t)
	decide := func(c *biller) entitlements.Decision {
		t.Helper()
		account, err := b.Account(t.Context(), c.user)
		if err != nil {
			t.Fatal(err)
		}
		return account.Decide(b.clock.Now())
	}
	b.everyOrder(t, func(c *biller) []billing.Event {
		return []billing.Event{c.active(30), c.payment(30), c.link(), c.dispute(billing.DisputeOpen)}
	}, func(c *biller, order []billing.Event) {
		for _, event := range order {
			if _, err := b.take(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		if d := decide(c); d.State != entitlements.StateRevoked || d.Reason != entitlements.ReasonDisputed || len(d.Features) != 0 || d.Since == nil {
			t.Errorf("%+v", d)
		}
		b.mustTake(t, c.dispute(billing.DisputeWon), entitlements.BillingApplied)
		if d := decide(c); d.State != entitlements.StateActive {
			t.Errorf("won: %+v", d)
		}
	})

	for policy, want := range map[billing.DisputePolicy][2]entitlements.State{
		billing.DisputesSuspend: {entitlements.StateRevoked, entitlements.StateRevoked},
		billing.DisputesLost:    {entitlements.StateActive, entitlements.StateRevoked},
		billing.DisputesIgnore:  {entitlements.StateActive, entitlements.StateActive},
	} {
		c := b.biller(t)
		terms := billingTerms
		terms.Disputes = policy
		for _, event := range []billing.Event{c.active(30), c.payment(30), c.link()} {
			b.mustTake(t, event, map[billing.Kind]entitlements.BillingOutcome{billing.Snapshot: "applied", billing.Payment: "unchanged", billing.Link: "unchanged"}[event.Facts.Kind])
		}
		for i, status := range []billing.DisputeStatus{billing.DisputeOpen, billing.DisputeLost} {
			if _, err := b.TakeBilling(t.Context(), c.dispute(status), terms, nil); err != nil {
				t.Fatal(err)
			}
			if d := decide(c); d.State != want[i] {
				t.Errorf("%s, %s: %+v", policy, status, d)
			}
			if sub := b.only(t, c.user); len(sub.Disputes) != 1 || sub.Disputes[0].Status != status || sub.Revoked || sub.Suspended {
				t.Errorf("%s, %s: %+v", policy, status, sub)
			}
		}
	}

	// Support's own flags are independent of that; reinstating is final for one dispute, not for the next.
	c := b.biller(t)
	device := b.link(t, c.user)
	for _, event := range []billing.Event{c.active(30), c.payment(30), c.link()} {
		if _, err := b.take(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	status := func() int {
		return b.count(t, `SELECT e.status FROM status_entries e JOIN devices d ON d.status_list = e.list AND d.status_idx = e.idx WHERE d.id = $1`, device.id)
	}
	id := entitlements.SubscriptionID(c.subscription())
	b.mustTake(t, c.dispute(billing.DisputeOpen), entitlements.BillingApplied)
	if got := status(); got != 2 {
		t.Errorf("status %d while a dispute is open, want SUSPENDED", got)
	}
	if _, err := b.Revoke(t.Context(), "token:x", id, "fraud"); err != nil {
		t.Fatal(err)
	}
	b.mustTake(t, c.dispute(billing.DisputeWon), entitlements.BillingApplied)
	if d := decide(c); d.Reason != entitlements.ReasonRevoked {
		t.Errorf("a won dispute undoes what support has done: %+v", d)
	}
	lost := c.dispute(billing.DisputeLost)
	b.mustTake(t, lost, entitlements.BillingApplied)
	if _, _, err := b.Reinstate(t.Context(), "token:x", id, "paid by transfer"); err != nil {
		t.Fatal(err)
	}
	if d := decide(c); d.State != entitlements.StateActive {
		t.Errorf("reinstated: %+v", d)
	}
	b.mustTake(t, lost, entitlements.BillingUnchanged)
	b.mustTake(t, c.active(60), entitlements.BillingApplied)
	if d := decide(c); d.State != entitlements.StateActive {
		t.Errorf("waived: %+v", d)
	}
	next := c.dispute(billing.DisputeOpen)
	next.Subject = "du-2-" + string(c.user)
	b.mustTake(t, next, entitlements.BillingApplied)
	if d := decide(c); d.Reason != entitlements.ReasonDisputed {
		t.Errorf("another dispute: %+v", d)
	}
}

// TestNoGraceAfterPlannedEnd checks that a subscription with a planned end ends with its paid time, and so do its
// documents.
func TestNoGraceAfterPlannedEnd(t *testing.T) {
	b := newBench(t)
	c := b.biller(t)
	b.mustTake(t, c.active(30), entitlements.BillingApplied)
	ends := c.active(30)
	ends.Facts.Status, ends.Facts.EndedAt = billing.Cancelled, b.clock.Now().Add(time.Hour).Unix()
	b.mustTake(t, ends, entitlements.BillingApplied)
	trial := b.user(t)
	if _, _, err := b.StartTrial(t.Context(), trial); err != nil {
		t.Fatal(err)
	}
	for _, user := range []entitlements.UserID{c.user, trial} {
		sub, d := b.only(t, user), b.link(t, user)
		b.refresh(t, d)
		if n := b.count(t, `SELECT count(*) FROM devices WHERE id = $1 AND document_bound <= $2`, d.id, sub.PaidThrough); n != 1 {
			t.Errorf("%s: the stored bound is beyond the paid time", sub.State)
		}
		for at, want := range map[time.Time]entitlements.State{
			sub.PaidThrough.Add(-time.Second): entitlements.StateActive, sub.PaidThrough: entitlements.StateExpired,
		} {
			account, err := b.Account(t.Context(), user)
			if err != nil {
				t.Fatal(err)
			}
			d := account.Decide(at)
			if d.State != want || want == entitlements.StateActive && !d.End.Equal(sub.PaidThrough) {
				t.Errorf("%s at %v: %+v", sub.State, at, d)
			}
		}
	}
}

func (b *bench) take(ctx context.Context, event billing.Event) (entitlements.BillingOutcome, error) {
	return b.TakeBilling(ctx, event, billingTerms, nil)
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

	// A known event does not undo a change by support or the admin API, but the next new event counts again.
	put := entitlements.SubscriptionChange{User: c.user, Plan: "premium", State: "past_due", PaidThrough: b.clock.Now()}
	if _, _, err := b.PutSubscription(t.Context(), "token:x", sub.ID, put); err != nil {
		t.Fatal(err)
	}
	b.mustTake(t, first, entitlements.BillingApplied)
	if got := b.only(t, c.user); got.State != "active" {
		t.Errorf("%+v", got)
	}
}

// TestBillingCustomers checks that the customer that an event names does not decide which event is newer for a
// subscription.
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

// TestBillingOfUnknownUsers checks that an event for an unknown named user is refused, and that one that buys nothing is
// ignored.
func TestBillingOfUnknownUsers(t *testing.T) {
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
		foreign.ID += " foreign " + name.user + name.external
		foreign.Facts.Items = []billing.Item{{Price: "bread", Start: 1, End: 2}}
		b.mustTake(t, foreign, entitlements.BillingIgnored)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id IS NOT NULL OR id NOT LIKE '% foreign %'`); n != 0 {
		t.Errorf("%d events kept", n)
	}
	b.db.MustExec(`DELETE FROM billing_events`)
	unknown.Facts.User, unknown.Facts.ExternalID = "", "ext-"+string(c.user)
	b.mustTake(t, unknown, entitlements.BillingApplied)

	plan := c.active(30)
	if _, err := b.TakeBilling(t.Context(), plan, billing.Terms{Prices: billing.Prices{{Price: "gold", Plan: "none"}}}, nil); !errors.Is(err, entitlements.ErrPlanUnknown) {
		t.Errorf("unknown plan: %v", err)
	}
	odd := c.active(30)
	odd.Facts.Subscription, odd.Subject = "-odd-", "-odd-"
	if _, err := b.take(t.Context(), odd); !errors.Is(err, entitlements.ErrInvalid) {
		t.Errorf("odd id: %v", err)
	}
	// An id is stored once: for another customer it has no effect.
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

// TestBillingTies checks that a refund that names neither invoice nor customer finds its subscription in every order of
// arrival.
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
	// Events without a user are deleted after a month.
	stray := b.biller(t)
	b.mustTake(t, stray.link(), entitlements.BillingUnchanged)
	b.mustTake(t, stray.payment(30), entitlements.BillingUnchanged)
	b.clock.Advance(31 * 24 * time.Hour)
	last := b.biller(t)
	b.mustTake(t, last.link(), entitlements.BillingUnchanged)
	if err := sql.Sweep(t.Context(), b.db, b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id IS NULL`); n != 1 {
		t.Errorf("%d events of nobody", n)
	}
}

// TestConcurrentBilling delivers equal and different events of several customers concurrently, on two replicas.
func TestConcurrentBilling(t *testing.T) {
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
			if _, err := service.TakeBilling(t.Context(), event, billingTerms, nil); err != nil {
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

// TestBillingAndSupport checks that no billing event ever undoes a change by support.
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
	// Support and billing concurrently.
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

// TestFetchedBilling checks that the state that was requested later counts, whichever response arrives first.
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
	_, err := b.TakeBilling(t.Context(), slow, billingTerms, fetch(10, func() {
		if _, err := b.TakeBilling(t.Context(), fast, billingTerms, fetch(20, func() {})); err != nil {
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
	// A redelivered event is fetched again.
	if _, err := b.TakeBilling(t.Context(), slow, billingTerms, fetch(30, func() {})); err != nil {
		t.Fatal(err)
	}
	until(30)
	failure := errors.New("no answer")
	_, err = b.TakeBilling(t.Context(), c.active(40), billingTerms, func(context.Context, *billing.Event) error { return failure })
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
	entry := passkey.AuditEntry{At: b.clock.Now(), Actor: "user:" + string(c.user), Action: "account.erased", Object: "user:" + string(c.user), User: passkey.UserID(c.user)}
	if err := newPasskeys(t, b.db).EraseUser(t.Context(), passkey.UserID(c.user), nil, entry); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE position($1 IN billing_events::text) > 0`, c.user); n != 0 {
		t.Errorf("%d events are left", n)
	}
	// Later events are dropped, whatever they name; the ids themselves are stored nowhere.
	named, unnamed, checkout := c.active(60), c.active(90), c.checkout("ext-"+string(c.user))
	unnamed.Facts.User = ""
	for _, event := range []billing.Event{named, unnamed, checkout, c.payment(60), c.link(), c.refund(), c.dispute(billing.DisputeOpen)} {
		b.mustTake(t, event, entitlements.BillingErased)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events`); n != 0 {
		t.Errorf("%d events are kept", n)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_erased e WHERE position($1 IN e::text) > 0`, c.user); n != 0 {
		t.Errorf("%d ids are kept", n)
	}
	stranger := c.active(30)
	stranger.Customer, stranger.Facts.User = "cus-stranger", "00000000-0000-4000-8000-000000000000"
	stranger.Subject, stranger.Facts.Subscription = "sub-stranger", "sub-stranger"
	if _, err := b.take(t.Context(), stranger); !errors.Is(err, entitlements.ErrUserUnknown) {
		t.Errorf("a stranger: %v", err)
	}
	// The same customer comes back.
	again := b.user(t)
	named.Facts.User = string(again)
	b.mustTake(t, named, entitlements.BillingApplied)
}

// TestEraseRacesBilling checks that an event that arrives while its user is being erased is not kept as the user's, although
// it changes nothing of the account.
func TestEraseRacesBilling(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.biller(t)
	if _, err := b.take(t.Context(), c.active(30)); err != nil {
		t.Fatal(err)
	}
	waiting := func(n int) {
		t.Helper()
		const query = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		for deadline := time.Now().Add(10 * time.Second); b.count(t, query) < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("there are never %d that wait", n)
			}
		}
	}
	// The erasure is blocked when it has locked the user.
	b.db.MustExec(`INSERT INTO idempotency (actor, route, key, body_hash, created_at) VALUES ('operator', $1, '1', '', now())`, "POST /admin/v1/users/"+string(c.user)+"/sign-out")
	hold := b.db.MustBegin()
	defer hold.Rollback() //nolint:errcheck // does nothing after a commit
	hold.MustExec(`SELECT FROM idempotency FOR UPDATE`)
	erased, taken := make(chan error, 1), make(chan error, 1)
	go func() {
		entry := passkey.AuditEntry{At: b.clock.Now(), Actor: "operator", Action: "account.erased", Object: "user:" + string(c.user), User: passkey.UserID(c.user)}
		erased <- newPasskeys(t, b.db).EraseUser(context.Background(), passkey.UserID(c.user), nil, entry)
	}()
	waiting(1)
	go func() {
		event := c.active(30)
		event.Subject, event.Facts.Subscription, event.Facts.Items[0].Price = "sub-other", "sub-other", "tin" // is no plan
		_, err := b.take(context.Background(), event)
		taken <- err
	}()
	waiting(2)
	if err := hold.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if err := <-taken; !errors.Is(err, entitlements.ErrUserUnknown) {
		t.Errorf("the event: %v", err)
	}
	if n := b.count(t, `SELECT count(*) FROM billing_events WHERE user_id IS NOT NULL`); n != 0 {
		t.Errorf("%d events belong to a user who was erased", n)
	}
}
