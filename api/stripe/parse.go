package stripe

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/billing"
)

// Parse parses an event whose signature has been verified. ok is false for types that are irrelevant to subscriptions. It
// fails with [ErrForeign] and [ErrInvalid]. Even then, the event has its id if the body contained one.
func (r *Receiver) Parse(body []byte) (event billing.Event, ok bool, err error) {
	var e struct {
		ID       string `json:"id"`
		Object   string `json:"object"`
		Type     string `json:"type"`
		Account  string `json:"account"`
		Context  string `json:"context"`
		Created  int64  `json:"created"`
		Livemode bool   `json:"livemode"`
		Data     struct {
			Object   jsontext.Value `json:"object"`
			Previous jsontext.Value `json:"previous_attributes"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &e) != nil || e.Object != "event" || e.ID == "" || len(e.ID) > 255 || e.Created <= 0 {
		return billing.Event{}, false, ErrInvalid
	}
	event = billing.Event{Source: billing.Stripe, ID: e.ID, At: time.Unix(e.Created, 0).UTC()}
	// Events of connected accounts name that account; the platform account's own events name none.
	for _, account := range []string{e.Account, e.Context} {
		if account != "" && account != r.account {
			return event, false, ErrForeign
		}
	}
	if r.account != "" && e.Account == "" && e.Context == "" || r.live != nil && *r.live != e.Livemode {
		return event, false, ErrForeign
	}
	switch {
	case strings.HasPrefix(e.Type, "customer.subscription."):
		event.Facts, event.Customer, err = parseSubscription(e.Data.Object)
		event.Subject, event.Rank = event.Facts.Subscription, billing.Rank(event.Facts.Status, stageOf(e.Type))
		if before, err := parseBefore(e.Data.Object, e.Data.Previous); err == nil {
			event.Facts.Before, event.Facts.PausedNow = before.Digest(), event.Facts.Paused && !before.Paused
		}
	case e.Type == "invoice.paid", e.Type == "invoice.payment_succeeded":
		event.Facts, event.Customer, err = parseInvoice(e.Data.Object)
		event.Subject = event.Facts.Invoice
		if err == nil && event.Facts.Subscription == "" {
			return event, false, nil // not for a subscription
		}
	case e.Type == "invoice_payment.paid":
		event.Facts, err = parseInvoicePayment(e.Data.Object)
		event.Subject = event.Facts.Invoice
		if err == nil && event.Facts.Charge+event.Facts.PaymentIntent == "" {
			return event, false, nil // paid elsewhere
		}
	case e.Type == "charge.refunded":
		event.Facts, event.Customer, err = parseCharge(e.Data.Object)
		event.Subject = event.Facts.Charge
		if event.Facts.Full {
			event.Rank = billing.RankFull
		}
		if err == nil && event.Customer == "" {
			return event, false, nil // no possible subscriber
		}
	case e.Type == "refund.failed":
		event.Facts, err = parseRefund(e.Data.Object)
		event.Subject, event.Rank = event.Facts.Charge, billing.RankFailed
		if err == nil && event.Facts.Charge == "" {
			return event, false, nil
		}
	case e.Type == "checkout.session.completed":
		event.Facts, event.Customer, err = parseCheckout(e.Data.Object)
		event.Subject = event.Facts.Subscription
		if err == nil && (event.Subject == "" || event.Facts.Reference == "") {
			return event, false, nil // without a subscription or a reference
		}
	case strings.HasPrefix(e.Type, "charge.dispute."):
		event.Facts, event.Subject, err = parseDispute(e.Data.Object)
		event.Rank = billing.DisputeRank(event.Facts.Dispute)
		if err == nil && event.Facts.Dispute == "" {
			return event, false, nil // an inquiry: no money is claimed back
		}
	default:
		return event, false, nil
	}
	if err != nil || event.Validate() != nil {
		return event, false, ErrInvalid
	}
	return event, true, nil
}

func stageOf(eventType string) billing.Stage {
	switch eventType {
	case "customer.subscription.created":
		return billing.Beginning
	case "customer.subscription.deleted":
		return billing.Ending
	}
	return billing.Changing
}

// reference is the id of another object, which Stripe may have expanded.
type reference string

// UnmarshalJSON accepts a string, an object with an id, or null.
func (r *reference) UnmarshalJSON(value []byte) error {
	var object struct {
		ID string `json:"id"`
	}
	if jsontext.Value(value).Kind() == '{' {
		err := json.Unmarshal(value, &object)
		*r = reference(object.ID)
		return err
	}
	return json.Unmarshal(value, (*string)(r))
}

// parseSubscription parses a Subscription. Up to 2025-03-31.basil it has one period; since then each item has its own.
func parseSubscription(value []byte) (facts billing.Facts, customer string, err error) {
	var s struct {
		Object   string            `json:"object"`
		ID       string            `json:"id"`
		Customer reference         `json:"customer"`
		Status   string            `json:"status"`
		Start    int64             `json:"current_period_start"`
		End      int64             `json:"current_period_end"`
		TrialEnd int64             `json:"trial_end"`
		CancelAt int64             `json:"cancel_at"`
		EndedAt  int64             `json:"ended_at"`
		Metadata map[string]string `json:"metadata"`
		Pause    *struct{}         `json:"pause_collection"`
		Details  struct {
			Reason string `json:"reason"`
		} `json:"cancellation_details"`
		Items struct {
			Data []struct {
				Price reference `json:"price"`
				Plan  reference `json:"plan"` // the older form of price
				Start int64     `json:"current_period_start"`
				End   int64     `json:"current_period_end"`
			} `json:"data"`
		} `json:"items"`
	}
	if json.Unmarshal(value, &s) != nil || s.Object != "subscription" {
		return billing.Facts{}, "", ErrInvalid
	}
	status := billing.Status(s.Status)
	if s.Status == "canceled" {
		status = billing.Cancelled
	}
	facts = billing.Facts{
		Kind: billing.Snapshot, Subscription: s.ID, Status: status, TrialEnd: s.TrialEnd, CancelAt: s.CancelAt, EndedAt: s.EndedAt,
		User: s.Metadata["holdfast_user"], Paused: s.Pause != nil, Failed: status == billing.Cancelled && s.Details.Reason == "payment_failed",
	}
	if facts.User == "" {
		facts.ExternalID = s.Metadata["external_id"]
	}
	for _, item := range s.Items.Data {
		one := billing.Item{Price: string(item.Price), Start: item.Start, End: item.End}
		if one.Price == "" {
			one.Price = string(item.Plan)
		}
		if one.End == 0 {
			one.Start, one.End = s.Start, s.End
		}
		facts.Items = append(facts.Items, one)
	}
	return facts, string(s.Customer), nil
}

// parseBefore returns the subscription's state before an event, from the attributes that the event lists as changed.
func parseBefore(object, previous jsontext.Value) (billing.Facts, error) {
	var now, was map[string]any
	if len(previous) == 0 || json.Unmarshal(object, &now) != nil || json.Unmarshal(previous, &was) != nil || was == nil {
		return billing.Facts{}, ErrInvalid
	}
	override(now, was)
	text, err := json.Marshal(now)
	if err != nil {
		return billing.Facts{}, ErrInvalid
	}
	facts, _, err := parseSubscription(text)
	return facts, err
}

// override replaces members of object with those of from, recursively if both are objects.
func override(object, from map[string]any) {
	for name, value := range from {
		inner, ok := value.(map[string]any)
		if present, both := object[name].(map[string]any); ok && both {
			override(present, inner)
		} else {
			object[name] = value
		}
	}
}

// parseCheckout parses a Checkout Session that created a subscription.
func parseCheckout(value []byte) (facts billing.Facts, customer string, err error) {
	var c struct {
		Object       string    `json:"object"`
		Customer     reference `json:"customer"`
		Subscription reference `json:"subscription"`
		Reference    string    `json:"client_reference_id"`
	}
	if json.Unmarshal(value, &c) != nil || c.Object != "checkout.session" {
		return billing.Facts{}, "", ErrInvalid
	}
	return billing.Facts{Kind: billing.Checkout, Subscription: string(c.Subscription), Reference: c.Reference}, string(c.Customer), nil
}

// disputeStatuses are the statuses of real disputes; all others belong to inquiries and prevented disputes.
var disputeStatuses = map[string]billing.DisputeStatus{
	"needs_response": billing.DisputeOpen, "under_review": billing.DisputeOpen, "won": billing.DisputeWon, "lost": billing.DisputeLost,
}

// parseDispute parses a Dispute. The status is empty for an inquiry.
func parseDispute(value []byte) (facts billing.Facts, id string, err error) {
	var d struct {
		Object        string    `json:"object"`
		ID            string    `json:"id"`
		Charge        reference `json:"charge"`
		PaymentIntent reference `json:"payment_intent"`
		Status        string    `json:"status"`
	}
	if json.Unmarshal(value, &d) != nil || d.Object != "dispute" {
		return billing.Facts{}, "", ErrInvalid
	}
	return billing.Facts{
		Kind: billing.Dispute, Charge: string(d.Charge), PaymentIntent: string(d.PaymentIntent), Dispute: disputeStatuses[d.Status],
	}, d.ID, nil
}

// parseInvoice parses a paid Invoice. It pays for the period of its lines, or for no period if it is for a change within
// one. The invoice's own period is the preceding one.
func parseInvoice(value []byte) (facts billing.Facts, customer string, err error) {
	type details struct {
		Subscription reference `json:"subscription"`
		Proration    bool      `json:"proration"`
	}
	var i struct {
		Object        string    `json:"object"`
		ID            string    `json:"id"`
		Customer      reference `json:"customer"`
		Status        string    `json:"status"`
		AmountPaid    int64     `json:"amount_paid"`
		Charge        reference `json:"charge"`         // until 2025-03-31.basil
		PaymentIntent reference `json:"payment_intent"` // likewise
		Subscription  reference `json:"subscription"`   // likewise
		Parent        struct {
			Subscription details `json:"subscription_details"`
		} `json:"parent"`
		Payments struct {
			Data []struct {
				Payment struct {
					Charge        reference `json:"charge"`
					PaymentIntent reference `json:"payment_intent"`
				} `json:"payment"`
			} `json:"data"`
		} `json:"payments"`
		Lines struct {
			Data []struct {
				Type      string `json:"type"`      // likewise
				Proration bool   `json:"proration"` // likewise
				Period    struct {
					End int64 `json:"end"`
				} `json:"period"`
				Parent struct {
					Type string  `json:"type"`
					Item details `json:"subscription_item_details"`
				} `json:"parent"`
			} `json:"data"`
		} `json:"lines"`
	}
	if json.Unmarshal(value, &i) != nil || i.Object != "invoice" || i.Status != "paid" {
		return billing.Facts{}, "", ErrInvalid
	}
	facts = billing.Facts{
		Kind: billing.Payment, Invoice: i.ID, Charge: string(i.Charge), PaymentIntent: string(i.PaymentIntent), Subscription: string(i.Subscription),
		Amount: i.AmountPaid,
	}
	if facts.Subscription == "" {
		facts.Subscription = string(i.Parent.Subscription.Subscription)
	}
	if payments := i.Payments.Data; len(payments) > 0 && facts.Charge == "" && facts.PaymentIntent == "" {
		facts.Charge, facts.PaymentIntent = string(payments[0].Payment.Charge), string(payments[0].Payment.PaymentIntent)
	}
	for _, line := range i.Lines.Data {
		recurring := line.Type == "subscription" || line.Parent.Type == "subscription_item_details"
		if recurring && !line.Proration && !line.Parent.Item.Proration {
			facts.Until = max(facts.Until, line.Period.End)
		}
	}
	return facts, string(i.Customer), nil
}

// parseInvoicePayment parses an InvoicePayment, which links a payment to an invoice since 2025-03-31.basil.
func parseInvoicePayment(value []byte) (billing.Facts, error) {
	var p struct {
		Object  string    `json:"object"`
		Invoice reference `json:"invoice"`
		Payment struct {
			Charge        reference `json:"charge"`
			PaymentIntent reference `json:"payment_intent"`
		} `json:"payment"`
	}
	if json.Unmarshal(value, &p) != nil || p.Object != "invoice_payment" {
		return billing.Facts{}, ErrInvalid
	}
	return billing.Facts{
		Kind: billing.Link, Invoice: string(p.Invoice), Charge: string(p.Payment.Charge), PaymentIntent: string(p.Payment.PaymentIntent),
	}, nil
}

// parseCharge parses a Charge that was refunded, in part or in full.
func parseCharge(value []byte) (facts billing.Facts, customer string, err error) {
	var c struct {
		Object        string    `json:"object"`
		ID            string    `json:"id"`
		Customer      reference `json:"customer"`
		Invoice       reference `json:"invoice"` // until 2025-03-31.basil
		PaymentIntent reference `json:"payment_intent"`
		Refunded      bool      `json:"refunded"` // in full
		Amount        int64     `json:"amount_refunded"`
	}
	if json.Unmarshal(value, &c) != nil || c.Object != "charge" {
		return billing.Facts{}, "", ErrInvalid
	}
	return billing.Facts{
		Kind: billing.Refund, Charge: c.ID, Invoice: string(c.Invoice), PaymentIntent: string(c.PaymentIntent), Full: c.Refunded, Amount: c.Amount,
	}, string(c.Customer), nil
}

// parseRefund parses a failed Refund.
func parseRefund(value []byte) (billing.Facts, error) {
	var refund struct {
		Object        string    `json:"object"`
		Charge        reference `json:"charge"`
		PaymentIntent reference `json:"payment_intent"`
	}
	if json.Unmarshal(value, &refund) != nil || refund.Object != "refund" {
		return billing.Facts{}, ErrInvalid
	}
	return billing.Facts{Kind: billing.Refund, Charge: string(refund.Charge), PaymentIntent: string(refund.PaymentIntent)}, nil
}
