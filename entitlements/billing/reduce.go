package billing

import (
	"slices"
	"time"
)

// Price says which plan a price buys.
type Price struct{ Price, Plan string }

// Prices are all that buy something here. Of a subscription with several of them, the first in this list counts.
type Prices []Price

// Outcome is what a subscription comes to.
type Outcome struct {
	Subscription string
	// User or ExternalID names the subscriber.
	User, ExternalID string
	// Plan is empty where nothing was ever bought that is of interest here: no price of ours, or nothing paid yet. Then
	// State and PaidThrough say nothing.
	Plan        string
	State       Status // Trialing, Active, PastDue or Cancelled
	PaidThrough time.Time
}

// Reduce works out what the subscriptions of one customer come to. events are all that are known, of one source, in any
// order, each id once.
//
// The newest snapshot decides, but for two things that no single snapshot tells. Stripe moves a period on before it is
// paid: what is not paid for ended with the period before the first unpaid snapshot in a row, unless an invoice says that
// the period was paid, and what is unpaid is an upgrade within it. And a refund in full of what paid for the present period
// ends it at the refund; a later period that is paid for outranks it.
func Reduce(events []Event, prices Prices) map[string]Outcome {
	snapshots := map[string][]Event{}
	for _, e := range events {
		if e.Facts.Kind == Snapshot {
			snapshots[e.Facts.Subscription] = append(snapshots[e.Facts.Subscription], e)
		}
	}
	refunds := refunded(events)
	outcomes := make(map[string]Outcome, len(snapshots))
	for subscription, history := range snapshots {
		slices.SortFunc(history, compare)
		outcome := reduce(history, prices, paidFor(events, subscription))
		end := outcome.PaidThrough
		for _, r := range refunds {
			if r.subscription == subscription && !end.After(r.until) {
				outcome.PaidThrough = earlier(outcome.PaidThrough, r.at)
			}
		}
		outcomes[subscription] = outcome
	}
	return outcomes
}

// Enter puts an event among those that are known of its customer, and returns them with the event as it counts: one that is
// known by its id stays as it was, unless this one was fetched later. It is not ok where another customer's has the id.
func Enter(known []Event, event Event) (all []Event, counts Event, ok bool) {
	i := slices.IndexFunc(known, func(e Event) bool { return e.ID == event.ID })
	switch {
	case i < 0:
		return append(known, event), event, true
	case known[i].Customer != event.Customer:
		return nil, Event{}, false
	case event.Facts.Fetched && event.At.After(known[i].At):
		known[i] = event
	}
	return known, known[i], true
}

// Concerns names the subscriptions that may come to something else by event, which is one of events.
func Concerns(events []Event, event Event) []string {
	if event.Facts.Subscription != "" {
		return []string{event.Facts.Subscription}
	}
	var concerned []string
	for _, payment := range paid(events, event.Facts) {
		if !slices.Contains(concerned, payment.Subscription) {
			concerned = append(concerned, payment.Subscription)
		}
	}
	return concerned
}

// paidFor lists the ends of the periods of a subscription that were paid for, as far as it is known.
func paidFor(events []Event, subscription string) (ends []int64) {
	for _, e := range events {
		if e.Facts.Kind == Payment && e.Facts.Subscription == subscription {
			ends = append(ends, e.Facts.Until)
		}
	}
	return ends
}

// reduce judges a subscription by its snapshots, oldest first, and by the ends of the periods that were paid; refunds apart.
func reduce(history []Event, prices Prices, paid []int64) Outcome {
	newest := history[len(history)-1]
	o := Outcome{Subscription: newest.Facts.Subscription, User: newest.Facts.User, ExternalID: newest.Facts.ExternalID}
	ours, bought := -1, false // the newest snapshot with a price of ours; whether one was ever paid for
	for i, e := range history {
		if _, _, ok := prices.of(e.Facts); ok {
			ours = i
			bought = bought || e.Facts.Status != Incomplete && e.Facts.Status != IncompleteExpired
		}
	}
	if !bought {
		return o
	}
	facts := history[ours].Facts
	o.Plan, _, _ = prices.of(facts)
	o.State, o.PaidThrough = state(facts.Status), until(history[ours], prices, paid)
	if !facts.Status.pays() && facts.Plan == "" {
		for i := ours - 1; i >= 0 && !history[i].Facts.Status.pays(); i-- {
			if _, _, ok := prices.of(history[i].Facts); ok {
				o.PaidThrough = earlier(o.PaidThrough, until(history[i], prices, paid))
			}
		}
	}
	if ours < len(history)-1 { // it has gone over to a price that is not ours
		o.State, o.PaidThrough = Cancelled, earlier(o.PaidThrough, history[ours+1].At.Truncate(time.Second))
	}
	return o
}

// state is what a status means here: whoever does not pay any longer has cancelled.
func state(status Status) Status {
	if status.pays() || status == PastDue {
		return status
	}
	return Cancelled
}

// until is the end of what is paid for, as far as one snapshot tells, and whether its period is among those paid.
func until(e Event, prices Prices, paid []int64) time.Time {
	f := e.Facts
	if f.Plan != "" {
		return time.Unix(f.PaidThrough, 0).UTC()
	}
	_, item, _ := prices.of(f)
	end := item.End
	bound := func(t int64) {
		if t > 0 && t < end {
			end = t
		}
	}
	switch f.Status {
	case PastDue, Unpaid, Incomplete, IncompleteExpired:
		// The period itself is what was not paid, unless it was: then that is an upgrade within it.
		if !slices.Contains(paid, item.End) {
			end = item.Start
		}
	case Paused:
		bound(e.At.Unix())
		if f.TrialEnd >= item.Start {
			bound(f.TrialEnd)
		}
	default:
		bound(f.CancelAt)
		bound(f.EndedAt)
	}
	return time.Unix(end, 0).UTC()
}

// of is the plan that the facts of a snapshot are about, and the item that buys it.
func (p Prices) of(f Facts) (string, Item, bool) {
	if f.Plan != "" {
		return f.Plan, Item{}, true
	}
	for _, price := range p {
		for _, item := range f.Items {
			if item.Price == price.Price {
				return price.Plan, item, true
			}
		}
	}
	return "", Item{}, false
}

// refund is the return of all that was paid for a period of a subscription.
type refund struct {
	subscription string
	at, until    time.Time
}

// refunded lists the charges that have gone back in full, as far as it is known what they paid for.
func refunded(events []Event) []refund {
	newest := map[string]Event{} // by charge
	for _, e := range events {
		if last, ok := newest[e.Facts.Charge]; e.Facts.Kind == Refund && (!ok || compare(e, last) > 0) {
			newest[e.Facts.Charge] = e
		}
	}
	var refunds []refund
	for _, e := range newest {
		if !e.Facts.Full {
			continue
		}
		for _, payment := range paid(events, e.Facts) {
			refunds = append(refunds, refund{payment.Subscription, e.At.Truncate(time.Second).UTC(), time.Unix(payment.Until, 0)})
		}
	}
	return refunds
}

// paid finds what the payment that f names was for.
func paid(events []Event, f Facts) []Facts {
	if f.Subscription != "" && f.Until > 0 {
		return []Facts{f}
	}
	invoices := []string{f.Invoice}
	for _, e := range events {
		if e.Facts.Kind != Link && e.Facts.Kind != Payment {
			continue
		}
		if f.Charge != "" && e.Facts.Charge == f.Charge || f.PaymentIntent != "" && e.Facts.PaymentIntent == f.PaymentIntent {
			invoices = append(invoices, e.Facts.Invoice)
		}
	}
	var payments []Facts
	for _, e := range events {
		if e.Facts.Kind == Payment && slices.Contains(invoices, e.Facts.Invoice) {
			payments = append(payments, e.Facts)
		}
	}
	return payments
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
