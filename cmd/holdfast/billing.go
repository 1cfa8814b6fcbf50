package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/api"
	"holdfast/api/stripe"
	"holdfast/entitlements"
	"holdfast/entitlements/billing"
)

// Billing configures the billing systems whose events the server accepts. Secrets are better set in the environment.
type Billing struct {
	StripeWebhookSecret  []string `env:"HOLDFAST_STRIPE_WEBHOOK_SECRET" placeholder:"SECRET" help:"Signing secret of the Stripe endpoint at /v1/billing/stripe (repeatable: both are accepted while you replace one)."`
	StripePrice          []string `env:"HOLDFAST_STRIPE_PRICE" placeholder:"PRICE=PLAN" help:"Stripe price, and the plan that it buys (repeatable; if a subscription has several, the first in this list counts)."`
	StripeAPIKey         string   `name:"stripe-api-key" env:"HOLDFAST_STRIPE_API_KEY" placeholder:"KEY" help:"Secret or restricted Stripe key: with it, the server fetches the subscription at each event. It must be allowed to read subscriptions and invoices."`
	StripeAccount        string   `env:"HOLDFAST_STRIPE_ACCOUNT" placeholder:"ACCOUNT" help:"Connected Stripe account whose events are accepted (default: the endpoint's own account)."`
	StripeDisputes       string   `env:"HOLDFAST_STRIPE_DISPUTES" enum:"suspend,lost,ignore" default:"suspend" help:"Effect of a payment dispute on the subscription: suspend (no features while it is open or after it is lost), lost (no features after it is lost) or ignore (only shown to support). Winning the dispute restores the features."`
	StripeAPIURL         string   `name:"stripe-api-url" env:"HOLDFAST_STRIPE_API_URL" hidden:""`
	BillingLink          string   `env:"HOLDFAST_BILLING_LINK" placeholder:"URL" help:"Address of a customer's page in the billing system, which the console links: https, with {id} for Stripe's customer, else for the external id."`
	BillingWebhookSecret []string `env:"HOLDFAST_BILLING_WEBHOOK_SECRET" placeholder:"SECRET" help:"Secret of another billing system that signs as Standard Webhooks do (whsec_…), for /v1/billing/webhook (repeatable: both are accepted while you replace one)."`
}

var stripeName = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,255}$`)

// prices returns the mapping of prices to plans, in the order of the flags.
func (c Billing) prices() (billing.Prices, error) {
	var prices billing.Prices
	for _, text := range c.StripePrice {
		price, plan, ok := strings.Cut(text, "=")
		if !ok || !stripeName.MatchString(price) || plan == "" {
			return nil, fmt.Errorf("--stripe-price %q is not PRICE=PLAN, such as price_1Ab…=premium", text)
		}
		if slices.ContainsFunc(prices, func(p billing.Price) bool { return p.Price == price }) {
			return nil, fmt.Errorf("--stripe-price names %s twice", price)
		}
		prices = append(prices, billing.Price{Price: price, Plan: plan})
	}
	return prices, nil
}

// link returns the template of links to the billing system, which may be empty.
func (c Billing) link() (api.BillingLink, error) {
	if c.BillingLink == "" {
		return "", nil
	}
	link, err := api.ParseBillingLink(c.BillingLink)
	if err != nil {
		return "", fmt.Errorf("--billing-link %q is %w", c.BillingLink, err)
	}
	return link, nil
}

// stripe returns the receiver of Stripe's webhooks, or nil without a secret.
func (c Billing) stripe() (*stripe.Receiver, error) {
	prices, err := c.prices()
	if err != nil {
		return nil, err
	}
	if len(c.StripeWebhookSecret) == 0 {
		if len(prices) > 0 || c.StripeAPIKey != "" || c.StripeAccount != "" {
			return nil, errors.New("--stripe-price, --stripe-api-key and --stripe-account need --stripe-webhook-secret")
		}
		return nil, nil
	}
	if len(prices) == 0 {
		return nil, errors.New("--stripe-webhook-secret needs --stripe-price: without one, no price buys anything")
	}
	if c.StripeAccount != "" && !stripeName.MatchString(c.StripeAccount) {
		return nil, fmt.Errorf("--stripe-account %q is not a Stripe account id (acct_…)", c.StripeAccount)
	}
	if u, err := url.Parse(c.StripeAPIURL); c.StripeAPIURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && !isLocal(u.Hostname())) {
		return nil, fmt.Errorf("--stripe-api-url %q is neither https nor on this machine", c.StripeAPIURL)
	}
	receiver, err := stripe.New(stripe.Config{
		Secrets: c.StripeWebhookSecret, Account: c.StripeAccount, Prices: prices, Disputes: billing.DisputePolicy(c.StripeDisputes), APIKey: c.StripeAPIKey, APIURL: c.StripeAPIURL,
	})
	if err != nil {
		return nil, fmt.Errorf("--stripe-webhook-secret or --stripe-api-key: %w", err)
	}
	return receiver, nil
}

// billingWebhook returns the receiver of other billing systems' webhooks, or nil without a secret.
func (c Billing) billingWebhook() (*api.WebhookReceiver, error) {
	if len(c.BillingWebhookSecret) == 0 {
		return nil, nil
	}
	receiver, err := api.NewWebhookReceiver(c.BillingWebhookSecret)
	if err != nil {
		return nil, fmt.Errorf("--billing-webhook-secret: %w", err)
	}
	return receiver, nil
}

// fieldbookPlan is the plan that Fieldbook sells. An admin may change it.
var fieldbookPlan = entitlements.Plan{
	ID:          "premium",
	Features:    map[string]entitlements.Feature{"export": {Offline: true}, "notes": {Offline: true}},
	Grace:       3 * 24 * time.Hour,
	DeviceLimit: 5,
	Rank:        10,
}

// setUpPlans puts Fieldbook's plan if Fieldbook is served, and logs plans that flags name but that do not exist yet. Until
// they do, nobody can start a trial, and events about their prices are refused.
func (c Config) setUpPlans(ctx context.Context, rights *entitlements.Service, log *slog.Logger) error {
	prices, err := c.prices()
	if err != nil {
		return err
	}
	if c.App == fieldbook {
		// A conflict means that the plan exists.
		if _, err := rights.PutPlan(ctx, "server", fieldbookPlan, "", new("")); err != nil && !errors.Is(err, entitlements.ErrConflict) {
			return err
		}
	}
	plans, err := rights.Plans(ctx)
	if err != nil {
		return err
	}
	exists := func(id string) bool {
		return slices.ContainsFunc(plans, func(p entitlements.Plan) bool { return string(p.ID) == id })
	}
	if c.Trial > 0 && !exists(c.TrialPlan) {
		log.Warn("--trial-plan names an unknown plan", "plan", c.TrialPlan)
	}
	for _, price := range prices {
		if !exists(price.Plan) {
			log.Warn("Stripe price names an unknown plan", "price", price.Price, "plan", price.Plan)
		}
	}
	return nil
}
