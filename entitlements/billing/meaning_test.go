package billing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"holdfast/entitlements/billing"
)

// paused returns an active snapshot whose invoices are not collected.
func paused(at, start, end int64, price ...string) billing.Event {
	return with(snapshot(at, billing.Active, start, end, price...), func(f *billing.Facts) { f.Paused = true })
}

// after says that the event changed the subscription from what before says.
func after(before, event billing.Event) billing.Event {
	event.Facts.Before = before.Facts.Digest()
	return event
}

func paidInvoice(invoice string, until, amount int64) billing.Event {
	return other(1, 0, billing.Facts{Kind: billing.Payment, Subscription: "sub", Invoice: invoice, PaymentIntent: "pi " + invoice, Until: until, Amount: amount})
}

func linked(invoice, intent string) billing.Event {
	return other(1, 0, billing.Facts{Kind: billing.Link, Invoice: invoice, PaymentIntent: intent})
}

func moneyBack(at int64, rank int, intent string, amount int64) billing.Event {
	return other(at, rank, billing.Facts{Kind: billing.Refund, Charge: "ch " + intent, PaymentIntent: intent, Full: rank == billing.RankFull, Amount: amount})
}

// TestReduceMeaning tests the meaning of billing events case by case, in every order of the events.
func TestReduceMeaning(t *testing.T) {
	const active, trialing, pastDue, unpaid, cancelled = billing.Active, billing.Trialing, billing.PastDue, billing.Unpaid, billing.Cancelled
	first, renewal := snapshot(100, active, 100, 200), paused(200, 200, 300)
	failed := func(e billing.Event) billing.Event { return with(e, func(f *billing.Facts) { f.Failed = true }) }
	ended := func(at int64) billing.Event {
		return with(snapshot(at, cancelled, 100, 200), func(f *billing.Facts) { f.EndedAt = at })
	}
	lastsUntil := func(at int64, e billing.Event) billing.Event {
		return with(e, func(f *billing.Facts) { f.CancelAt = at })
	}
	silver := snapshot(100, active, 100, 200, "silver")
	fails := after(first, snapshot(150, pastDue, 100, 200))
	works := after(fails, snapshot(150, active, 100, 200))
	works.ID = "works"
	cancelling := after(first, lastsUntil(200, snapshot(150, active, 100, 200, "gold")))
	cancelling.ID = "z cancelling"
	goesOn := after(cancelling, snapshot(150, active, 100, 200))
	goesOn.ID = "a goes on"
	ends := after(first, ended(150))
	ends.Facts.Before = ""
	touched := after(first, snapshot(150, active, 100, 200))
	touched.ID = "touched"

	for name, c := range map[string]struct {
		events []billing.Event
		plan   string
		state  billing.Status
		until  int64
		ends   bool
	}{
		"collection is paused within what was paid": {[]billing.Event{first, paused(150, 100, 200)}, "premium", active, 200, true},
		"the period after that is not paid":         {[]billing.Event{first, paused(150, 100, 200), renewal}, "premium", cancelled, 200, true},
		"nor the one after":                         {[]billing.Event{first, paused(150, 100, 200), renewal, paused(300, 300, 400)}, "premium", cancelled, 200, true},
		"nor when its renewal was not heard of":     {[]billing.Event{first, paused(150, 100, 200), snapshot(250, active, 200, 300)}, "premium", cancelled, 200, true},
		"collected again, for the next period":      {[]billing.Event{first, paused(150, 100, 200), renewal, snapshot(250, active, 200, 300)}, "premium", cancelled, 200, true},
		"and then the next one is paid": {
			[]billing.Event{first, paused(150, 100, 200), renewal, snapshot(250, active, 200, 300), snapshot(300, active, 300, 400)}, "premium", active, 400, false,
		},
		"collected after all":   {[]billing.Event{first, paused(150, 100, 200), renewal, paidInvoice("in", 300, 9)}, "premium", active, 300, true},
		"resumed before it":     {[]billing.Event{first, paused(150, 100, 200), snapshot(180, active, 100, 200), snapshot(200, active, 200, 300)}, "premium", active, 300, false},
		"a trial is not paused": {[]billing.Event{with(snapshot(100, trialing, 100, 200), func(f *billing.Facts) { f.Paused = true })}, "premium", trialing, 200, true},
		"the first that is heard of says that it is paused now": {
			[]billing.Event{with(paused(150, 100, 200), func(f *billing.Facts) { f.PausedNow = true })}, "premium", active, 200, true,
		},
		"cancelled in a period that was not collected": {
			[]billing.Event{first, paused(150, 100, 200), renewal, with(snapshot(250, cancelled, 200, 300), func(f *billing.Facts) { f.EndedAt = 250 })},
			"premium", cancelled, 200, true,
		},

		"an upgrade that was not paid":    {[]billing.Event{silver, paidInvoice("in", 200, 5), snapshot(150, pastDue, 100, 200)}, "basic", pastDue, 200, false},
		"nor in the period after it":      {[]billing.Event{silver, paidInvoice("in", 200, 5), snapshot(150, pastDue, 100, 200), snapshot(200, pastDue, 200, 300)}, "basic", pastDue, 200, false},
		"and the system gives up":         {[]billing.Event{silver, paidInvoice("in", 200, 5), snapshot(150, unpaid, 100, 200)}, "basic", cancelled, 200, false},
		"an upgrade that was paid":        {[]billing.Event{silver, paidInvoice("in", 200, 5), snapshot(150, pastDue, 100, 200), snapshot(151, active, 100, 200)}, "premium", active, 200, false},
		"nothing but what was not paid":   {[]billing.Event{snapshot(150, pastDue, 100, 200)}, "premium", pastDue, 100, false},
		"an upgrade while not collected":  {[]billing.Event{silver, paused(150, 100, 200, "silver"), paused(200, 200, 300, "gold")}, "basic", cancelled, 200, true},
		"cancelled after such an upgrade": {[]billing.Event{silver, paidInvoice("in", 200, 5), snapshot(150, pastDue, 100, 200), ended(180)}, "basic", cancelled, 180, true},

		"fails and works within a second":             {[]billing.Event{first, fails, works}, "premium", active, 200, false},
		"and nothing is known from before":            {[]billing.Event{fails, works}, "premium", active, 200, false},
		"and fails for another price after that":      {[]billing.Event{first, fails, works, after(works, snapshot(150, pastDue, 150, 250, "silver"))}, "premium", pastDue, 150, false},
		"cancelled, and then not, within a second":    {[]billing.Event{first, cancelling, goesOn}, "premium", active, 200, false},
		"and touched besides":                         {[]billing.Event{first, touched, cancelling, goesOn}, "premium", active, 200, false},
		"cancelled for good in the same second":       {[]billing.Event{first, fails, works, ends}, "premium", cancelled, 150, true},
		"and so where nothing is known from before":   {[]billing.Event{fails, works, ends}, "premium", cancelled, 150, true},
		"a second that begins with what is past due":  {[]billing.Event{snapshot(120, pastDue, 100, 200), after(snapshot(120, pastDue, 100, 200), snapshot(150, active, 100, 200)), fails}, "premium", pastDue, 100, false},
		"nothing says what was before: by the status": {[]billing.Event{snapshot(150, pastDue, 100, 200), snapshot(150, active, 100, 200)}, "premium", pastDue, 100, false},

		"one of two payments went back": {
			[]billing.Event{first, paidInvoice("in", 200, 900), linked("in", "pi 2"), moneyBack(150, billing.RankFull, "pi in", 450)}, "premium", active, 200, false,
		},
		"and then the other": {
			[]billing.Event{first, paidInvoice("in", 200, 900), linked("in", "pi 2"), moneyBack(150, billing.RankFull, "pi in", 450), moneyBack(160, billing.RankFull, "pi 2", 450)},
			"premium", active, 160, true,
		},
		"which failed": {
			[]billing.Event{
				first, paidInvoice("in", 200, 900), linked("in", "pi 2"), moneyBack(150, billing.RankFull, "pi in", 450), moneyBack(160, billing.RankFull, "pi 2", 450),
				moneyBack(170, billing.RankFailed, "pi 2", 0),
			}, "premium", active, 200, false,
		},
		"one, and a part of the other": {
			[]billing.Event{first, paidInvoice("in", 200, 900), linked("in", "pi 2"), moneyBack(150, billing.RankFull, "pi in", 450), moneyBack(160, billing.RankPart, "pi 2", 400)},
			"premium", active, 200, false,
		},
		"one of two, looked up": {
			[]billing.Event{first, other(150, billing.RankFull, billing.Facts{
				Kind: billing.Refund, Charge: "ch", Full: true, Amount: 450, Total: 900, Invoice: "in", Subscription: "sub", Until: 200,
			})}, "premium", active, 200, false,
		},
		"both, looked up": {
			[]billing.Event{first, other(150, billing.RankFull, billing.Facts{
				Kind: billing.Refund, Charge: "ch", Full: true, Amount: 450, Total: 900, Invoice: "in", Subscription: "sub", Until: 200,
			}), other(160, billing.RankFull, billing.Facts{
				Kind: billing.Refund, Charge: "ch 2", Full: true, Amount: 450, Total: 900, Invoice: "in", Subscription: "sub", Until: 200,
			})}, "premium", active, 160, true,
		},

		"cancelled at once":                  {[]billing.Event{first, ended(130)}, "premium", cancelled, 130, true},
		"to end with its period":             {[]billing.Event{first, lastsUntil(200, snapshot(150, active, 100, 200))}, "premium", active, 200, true},
		"to end later":                       {[]billing.Event{first, lastsUntil(250, snapshot(150, active, 100, 200))}, "premium", active, 200, false},
		"cancelled, since a payment failed":  {[]billing.Event{first, snapshot(200, pastDue, 200, 300), failed(snapshot(210, cancelled, 200, 300))}, "premium", cancelled, 200, false},
		"cancelled while a payment misses":   {[]billing.Event{first, snapshot(200, pastDue, 200, 300), snapshot(210, cancelled, 200, 300)}, "premium", cancelled, 200, true},
		"a trial that ended without a card":  {[]billing.Event{snapshot(100, trialing, 100, 200), with(snapshot(201, billing.Paused, 200, 300), func(f *billing.Facts) { f.TrialEnd = 200 })}, "premium", cancelled, 200, true},
		"over to something that is not ours": {[]billing.Event{first, snapshot(150, active, 100, 200, "bread")}, "premium", cancelled, 150, true},
		"by its own word":                    {[]billing.Event{with(snapshot(100, cancelled, 0, 0), func(f *billing.Facts) { f.Plan, f.PaidThrough = "own", 170 })}, "own", cancelled, 170, true},
	} {
		for order := range permutations(c.events) {
			got := billing.Reduce(order, prices)["sub"]
			if got.Plan != c.plan || got.State != c.state || !got.PaidThrough.Equal(day(c.until)) || got.Ends != c.ends {
				t.Errorf("%s: %s %s until %d, ends %v; want %s %s until %d, ends %v", name,
					got.Plan, got.State, got.PaidThrough.Unix(), got.Ends, c.plan, c.state, c.until, c.ends)
				break
			}
		}
	}
}

// TestReduceNames: the newest snapshot that names the subscriber decides, then the checkout, then the customer.
func TestReduceNames(t *testing.T) {
	named := func(at int64, user, external string) billing.Event {
		return with(snapshot(at, billing.Active, 100, 200), func(f *billing.Facts) { f.User, f.ExternalID = user, external })
	}
	checkout := func(at int64, subscription, reference string) billing.Event {
		return other(at, 0, billing.Facts{Kind: billing.Checkout, Subscription: subscription, Reference: reference})
	}
	for name, c := range map[string]struct {
		events                    []billing.Event
		user, external, reference string
	}{
		"moved":                        {[]billing.Event{named(100, "a", ""), named(110, "b", "")}, "b", "", ""},
		"moved by external id":         {[]billing.Event{named(100, "a", ""), named(110, "", "b")}, "", "b", ""},
		"not named any longer":         {[]billing.Event{named(100, "a", ""), named(110, "", "")}, "a", "", ""},
		"nowhere":                      {[]billing.Event{named(100, "", "")}, "", "", ""},
		"by the checkout":              {[]billing.Event{named(100, "", ""), checkout(101, "sub", "r")}, "", "", "r"},
		"by its own checkout":          {[]billing.Event{named(100, "", ""), checkout(101, "sub", "r"), checkout(102, "sub 2", "s")}, "", "", "r"},
		"by the customer's checkout":   {[]billing.Event{named(100, "", ""), checkout(101, "sub 2", "s"), checkout(90, "sub 3", "r")}, "", "", "s"},
		"its own word is above theirs": {[]billing.Event{named(100, "a", ""), checkout(101, "sub", "r")}, "a", "", "r"},
	} {
		for order := range permutations(c.events) {
			got := billing.Reduce(order, prices)["sub"]
			if got.User != c.user || got.ExternalID != c.external || got.Reference != c.reference || got.Customer != "cus" {
				t.Errorf("%s: %+v", name, got)
				break
			}
		}
	}
	all := []billing.Event{named(100, "", ""), checkout(101, "sub 2", "s")}
	if got := fmt.Sprint(billing.Concerns(all, all[1])); got != "[sub 2 sub]" {
		t.Errorf("a checkout concerns %s", got)
	}
}

// TestDisputes: the newest status of a dispute counts, for the subscription whose payment is disputed.
func TestDisputes(t *testing.T) {
	dispute := func(at int64, id, intent string, status billing.DisputeStatus) billing.Event {
		e := other(at, billing.DisputeRank(status), billing.Facts{Kind: billing.Dispute, Charge: "ch " + intent, PaymentIntent: intent, Dispute: status})
		e.Subject = id
		return e
	}
	open, won, lost := dispute(100, "du", "pi in", billing.DisputeOpen), dispute(100, "du", "pi in", billing.DisputeWon), dispute(200, "du", "pi in", billing.DisputeLost)
	second := dispute(150, "du 2", "pi in", billing.DisputeOpen)
	for name, c := range map[string]struct {
		events []billing.Event
		want   string
	}{
		"open":                   {[]billing.Event{open}, "[{du open 100}]"},
		"won in the same second": {[]billing.Event{open, won}, "[{du won 100}]"},
		"lost after that":        {[]billing.Event{open, won, lost}, "[{du lost 200}]"},
		"two of them":            {[]billing.Event{open, second}, "[{du open 100} {du 2 open 150}]"},
		"of something else":      {[]billing.Event{dispute(100, "du", "pi other", billing.DisputeOpen)}, "[]"},
	} {
		for order := range permutations(append(c.events, snapshot(100, billing.Active, 100, 200), paidInvoice("in", 200, 9))) {
			if got := fmt.Sprint(billing.Disputes(order)["sub"]); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
				break
			}
		}
	}
}

// permutations yields every order of all.
func permutations(all []billing.Event) func(func([]billing.Event) bool) {
	return func(yield func([]billing.Event) bool) {
		order := slices.Clone(all)
		var permute func(k int) bool
		permute = func(k int) bool {
			if k == len(order) {
				return yield(slices.Clone(order))
			}
			for i := k; i < len(order); i++ {
				order[k], order[i] = order[i], order[k]
				if !permute(k + 1) {
					return false
				}
				order[k], order[i] = order[i], order[k]
			}
			return true
		}
		permute(0)
	}
}

// TestReduceIsIndependentOfOrder: sets of events of every kind, of a customer with two subscriptions, in every order. The
// last stored outcome of each subscription equals the outcome of the whole set.
func TestReduceIsIndependentOfOrder(t *testing.T) {
	of := func(subscription string, e billing.Event) billing.Event {
		e.ID, e.Facts.Subscription = subscription+" "+e.ID, subscription
		return e
	}
	named := func(user string, e billing.Event) billing.Event {
		return with(e, func(f *billing.Facts) { f.User, f.ExternalID = user, "" })
	}
	first := snapshot(100, billing.Active, 100, 200, "silver")
	pool := []billing.Event{
		first, after(first, snapshot(150, billing.PastDue, 100, 200)), snapshot(150, billing.Active, 100, 200), named("b", snapshot(160, billing.Active, 100, 200)),
		named("", snapshot(170, billing.Active, 100, 200)), paused(180, 100, 200), paused(200, 200, 300), snapshot(250, billing.Active, 200, 300),
		snapshot(260, billing.Cancelled, 200, 300), of("sub 2", named("", snapshot(100, billing.Active, 100, 200))), of("sub 2", snapshot(150, billing.Trialing, 100, 200)),
		paidInvoice("in", 200, 900), paidInvoice("in 2", 300, 0), linked("in", "pi 2"), moneyBack(150, billing.RankFull, "pi in", 450), moneyBack(160, billing.RankFull, "pi 2", 450),
		moneyBack(170, billing.RankFull, "pi in 2", 9), moneyBack(170, billing.RankFailed, "pi in 2", 0),
		other(100, 0, billing.Facts{Kind: billing.Checkout, Subscription: "sub", Reference: "r"}), other(100, 0, billing.Facts{Kind: billing.Checkout, Subscription: "sub 2", Reference: "s"}),
		other(110, 0, billing.Facts{Kind: billing.Dispute, Charge: "ch 2", PaymentIntent: "pi 2", Dispute: billing.DisputeOpen}),
		other(120, 1, billing.Facts{Kind: billing.Dispute, Charge: "ch", PaymentIntent: "pi in", Dispute: billing.DisputeLost}),
	}
	end := func(order []billing.Event) string {
		puts := map[string]string{}
		for i, event := range order {
			known := order[:i+1]
			outcomes, disputes := billing.Reduce(known, prices), billing.Disputes(known)
			for _, name := range billing.Concerns(known, event) {
				if outcome := outcomes[name]; outcome.Plan != "" {
					puts[name] = fmt.Sprint(outcome, disputes[name])
				}
			}
		}
		return fmt.Sprint(puts)
	}
	random, ends := rand.New(rand.NewPCG(11, 4)), map[string]bool{}
	for range 250 {
		var set []billing.Event
		for _, i := range random.Perm(len(pool))[:5] {
			set = append(set, pool[i])
		}
		want := end(set)
		ends[want] = true
		for order := range permutations(set) {
			if got := end(order); got != want {
				t.Fatalf("%+v: %s, want %s", order, got, want)
			}
		}
	}
	if len(ends) < 50 {
		t.Errorf("only %d ends", len(ends))
	}
}
