package billing

import (
	"cmp"
	"slices"
	"time"
)

// Price maps a price to the plan that it buys.
type Price struct{ Price, Plan string }

// Prices lists all prices that buy a plan here. If a subscription has several, the first in this list counts.
type Prices []Price

// DisputePolicy is the effect of a dispute about a payment on the subscription. A dispute that is won has none.
type DisputePolicy string

const (
	DisputesSuspend DisputePolicy = "suspend" // grant nothing while it is open or once it is lost
	DisputesLost    DisputePolicy = "lost"    // grant nothing once it is lost
	DisputesIgnore  DisputePolicy = "ignore"  // only show it to support
)

// Terms are the rules for the events of a source. The zero value is for a source that has neither prices nor disputes.
type Terms struct {
	Prices   Prices
	Disputes DisputePolicy
}

// Outcome is the derived state of a subscription.
type Outcome struct {
	Subscription string
	// User or ExternalID names the subscriber, by the newest snapshot that has one. If none does, Reference does, by the
	// newest checkout of the subscription, or else of its customer; without one, Customer, the source's own id, does.
	User, ExternalID    string
	Reference, Customer string
	// Plan is empty if the subscription never bought a plan here: no known price, or nothing paid yet. State,
	// PaidThrough and Ends are then meaningless.
	Plan        string
	State       Status // Trialing, Active, PastDue or Cancelled
	PaidThrough time.Time
	// Ends says that the end of the paid time is intended, or that nothing is collected after it: no payment can fail.
	Ends bool
}

// Reduce derives the subscriptions of one customer. events are all known events, of one source, in any order, each id
// once.
//
// The newest snapshot decides (see [arrange]), except for facts that no single snapshot states:
//   - Stripe moves a period on before it is paid. An unpaid subscription ended with the period before the first unpaid
//     snapshot in a row, unless an invoice says that the period was paid; then the unpaid part is an upgrade within it.
//   - A period that begins while collection is paused is not paid either, unless an invoice says so.
//   - The plan is the one that was paid last.
//   - A fully refunded invoice of the present period ends that period; a later invoice outranks it.
func Reduce(events []Event, prices Prices) map[string]Outcome {
	snapshots := map[string][]Event{}
	for _, e := range events {
		if e.Facts.Kind == Snapshot {
			snapshots[e.Facts.Subscription] = append(snapshots[e.Facts.Subscription], e)
		}
	}
	refunds := refunded(events)
	outcomes := make(map[string]Outcome, len(snapshots))
	for subscription, unordered := range snapshots {
		h := history{arrange(unordered), prices, paidFor(events, subscription)}
		outcome := h.reduce()
		outcome.Reference = reference(events, subscription, outcome.Customer)
		end := outcome.PaidThrough
		for _, r := range refunds {
			if r.subscription == subscription && !end.After(r.until) && r.at.Before(outcome.PaidThrough) {
				outcome.PaidThrough, outcome.Ends = r.at, true
			}
		}
		outcomes[subscription] = outcome
	}
	return outcomes
}

// Enter adds an event to the known ones of its customer, and returns them with the event as it counts: one whose id is
// known stays as stored, unless this one was fetched later. ok is false if the id belongs to another customer.
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

// Concerns returns the subscriptions whose outcome may change by event, which is one of events.
func Concerns(events []Event, event Event) []string {
	if event.Facts.Kind == Checkout {
		concerned := []string{event.Facts.Subscription}
		for _, e := range events {
			if e.Facts.Kind == Snapshot && e.Customer == event.Customer && !slices.Contains(concerned, e.Facts.Subscription) {
				concerned = append(concerned, e.Facts.Subscription)
			}
		}
		return concerned
	}
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

// paidFor lists the ends of the paid periods of a subscription, as far as they are known.
func paidFor(events []Event, subscription string) (ends []int64) {
	for _, e := range events {
		if e.Facts.Kind == Payment && e.Facts.Subscription == subscription {
			ends = append(ends, e.Facts.Until)
		}
	}
	return ends
}

// reference returns the reference of the newest checkout of the subscription, or else of the newest of the customer.
func reference(events []Event, subscription, customer string) string {
	var own, newest Event
	for _, e := range events {
		if e.Facts.Kind != Checkout {
			continue
		}
		if e.Facts.Subscription == subscription && compare(e, own) > 0 {
			own = e
		}
		if e.Customer == customer && compare(e, newest) > 0 {
			newest = e
		}
	}
	return cmp.Or(own.Facts.Reference, newest.Facts.Reference)
}

// history holds the facts about one subscription: its snapshots, oldest first, and the ends of the paid periods.
type history struct {
	snapshots []Event
	prices    Prices
	paid      []int64
}

// reduce derives a subscription's outcome, refunds and checkouts apart.
func (h history) reduce() Outcome {
	newest := h.snapshots[len(h.snapshots)-1]
	o := Outcome{Subscription: newest.Facts.Subscription, Customer: newest.Customer}
	ours, bought := -1, false // the newest snapshot with a known price; whether one was ever paid for
	for i, e := range h.snapshots {
		if e.Facts.User != "" || e.Facts.ExternalID != "" {
			o.User, o.ExternalID = e.Facts.User, e.Facts.ExternalID
		}
		if _, _, ok := h.prices.of(e.Facts); ok {
			ours = i
			bought = bought || e.Facts.Status != Incomplete && e.Facts.Status != IncompleteExpired
		}
	}
	if !bought {
		return o
	}
	facts := h.snapshots[ours].Facts
	plan, item, _ := h.prices.of(facts)
	o.Plan, o.State, o.PaidThrough = plan, state(facts.Status), h.until(ours)
	switch {
	case facts.Plan != "": // stated by the source
		o.Ends = o.State == Cancelled
	case h.collected(ours):
		o.Ends = facts.Paused || facts.CancelAt > 0 && facts.CancelAt <= item.End
	default:
		o.Ends = facts.Status != PastDue && facts.Status != Unpaid && !facts.Failed
		if facts.Status == Active {
			o.State = Cancelled
		}
		for i := ours - 1; i >= 0; i-- {
			plan, _, ok := h.prices.of(h.snapshots[i].Facts)
			if ok && h.collected(i) {
				o.Plan = plan
				break
			}
			if ok {
				o.PaidThrough = earlier(o.PaidThrough, h.until(i))
			}
		}
	}
	if ours < len(h.snapshots)-1 { // it has changed to an unknown price
		o.State, o.PaidThrough, o.Ends = Cancelled, earlier(o.PaidThrough, h.snapshots[ours+1].At.Truncate(time.Second)), true
	}
	return o
}

// state maps a status of the source to an outcome's state: a subscription that is no longer paid for is cancelled.
func state(status Status) Status {
	if status.pays() || status == PastDue {
		return status
	}
	return Cancelled
}

// collected reports whether a snapshot with a known price says that its period is paid.
func (h history) collected(i int) bool {
	return h.snapshots[i].Facts.Status.pays() && !h.skipped(i)
}

// skipped reports whether the period of a snapshot began while collection was paused and has not been paid since.
func (h history) skipped(i int) bool {
	facts := h.snapshots[i].Facts
	_, item, _ := h.prices.of(facts)
	if facts.Plan != "" || facts.Status == Trialing || facts.Status == Paused || slices.Contains(h.paid, item.End) {
		return false
	}
	first := i
	for j := i - 1; j >= 0; j-- {
		if _, earlier, ok := h.prices.of(h.snapshots[j].Facts); ok && earlier.Start == item.Start {
			first = j
		}
	}
	began := h.snapshots[first].Facts
	return began.Paused && !began.PausedNow || first > 0 && h.snapshots[first-1].Facts.Paused
}

// until returns the end of the paid time as far as one snapshot tells, taking into account whether its period was paid.
func (h history) until(i int) time.Time {
	e := h.snapshots[i]
	f := e.Facts
	if f.Plan != "" {
		return time.Unix(f.PaidThrough, 0).UTC()
	}
	_, item, _ := h.prices.of(f)
	end := item.End
	bound := func(t int64) {
		if t > 0 && t < end {
			end = t
		}
	}
	switch f.Status {
	case PastDue, Unpaid, Incomplete, IncompleteExpired:
		// The period itself is unpaid, unless an invoice paid it: then the unpaid part is an upgrade within it.
		if !slices.Contains(h.paid, item.End) {
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
		if h.skipped(i) {
			bound(item.Start)
		}
	}
	return time.Unix(end, 0).UTC()
}

// of returns the plan that the facts of a snapshot are about, and the item that buys it.
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

// refund is the full refund of a period of a subscription.
type refund struct {
	subscription string
	at, until    time.Time
}

// refunded lists the invoices that were refunded in full and whose subscription is known. An invoice may have been paid by
// several charges, each of which is refunded by itself.
func refunded(events []Event) []refund {
	type returns struct {
		refund
		total, amount int64
		full          bool
	}
	invoices := map[string]returns{}
	for _, e := range newest(events, Refund, func(e Event) string { return e.Facts.Charge }) {
		if !e.Facts.Full && e.Facts.Amount == 0 {
			continue
		}
		at := e.At.Truncate(time.Second).UTC()
		for _, payment := range paid(events, e.Facts) {
			invoice := cmp.Or(payment.Invoice, e.Facts.Charge)
			r, known := invoices[invoice]
			if !known || at.After(r.at) {
				r.at = at
			}
			r.subscription, r.until = payment.Subscription, time.Unix(payment.Until, 0)
			r.total = max(r.total, total(payment))
			r.amount, r.full = r.amount+e.Facts.Amount, r.full || e.Facts.Full
			invoices[invoice] = r
		}
	}
	var refunds []refund
	for _, r := range invoices {
		if r.total > 0 && r.amount >= r.total || r.total == 0 && r.full {
			refunds = append(refunds, r.refund)
		}
	}
	return refunds
}

// total returns the amount paid of the invoice of a payment, or of a refund that was looked up.
func total(f Facts) int64 {
	if f.Kind == Payment {
		return f.Amount
	}
	return f.Total
}

// Contested is a dispute about a payment of a subscription, with its status since At, in unix seconds.
type Contested struct {
	ID     string
	Status DisputeStatus
	At     int64
}

// Disputes lists, sorted by id, the disputes about payments of each subscription whose payment is known.
func Disputes(events []Event) map[string][]Contested {
	disputes := map[string][]Contested{}
	for id, e := range newest(events, Dispute, func(e Event) string { return e.Subject }) {
		dispute := Contested{id, e.Facts.Dispute, e.At.Unix()}
		for _, payment := range paid(events, e.Facts) {
			if all := disputes[payment.Subscription]; !slices.Contains(all, dispute) {
				disputes[payment.Subscription] = append(all, dispute)
			}
		}
	}
	for _, all := range disputes {
		slices.SortFunc(all, func(a, b Contested) int { return cmp.Compare(a.ID, b.ID) })
	}
	return disputes
}

// newest returns the newest event of a kind for each key.
func newest(events []Event, kind Kind, key func(Event) string) map[string]Event {
	found := map[string]Event{}
	for _, e := range events {
		if last, ok := found[key(e)]; e.Facts.Kind == kind && (!ok || compare(e, last) > 0) {
			found[key(e)] = e
		}
	}
	return found
}

// paid returns the facts about what the payment that f names was for.
func paid(events []Event, f Facts) []Facts {
	if f.Subscription != "" && (f.Until > 0 || f.Kind == Dispute) {
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
