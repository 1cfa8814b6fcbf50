package billing

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Sources of events. An event's id is unique within its source.
const (
	Stripe  = "stripe"
	Webhook = "webhook" // any system, by Standard Webhooks
)

// UnclaimedLife is how long an event of an unknown user is kept: ten times as long as any billing system retries.
const UnclaimedLife = 30 * 24 * time.Hour

// Event is one report of a billing system.
type Event struct {
	Source string
	ID     string
	// Customer groups the events that belong together, by the source's customer id. Empty if the event does not say;
	// then the customer is that of another event about the same subject.
	Customer string
	// Subject is the subscription, invoice, charge, checkout or dispute that the event is about.
	Subject string
	// At and Rank order events, and then the id: see [Rank].
	At    time.Time
	Rank  int
	Facts Facts
}

// Kind says what the facts are about, and which of them are set.
type Kind string

const (
	Snapshot Kind = "snapshot" // a whole subscription, as it was
	Payment  Kind = "payment"  // an invoice of a subscription was paid
	Link     Kind = "link"     // which payment was for which invoice, if neither of them says so
	Refund   Kind = "refund"   // a charge was refunded, or its refund failed
	Checkout Kind = "checkout" // which user a customer and their new subscription belong to
	Dispute  Kind = "dispute"  // the payer's bank wants a charge back
)

// Facts are the stored facts of an event. Times are unix seconds; 0 means none.
type Facts struct {
	Kind         Kind   `json:"kind"`
	Subscription string `json:"subscription,omitzero"` // of all kinds except Link, if known

	// Of a snapshot. User, a Holdfast id, or ExternalID names the subscriber; if neither does, see [Outcome].
	User       string `json:"user,omitzero"`
	ExternalID string `json:"external_id,omitzero"`
	Status     Status `json:"status,omitzero"`
	Items      []Item `json:"items,omitzero"`
	TrialEnd   int64  `json:"trial_end,omitzero"`
	CancelAt   int64  `json:"cancel_at,omitzero"`
	EndedAt    int64  `json:"ended_at,omitzero"`
	// Plan and PaidThrough, in place of items, state directly what is otherwise derived.
	Plan        string `json:"plan,omitzero"`
	PaidThrough int64  `json:"paid_through,omitzero"`
	// Fetched says that the snapshot was fetched after the event arrived, so that it is newer than the event itself.
	Fetched bool `json:"fetched,omitzero"`
	// Paused says that invoices are not collected, PausedNow that the pause began with the event.
	Paused    bool `json:"paused,omitzero"`
	PausedNow bool `json:"paused_now,omitzero"`
	// Failed says that the subscription was cancelled because a payment had failed.
	Failed bool `json:"failed,omitzero"`
	// Before is the [Facts.Digest] of the subscription before the event, if the event tells.
	Before string `json:"before,omitzero"`

	// Reference is the customer's user id or external id that was given to a checkout.
	Reference string `json:"reference,omitzero"`

	// Of payments, links, refunds and disputes: the ids that tie them to each other.
	Invoice       string `json:"invoice,omitzero"`
	Charge        string `json:"charge,omitzero"`
	PaymentIntent string `json:"payment_intent,omitzero"`
	// Until is the end of the period that an invoice was for. A refund has it if the invoice was looked up.
	Until int64 `json:"until,omitzero"`
	Full  bool  `json:"full,omitzero"` // of a refund: the whole charge was refunded
	// Amounts, in the smallest unit of the currency; 0 is unknown. Amount is the amount paid of an invoice, or refunded
	// of a charge. Total is the amount paid of a refund's invoice, if that was looked up.
	Amount int64 `json:"amount,omitzero"`
	Total  int64 `json:"total,omitzero"`
	// Dispute is the status of a dispute.
	Dispute DisputeStatus `json:"dispute,omitzero"`
}

// Digest returns a hash of the state that a snapshot describes, whatever led to it.
func (f Facts) Digest() string {
	f.Before, f.Fetched, f.PausedNow = "", false, false
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings, numbers and booleans marshal
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// DisputeStatus is the status of a dispute.
type DisputeStatus string

// The statuses of disputes. The last two are final.
const (
	DisputeOpen DisputeStatus = "open"
	DisputeWon  DisputeStatus = "won" // the payment stands
	DisputeLost DisputeStatus = "lost"
)

// Item is one price of a subscription, with its current period.
type Item struct {
	Price string `json:"price"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

// Status is the status of a whole subscription in a snapshot.
type Status string

// The statuses. The first four are also the possible states of an [Outcome].
const (
	Trialing          Status = "trialing"
	Active            Status = "active"
	PastDue           Status = "past_due"
	Cancelled         Status = "cancelled"
	Unpaid            Status = "unpaid"             // the system no longer tries to collect
	Paused            Status = "paused"             // a trial has ended without a payment method
	Incomplete        Status = "incomplete"         // the first payment is missing
	IncompleteExpired Status = "incomplete_expired" // the first payment never came
)

// statusRank orders statuses within one second: those that usually come later in a subscription's life are higher, and
// final ones are the highest.
var statusRank = map[Status]int{
	Incomplete: 0, Trialing: 1, Active: 2, Paused: 3, PastDue: 4, Unpaid: 5, IncompleteExpired: 6, Cancelled: 7,
}

// Known reports whether the status is a valid one.
func (s Status) Known() bool {
	_, known := statusRank[s]
	return known
}

// pays reports whether a subscription of this status counts as paid for, up to the end of its period.
func (s Status) pays() bool { return s == Trialing || s == Active }

// final reports whether no status follows this one.
func (s Status) final() bool { return s == Cancelled || s == IncompleteExpired }

// Stage is the position of an event in a subscription's life, by its type.
type Stage int

const (
	Beginning Stage = iota
	Changing
	Ending
)

// Rank orders snapshots of the same second: by status first, by the event's type second.
func Rank(status Status, stage Stage) int { return statusRank[status]*4 + int(stage) }

// Ranks of refunds in the same second: a charge is refunded part by part, and a refund may fail after that.
const (
	RankPart = iota
	RankFull
	RankFailed
)

// DisputeRank orders events about one dispute in the same second.
func DisputeRank(status DisputeStatus) int {
	if status == DisputeOpen {
		return 0
	}
	return 1
}

// Ties returns the ids that tie the event to others: two events that share one concern the same customer.
func (e Event) Ties() []string {
	f := e.Facts
	ties := []string{e.Subject, f.Subscription, f.Invoice, f.Charge, f.PaymentIntent}
	slices.Sort(ties)
	return slices.DeleteFunc(slices.Compact(ties), func(tie string) bool { return tie == "" })
}

// compare orders events of one source: the highest is the newest. For snapshots that name the state before, [arrange] is
// more exact.
func compare(a, b Event) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
}

// ErrInvalid is returned for an event that cannot be kept.
var ErrInvalid = errors.New("invalid event")

// maxText is the longest id, in bytes, and maxItems the largest number of prices of a subscription.
const (
	maxText  = 255
	maxItems = 100
)

// Validate checks that the event can be stored. It fails with [ErrInvalid].
func (e Event) Validate() error {
	f := e.Facts
	needed := []string{e.Source, e.ID, e.Subject}
	switch f.Kind {
	case Snapshot:
		needed = append(needed, e.Customer, f.Subscription)
		if !f.Status.Known() || len(f.Items) > maxItems || f.User != "" && f.ExternalID != "" {
			return ErrInvalid
		}
		if f.Plan != "" && (f.PaidThrough <= 0 || f.User+f.ExternalID == "") {
			return ErrInvalid
		}
	case Payment:
		needed = append(needed, e.Customer, f.Invoice, f.Subscription)
	case Link:
		needed = append(needed, f.Invoice, f.Charge+f.PaymentIntent)
	case Refund:
		needed = append(needed, f.Charge)
	case Checkout:
		needed = append(needed, e.Customer, f.Subscription, f.Reference)
	case Dispute:
		needed = append(needed, f.Charge)
		if !slices.Contains([]DisputeStatus{DisputeOpen, DisputeWon, DisputeLost}, f.Dispute) {
			return ErrInvalid
		}
	default:
		return ErrInvalid
	}
	for _, text := range needed {
		if text == "" {
			return ErrInvalid
		}
	}
	texts := []string{e.Source, e.ID, e.Customer, e.Subject, f.Subscription, f.User, f.ExternalID, f.Plan, f.Invoice, f.Charge, f.PaymentIntent, f.Reference, f.Before}
	times := []int64{f.TrialEnd, f.CancelAt, f.EndedAt, f.PaidThrough, f.Until, e.At.Unix()}
	if f.Amount < 0 || f.Total < 0 {
		return ErrInvalid
	}
	for _, item := range f.Items {
		// Without a period, it would have ended in 1970: an event that cannot be understood must not take anything away.
		if f.Plan == "" && (item.Start <= 0 || item.End <= 0) {
			return ErrInvalid
		}
		texts, times = append(texts, item.Price), append(times, item.Start, item.End)
	}
	for _, text := range texts {
		if len(text) > maxText || !utf8.ValidString(text) || !printable(text) {
			return ErrInvalid
		}
	}
	for _, t := range times {
		if t < 0 || t > maxTime {
			return ErrInvalid
		}
	}
	return nil
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

func printable(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
