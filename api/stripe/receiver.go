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

// Config is what a receiver needs to know.
type Config struct {
	// Secrets are the endpoint's signing secrets ("whsec_…"): while one takes the other's place, both count.
	Secrets []string
	// Account is the connected account whose events these are; empty where the endpoint is of the account itself.
	Account string
	// Prices says which plan a price buys.
	Prices billing.Prices
	// Disputes is the effect of disputes on subscriptions.
	Disputes billing.DisputePolicy
	// APIKey, if there is one, has subscriptions fetched again. It also says whether the mode is live or test.
	APIKey string
	// APIURL is Stripe's API, if not at its usual place.
	APIURL string
}

// Receiver receives webhooks. It is safe for concurrent use.
type Receiver struct {
	secrets []string
	account string
	live    *bool // the mode of the API key; nil without one
	terms   billing.Terms
	api     *stripe.Client // nil without a key
}

var (
	// ErrSignature says that the body is not signed by Stripe for this endpoint, or too long ago.
	ErrSignature = errors.New("stripe: the signature does not fit, or is too old")
	// ErrForeign says that the event is of another account, or of the other mode, live or test.
	ErrForeign = errors.New("stripe: the event is of another account or mode")
	// ErrInvalid says that the body is no event that can be understood.
	ErrInvalid = errors.New("stripe: not an event")
)

// UnreachableError says that Stripe's API did not tell what was asked: the same event may succeed later.
type UnreachableError struct{ cause string }

func (e *UnreachableError) Error() string { return "stripe's API does not answer: " + e.cause }

// Unavailable is true, as of the store's own error of this kind.
func (*UnreachableError) Unavailable() bool { return true }

const (
	// tolerance is how old a signature may be.
	tolerance = webhook.DefaultTolerance
	// tryTimeout is how long one request to Stripe may take, fetchTimeout all that an event needs.
	tryTimeout   = 3 * time.Second
	fetchTimeout = 6 * time.Second
)

// New checks the configuration. An error names no secret.
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

// Verify checks the Stripe-Signature of a body, byte by byte as it came. It fails with [ErrSignature].
func (r *Receiver) Verify(body []byte, signature string) error {
	for _, secret := range r.secrets {
		if webhook.ValidatePayloadWithTolerance(body, signature, secret, tolerance) == nil {
			return nil
		}
	}
	return ErrSignature
}

// Refresh returns a function that replaces an event's facts by the current ones from Stripe's API, or nil without an API key.
// It fetches the subscription of a snapshot, and what a refund or dispute is for if the event does not say. Facts that Stripe
// does not know, or no longer, stay as they are. The function fails with [*UnreachableError].
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

// refreshReturn finds the subscription, period, amount and customer of a charge that is refunded or disputed.
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

// as makes a request one about the connected account.
func (r *Receiver) as(params *stripe.Params) {
	if r.account != "" {
		params.SetStripeAccount(r.account)
	}
}

// unlessMissing is the failure of a request, unless Stripe has said that there is no such thing. What Stripe says besides
// stays out of logs, but for its code.
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
