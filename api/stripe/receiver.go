package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"holdfast/entitlements/billing"
)

// Config configures a receiver.
type Config struct {
	// Secrets are the endpoint's signing secrets ("whsec_…"). During a rotation, the old and the new secret are both
	// accepted.
	Secrets []string
	// Account is the connected account whose events are received; empty if the endpoint belongs to the account itself.
	Account string
	// Prices maps prices to plans.
	Prices billing.Prices
	// Disputes is the effect of disputes on subscriptions.
	Disputes billing.DisputePolicy
	// APIKey is optional. With it, subscriptions are fetched again; it also determines the mode, live or test.
	APIKey string
	// APIURL replaces the address of Stripe's API; empty means the usual one.
	APIURL string
}

// Receiver receives webhooks. It is safe for concurrent use.
type Receiver struct {
	secrets []string
	account string
	live    *bool // of the API key; nil without one
	terms   billing.Terms
	api     *stripe.Client // nil without a key
}

var (
	// ErrSignature is returned for a body that Stripe has not signed for this endpoint, or has signed too long ago.
	ErrSignature = errors.New("stripe: the signature does not fit, or is too old")
	// ErrForeign is returned for an event of another account or of the other mode, live or test.
	ErrForeign = errors.New("stripe: the event is of another account or mode")
	// ErrInvalid is returned for a body that is not a valid event.
	ErrInvalid = errors.New("stripe: not an event")
)

// UnreachableError is returned when a request to Stripe's API failed: the same event may succeed later.
type UnreachableError struct{ cause string }

func (e *UnreachableError) Error() string { return "stripe's API does not answer: " + e.cause }

// Unavailable returns true; the store's own error of this kind has the same method.
func (*UnreachableError) Unavailable() bool { return true }

const (
	// tolerance is the maximum age of a signature.
	tolerance = webhook.DefaultTolerance
	// tryTimeout limits one request to Stripe, fetchTimeout all requests for one event.
	tryTimeout   = 3 * time.Second
	fetchTimeout = 6 * time.Second
)

// New checks the configuration. Errors contain no secret.
func New(c Config) (*Receiver, error) {
	if len(c.Secrets) == 0 {
		return nil, errors.New("there is no signing secret")
	}
	for _, secret := range c.Secrets {
		if name, ok := strings.CutPrefix(secret, "whsec_"); !ok || len(name) < 16 {
			return nil, errors.New("a signing secret of a Stripe endpoint begins with whsec_ and has 16 characters more, or many more")
		}
	}
	r := &Receiver{secrets: slices.Clone(c.Secrets), account: c.Account, terms: billing.Terms{Prices: slices.Clone(c.Prices), Disputes: c.Disputes}}
	if c.APIKey == "" {
		return r, nil
	}
	switch kind := c.APIKey[:min(len(c.APIKey), len("sk_live_"))]; kind {
	case "sk_live_", "rk_live_", "sk_test_", "rk_test_":
		r.live = new(kind[3:] == "live_")
	default:
		return nil, errors.New("a secret or restricted key of Stripe's API begins with sk_live_, rk_live_, sk_test_ or rk_test_")
	}
	backend := &stripe.BackendConfig{
		HTTPClient: &http.Client{
			Timeout:       tryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		EnableTelemetry:   stripe.Bool(false),
		MaxNetworkRetries: stripe.Int64(1),
	}
	if c.APIURL != "" {
		backend.URL = stripe.String(c.APIURL)
	}
	r.api = stripe.NewClient(c.APIKey, stripe.WithBackends(stripe.NewBackendsWithConfig(backend)))
	return r, nil
}

// Terms returns the terms that events are judged by.
func (r *Receiver) Terms() billing.Terms { return r.terms }

// Verify checks the Stripe-Signature header over the exact bytes of the body. It fails with [ErrSignature].
func (r *Receiver) Verify(body []byte, signature string) error {
	for _, secret := range r.secrets {
		if webhook.ValidatePayloadWithTolerance(body, signature, secret, tolerance) == nil {
			return nil
		}
	}
	return ErrSignature
}

// Refresh returns a function that replaces an event's facts with current ones from Stripe's API, or nil without an API key.
// It fetches the subscription of a snapshot and, if the event does not name it, the subscription of a refund or dispute.
// Facts about objects that Stripe does not know, or no longer knows, stay unchanged. The function fails with
// [*UnreachableError].
func (r *Receiver) Refresh() func(context.Context, *billing.Event) error {
	if r.api == nil {
		return nil
	}
	return func(ctx context.Context, event *billing.Event) error {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		switch f := &event.Facts; {
		case f.Kind == billing.Snapshot:
			return r.refreshSnapshot(ctx, event)
		case (f.Kind == billing.Refund && f.Full || f.Kind == billing.Dispute) && f.Subscription == "":
			return r.refreshReturn(ctx, event)
		}
		return nil
	}
}

func (r *Receiver) refreshSnapshot(ctx context.Context, event *billing.Event) error {
	params := &stripe.SubscriptionRetrieveParams{}
	r.as(&params.Params)
	found, err := r.api.V1Subscriptions.Retrieve(ctx, event.Facts.Subscription, params)
	if err != nil {
		return unlessMissing(ctx, err)
	}
	facts, customer, err := parseSubscription(found.LastResponse.RawJSON)
	if err != nil || facts.Subscription != event.Facts.Subscription || customer != event.Customer {
		return &UnreachableError{"it tells of something else than what was asked for"}
	}
	facts.Fetched = true
	event.Facts, event.Rank = facts, billing.Rank(facts.Status, billing.Changing)
	return nil
}

// refreshReturn looks up the subscription, period, amount and customer of a refunded or disputed charge.
func (r *Receiver) refreshReturn(ctx context.Context, event *billing.Event) error {
	refund := &event.Facts
	if refund.Invoice == "" && refund.PaymentIntent != "" {
		params := &stripe.InvoicePaymentListParams{Payment: &stripe.InvoicePaymentListPaymentParams{
			Type: stripe.String("payment_intent"), PaymentIntent: stripe.String(refund.PaymentIntent),
		}}
		if r.account != "" {
			params.SetStripeAccount(r.account)
		}
		for payment, err := range r.api.V1InvoicePayments.List(ctx, params).All(ctx) {
			if err != nil {
				return unlessMissing(ctx, err)
			}
			if payment.Invoice != nil {
				refund.Invoice = payment.Invoice.ID
				break
			}
		}
	}
	if refund.Invoice == "" {
		return nil
	}
	params := &stripe.InvoiceRetrieveParams{}
	r.as(&params.Params)
	found, err := r.api.V1Invoices.Retrieve(ctx, refund.Invoice, params)
	if err != nil {
		return unlessMissing(ctx, err)
	}
	invoice, customer, err := parseInvoice(found.LastResponse.RawJSON)
	if err != nil {
		return &UnreachableError{"it tells of something else than what was asked for"}
	}
	refund.Subscription, refund.Until, refund.Total = invoice.Subscription, invoice.Until, invoice.Amount
	event.Customer = cmp.Or(event.Customer, customer)
	return nil
}

// as directs a request at the connected account.
func (r *Receiver) as(params *stripe.Params) {
	if r.account != "" {
		params.SetStripeAccount(r.account)
	}
}

// unlessMissing returns the error of a request, or nil if Stripe reports that the object does not exist. Only the code of
// Stripe's answer reaches the logs.
func unlessMissing(ctx context.Context, err error) error {
	told := (*stripe.Error)(nil)
	switch {
	case errors.As(err, &told) && told.HTTPStatusCode == http.StatusNotFound:
		return nil
	case errors.As(err, &told):
		return &UnreachableError{fmt.Sprintf("status %d %s", told.HTTPStatusCode, told.Code)}
	case ctx.Err() != nil:
		return &UnreachableError{"it takes too long"}
	}
	return &UnreachableError{"the connection fails"}
}
