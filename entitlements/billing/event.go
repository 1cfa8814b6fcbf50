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
	Webhook = "webhook" // anybody's, as Standard Webhooks
)

// UnclaimedLife is how long an event is kept of which nobody knows the user: ten times as long as any system retries.
const UnclaimedLife = 30 * 24 * time.Hour

// Event is one thing that a billing system reported.
type Event struct {
	Source string
	ID     string
	// Customer is whose events belong together, as the source names them. Empty where the event does not tell; then it is
	// the customer of another event about the same subject.
	Customer string
	// Subject is the subscription, invoice, charge, checkout or dispute that the event is about.
	Subject string
	// At and Rank order events, and after them the id: see [Rank].
	At    time.Time
	Rank  int
	Facts Facts
}

// Kind says what the facts are about, and which of them there are.
type Kind string

const (
	Snapshot Kind = "snapshot" // a whole subscription, as it was
	Payment  Kind = "payment"  // an invoice of a subscription was paid
	Link     Kind = "link"     // which payment was for which invoice, where neither of the two says so itself
	Refund   Kind = "refund"   // money of a charge went back, or did not after all
	Checkout Kind = "checkout" // whose a customer and their new subscription are
	Dispute  Kind = "dispute"  // the payer's bank wants a charge back
)

// Facts is what is kept of an event. Times are unix seconds; 0 is none.
type Facts struct {
	Kind         Kind   `json:"kind"`
	Subscription string `json:"subscription,omitzero"` // of all but a Link, where it is known

	// Of a snapshot. User, one of our ids, or ExternalID names the subscriber; where neither does, see [Outcome].
	User       string `json:"user,omitzero"`
	ExternalID string `json:"external_id,omitzero"`
	Status     Status `json:"status,omitzero"`
	Items      []Item `json:"items,omitzero"`
	TrialEnd   int64  `json:"trial_end,omitzero"`
	CancelAt   int64  `json:"cancel_at,omitzero"`
	EndedAt    int64  `json:"ended_at,omitzero"`
	// Plan and PaidThrough, in place of items, are the source's own word for what is worked out otherwise.
	Plan        string `json:"plan,omitzero"`
	PaidThrough int64  `json:"paid_through,omitzero"`
	// Fetched says that the snapshot was fetched after the event had come, so that it is newer than the event itself.
	Fetched bool `json:"fetched,omitzero"`
	// Paused says that invoices are not collected, PausedNow that the pause began with the event.
	Paused    bool `json:"paused,omitzero"`
	PausedNow bool `json:"paused_now,omitzero"`
	// Failed says that the subscription was cancelled because a payment had failed.
	Failed bool `json:"failed,omitzero"`
	// Before is the [Facts.Digest] of the subscription before the event, if the event tells.
	Before string `json:"before,omitzero"`

	// Reference is the customer's user id or external id that a checkout was given.
	Reference string `json:"reference,omitzero"`

	// Of payments, links, refunds and disputes: what ties them to each other.
	Invoice       string `json:"invoice,omitzero"`
	Charge        string `json:"charge,omitzero"`
	PaymentIntent string `json:"payment_intent,omitzero"`
	// Until is the end of the period that an invoice was for. A refund has it where the invoice was looked up.
	Until int64 `json:"until,omitzero"`
	Full  bool  `json:"full,omitzero"` // of a refund: nothing of the charge is left
	// Amounts, in the smallest unit of the currency; 0 is unknown. Amount is what was paid of an invoice, or has gone back of
	// a charge. Total is what was paid of a refund's invoice, where that was looked up.
	Amount int64 `json:"amount,omitzero"`
	Total  int64 `json:"total,omitzero"`
	// Dispute is the status of a dispute.
	Dispute DisputeStatus `json:"dispute,omitzero"`
}

// Digest returns a hash of the state that a snapshot describes, without how it came about.
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

// Item is one price of a subscription, with the period that it is in.
type Item struct {
	Price string `json:"price"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

// Status is what a snapshot says of the subscription as a whole.
type Status string

// The statuses. The first four are also the states that a subscription can come to.
const (
	Trialing          Status = "trialing"
	Active            Status = "active"
	PastDue           Status = "past_due"
	Cancelled         Status = "cancelled"
	Unpaid            Status = "unpaid"             // the system has given up collecting
	Paused            Status = "paused"             // a trial has ended without a way to pay
	Incomplete        Status = "incomplete"         // the first payment is still missing
	IncompleteExpired Status = "incomplete_expired" // and now it never comes
)

// statusRank orders statuses within one second: what usually comes later in a subscription's life is higher, and what
// is final is the highest.
var statusRank = map[Status]int{
	Incomplete: 0, Trialing: 1, Active: 2, Paused: 3, PastDue: 4, Unpaid: 5, IncompleteExpired: 6, Cancelled: 7,
}

// Known says whether there is such a status.
func (s Status) Known() bool {
	_, known := statusRank[s]
	return known
}

// pays says whether a subscription of this status counts as paid for, up to the end of its period.
func (s Status) pays() bool { return s == Trialing || s == Active }

// final reports whether no status follows this one.
func (s Status) final() bool { return s == Cancelled || s == IncompleteExpired }

// Stage is where in a subscription's life an event comes by its type.
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

// compare orders events of one source: the highest is the newest. For snapshots that name the state before, [arrange] is more
// exact.
func compare(a, b Event) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
}

// ErrInvalid is returned for an event that cannot be kept.
var ErrInvalid = errors.New("invalid event")

// maxText is the longest id, in bytes, and maxItems the most prices that a subscription may have.
const (
	maxText  = 255
	maxItems = 100
)

// Validate says whether the event can be kept. It fails with [ErrInvalid].
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
		// Without a period it would be over since 1970: nobody loses anything by what cannot be understood.
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
