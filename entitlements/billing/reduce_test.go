package billing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements/billing"
)

var prices = billing.Prices{{Price: "gold", Plan: "premium"}, {Price: "silver", Plan: "basic"}}

// snapshot returns a snapshot of one subscription at a time, in a period, all in days.
func snapshot(at int64, status billing.Status, start, end int64, price ...string) billing.Event {
	facts := billing.Facts{Kind: billing.Snapshot, Subscription: "sub", ExternalID: "cus", Status: status}
	if len(price) == 0 {
		price = []string{"gold"}
	}
	for _, p := range price {
		facts.Items = append(facts.Items, billing.Item{Price: p, Start: start, End: end})
	}
	return billing.Event{
		Source: billing.Stripe, ID: fmt.Sprintf("%d %s %d %v", at, status, start, price), Customer: "cus", Subject: "sub", At: day(at),
		Rank: billing.Rank(status, billing.Changing), Facts: facts,
	}
}

func day(n int64) time.Time { return time.Unix(n, 0).UTC() }

func with(e billing.Event, change func(*billing.Facts)) billing.Event {
	change(&e.Facts)
	return e
}

func other(at int64, rank int, facts billing.Facts) billing.Event {
	return billing.Event{
		Source: billing.Stripe, ID: fmt.Sprintf("%d %+v", at, facts), Customer: "cus", Subject: "x", At: day(at), Rank: rank, Facts: facts,
	}
}

func TestReduce(t *testing.T) {
	const active, trialing, pastDue, unpaid, cancelled = billing.Active, billing.Trialing, billing.PastDue, billing.Unpaid, billing.Cancelled
	payment := func(invoice string, until int64) billing.Event {
		return other(1, 0, billing.Facts{Kind: billing.Payment, Subscription: "sub", Invoice: invoice, PaymentIntent: "pi " + invoice, Until: until})
	}
	refund := func(at int64, rank int, invoice string) billing.Event {
		return other(at, rank, billing.Facts{Kind: billing.Refund, Charge: "ch " + invoice, PaymentIntent: "pi " + invoice, Full: rank == billing.RankFull})
	}
	ends := func(status billing.Status, at int64) billing.Event {
		return with(snapshot(at, status, 100, 200), func(f *billing.Facts) { f.EndedAt = at })
	}
	for name, c := range map[string]struct {
		events []billing.Event
		plan   string
		state  billing.Status
		until  int64
	}{
		"active":                      {[]billing.Event{snapshot(100, active, 100, 200)}, "premium", active, 200},
		"trialing":                    {[]billing.Event{snapshot(100, trialing, 100, 200)}, "premium", trialing, 200},
		"an older one does not count": {[]billing.Event{snapshot(110, active, 100, 200), snapshot(105, cancelled, 100, 200)}, "premium", active, 200},
		"to be cancelled earlier":     {[]billing.Event{with(snapshot(100, active, 100, 200), func(f *billing.Facts) { f.CancelAt = 150 })}, "premium", active, 150},
		"cancelled at once":           {[]billing.Event{snapshot(100, active, 100, 200), ends(cancelled, 130)}, "premium", cancelled, 130},
		"cancelled at its end":        {[]billing.Event{snapshot(100, active, 100, 200), ends(cancelled, 200)}, "premium", cancelled, 200},

		"past due is paid up to its period":       {[]billing.Event{snapshot(200, pastDue, 200, 300)}, "premium", pastDue, 200},
		"an upgrade in a paid period is not paid": {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), snapshot(150, pastDue, 100, 200)}, "premium", pastDue, 200},
		"nor the period that follows":             {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), snapshot(150, pastDue, 100, 200), snapshot(200, pastDue, 200, 300)}, "premium", pastDue, 200},
		"and the period is refunded, too":         {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), snapshot(150, pastDue, 100, 200), refund(160, billing.RankFull, "in")}, "premium", pastDue, 160},
		"unpaid for months": {
			[]billing.Event{snapshot(100, active, 100, 200), snapshot(200, pastDue, 200, 300), snapshot(300, unpaid, 300, 400), snapshot(400, unpaid, 400, 500)},
			"premium", cancelled, 200,
		},
		"cancelled after it was not paid": {[]billing.Event{snapshot(100, pastDue, 100, 200), ends(cancelled, 130)}, "premium", cancelled, 100},
		"paid after all":                  {[]billing.Event{snapshot(100, pastDue, 100, 200), snapshot(101, active, 100, 200)}, "premium", active, 200},
		"not paid a second time": {
			[]billing.Event{snapshot(100, pastDue, 100, 200), snapshot(101, active, 100, 200), snapshot(200, pastDue, 200, 300)}, "premium", pastDue, 200,
		},
		"paused when its trial ends": {
			[]billing.Event{with(snapshot(101, billing.Paused, 100, 200), func(f *billing.Facts) { f.TrialEnd = 100 })}, "premium", cancelled, 100,
		},
		"paused later": {
			[]billing.Event{with(snapshot(150, billing.Paused, 100, 200), func(f *billing.Facts) { f.TrialEnd = 50 })}, "premium", cancelled, 150,
		},
		"paused, and said again": {
			[]billing.Event{snapshot(150, billing.Paused, 100, 200), snapshot(170, billing.Paused, 100, 200)}, "premium", cancelled, 150,
		},

		"nothing paid yet":   {[]billing.Event{snapshot(100, billing.Incomplete, 100, 200)}, "", "", 0},
		"and never":          {[]billing.Event{snapshot(100, billing.Incomplete, 100, 200), snapshot(101, billing.IncompleteExpired, 100, 200)}, "", "", 0},
		"the first payment":  {[]billing.Event{snapshot(100, billing.Incomplete, 100, 200), snapshot(100, active, 100, 200)}, "premium", active, 200},
		"another's price":    {[]billing.Event{snapshot(100, active, 100, 200, "bread")}, "", "", 0},
		"one of several":     {[]billing.Event{snapshot(100, active, 100, 200, "bread", "silver")}, "basic", active, 200},
		"the first of ours":  {[]billing.Event{snapshot(100, active, 100, 200, "silver", "gold")}, "premium", active, 200},
		"over to another":    {[]billing.Event{snapshot(100, active, 100, 200), snapshot(150, active, 100, 200, "bread"), snapshot(160, active, 100, 200, "bread")}, "premium", cancelled, 150},
		"and back":           {[]billing.Event{snapshot(100, active, 100, 200), snapshot(150, active, 100, 200, "bread"), snapshot(160, active, 150, 250)}, "premium", active, 250},
		"to a smaller plan":  {[]billing.Event{snapshot(100, active, 100, 200), snapshot(150, active, 150, 250, "silver")}, "basic", active, 250},
		"by its own word":    {[]billing.Event{with(snapshot(100, pastDue, 0, 0), func(f *billing.Facts) { f.Plan, f.PaidThrough = "own", 170 })}, "own", pastDue, 170},
		"whatever was there": {[]billing.Event{with(snapshot(90, pastDue, 0, 0), func(f *billing.Facts) { f.Plan, f.PaidThrough = "own", 60 }), with(snapshot(100, pastDue, 0, 0), func(f *billing.Facts) { f.Plan, f.PaidThrough = "own", 170 })}, "own", pastDue, 170},

		"refunded":                    {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), refund(150, billing.RankFull, "in")}, "premium", active, 150},
		"refunded in part":            {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), refund(150, billing.RankPart, "in")}, "premium", active, 200},
		"part by part in one second":  {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), refund(150, billing.RankFull, "in"), refund(150, billing.RankPart, "in")}, "premium", active, 150},
		"the refund failed":           {[]billing.Event{snapshot(100, active, 100, 200), payment("in", 200), refund(150, billing.RankFull, "in"), refund(160, billing.RankFailed, "in")}, "premium", active, 200},
		"nobody knows what for":       {[]billing.Event{snapshot(100, active, 100, 200), refund(150, billing.RankFull, "in")}, "premium", active, 200},
		"of a period that is over":    {[]billing.Event{snapshot(200, active, 200, 300), payment("in", 200), payment("in 2", 300), refund(250, billing.RankFull, "in")}, "premium", active, 300},
		"of both":                     {[]billing.Event{snapshot(200, active, 200, 300), payment("in", 200), payment("in 2", 300), refund(190, billing.RankFull, "in"), refund(250, billing.RankFull, "in 2")}, "premium", active, 250},
		"looked up":                   {[]billing.Event{snapshot(100, active, 100, 200), other(150, billing.RankFull, billing.Facts{Kind: billing.Refund, Charge: "ch", Full: true, Subscription: "sub", Until: 200})}, "premium", active, 150},
		"refunded after it was over":  {[]billing.Event{snapshot(100, active, 100, 200), ends(cancelled, 130), payment("in", 200), refund(150, billing.RankFull, "in")}, "premium", cancelled, 130},
		"of another subscription":     {[]billing.Event{snapshot(100, active, 100, 200), with(payment("in", 200), func(f *billing.Facts) { f.Subscription = "another" }), refund(150, billing.RankFull, "in")}, "premium", active, 200},
		"refunded, the next not paid": {[]billing.Event{snapshot(200, pastDue, 200, 300), payment("in", 200), refund(150, billing.RankFull, "in")}, "premium", pastDue, 150},
		"tied by a link": {[]billing.Event{
			snapshot(100, active, 100, 200), with(payment("in", 200), func(f *billing.Facts) { f.PaymentIntent = "" }),
			other(1, 0, billing.Facts{Kind: billing.Link, Invoice: "in", PaymentIntent: "pi in"}), refund(150, billing.RankFull, "in"),
		}, "premium", active, 150},
	} {
		for range 2 {
			got := billing.Reduce(c.events, prices)["sub"]
			if got.Plan != c.plan || c.plan != "" && (got.State != c.state || !got.PaidThrough.Equal(day(c.until))) || got.ExternalID != "cus" {
				t.Errorf("%s: %+v, want %s %s until %d", name, got, c.plan, c.state, c.until)
			}
			slices.Reverse(c.events)
		}
	}
}

func TestRank(t *testing.T) {
	statuses := []billing.Status{
		billing.Incomplete, billing.Trialing, billing.Active, billing.Paused, billing.PastDue, billing.Unpaid, billing.IncompleteExpired, billing.Cancelled,
	}
	last := -1
	for _, status := range statuses {
		for _, stage := range []billing.Stage{billing.Beginning, billing.Changing, billing.Ending} {
			if rank := billing.Rank(status, stage); rank <= last {
				t.Errorf("%s, %d: rank %d after %d", status, stage, rank, last)
			} else {
				last = rank
			}
		}
	}
	// Only the id is left to compare.
	a, b := snapshot(100, billing.Active, 100, 200), snapshot(100, billing.Active, 100, 250)
	a.ID, b.ID = "evt_a", "evt_b"
	if got := billing.Reduce([]billing.Event{b, a}, prices)["sub"]; !got.PaidThrough.Equal(day(250)) {
		t.Errorf("%+v", got)
	}
}

func TestConcerns(t *testing.T) {
	payment := other(1, 0, billing.Facts{Kind: billing.Payment, Subscription: "sub", Invoice: "in"})
	link := other(2, 0, billing.Facts{Kind: billing.Link, Invoice: "in", PaymentIntent: "pi"})
	refund := other(3, 0, billing.Facts{Kind: billing.Refund, Charge: "ch", PaymentIntent: "pi", Full: true})
	stray := other(4, 0, billing.Facts{Kind: billing.Refund, Charge: "ch 2", PaymentIntent: "pi 2", Full: true})
	all := []billing.Event{payment, link, refund, stray, snapshot(100, billing.Active, 100, 200)}
	for i, want := range []string{"[sub]", "[sub]", "[sub]", "[]", "[sub]"} {
		if got := fmt.Sprint(billing.Concerns(all, all[i])); got != want {
			t.Errorf("%+v concerns %s, want %s", all[i], got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	good := snapshot(100, billing.Active, 100, 200)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*billing.Event){
		"no source":                     func(e *billing.Event) { e.Source = "" },
		"no id":                         func(e *billing.Event) { e.ID = "" },
		"a long id":                     func(e *billing.Event) { e.ID = strings.Repeat("x", 256) },
		"no customer":                   func(e *billing.Event) { e.Customer = "" },
		"no subject":                    func(e *billing.Event) { e.Subject = "" },
		"before all time":               func(e *billing.Event) { e.At = day(-1) },
		"no kind":                       func(e *billing.Event) { e.Facts.Kind = "" },
		"no status":                     func(e *billing.Event) { e.Facts.Status = "" },
		"nobody":                        func(e *billing.Event) { e.Facts.ExternalID, e.Facts.Plan, e.Facts.PaidThrough = "", "own", 1 },
		"a negative sum":                func(e *billing.Event) { e.Facts.Amount = -1 },
		"an odd dispute":                func(e *billing.Event) { e.Facts = billing.Facts{Kind: billing.Dispute, Charge: "ch"} },
		"a checkout of no subscription": func(e *billing.Event) { e.Facts = billing.Facts{Kind: billing.Checkout, Reference: "u"} },
		"two names":                     func(e *billing.Event) { e.Facts.User = "u" },
		"not UTF-8":                     func(e *billing.Event) { e.Facts.ExternalID = "\xff" },
		"a line break":                  func(e *billing.Event) { e.Facts.ExternalID = "a\nb" },
		"an endless time":               func(e *billing.Event) { e.Facts.CancelAt = 1 << 60 },
		"too many items":                func(e *billing.Event) { e.Facts.Items = slices.Repeat(e.Facts.Items, 101) },
		"no period's end":               func(e *billing.Event) { e.Facts.Items[0].End = 0 },
		"no period":                     func(e *billing.Event) { e.Facts.Items[0].Start = 0 },
		"a plan, no time":               func(e *billing.Event) { e.Facts.Plan = "own" },
		"a link to nobody":              func(e *billing.Event) { e.Facts = billing.Facts{Kind: billing.Link, Invoice: "in"} },
		"nothing refunded":              func(e *billing.Event) { e.Facts = billing.Facts{Kind: billing.Refund} },
		"paid for nothing":              func(e *billing.Event) { e.Facts = billing.Facts{Kind: billing.Payment, Invoice: "in"} },
	} {
		event := good
		event.Facts.Items = slices.Clone(event.Facts.Items)
		change(&event)
		if err := event.Validate(); !errors.Is(err, billing.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
