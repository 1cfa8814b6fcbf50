package api

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/passkey"
)

const idPlace = "{id}"

// BillingLink is a template of the address of a customer's page in the billing system, with {id} in place of the customer's
// id. The zero value makes no links.
type BillingLink string

// ParseBillingLink checks the template: an https URL with {id}, once, after the host.
func ParseBillingLink(template string) (BillingLink, error) {
	wrong := errors.New("not an https URL with {id} once, after the host, such as https://dashboard.stripe.com/customers/{id}")
	before, after, _ := strings.Cut(template, idPlace)
	u, err := url.Parse(before + "x" + after)
	switch {
	case err != nil, u.Scheme != "https", u.Host == "", u.User != nil:
		return "", wrong
	case strings.Count(template, idPlace) != 1, strings.ContainsAny(before+after, "{}"):
		return "", wrong
	case !strings.HasPrefix(before, "https://"+u.Host+"/"):
		return "", wrong
	}
	return BillingLink(template), nil
}

// to returns the address for the customer, or "" if there is none. The id cannot leave its place in the address.
func (l BillingLink) to(customer string) string {
	if l == "" || customer == "" || customer == "." || customer == ".." {
		return ""
	}
	before, after, _ := strings.Cut(string(l), idPlace)
	escaped := url.PathEscape(customer)
	if strings.Contains(before, "?") {
		escaped = url.QueryEscape(customer)
	}
	return before + escaped + after
}

// billingURL returns the address of the user's page in the billing system: by Stripe's id of the customer, from the newest
// event that has one, else by the external id; "" if there is none.
func (s *server) billingURL(ctx context.Context, user passkey.User) (string, error) {
	if s.billingLink == "" {
		return "", nil
	}
	events, err := s.entitlements.BillingEvents(ctx, entitlements.UserID(user.ID))
	if err != nil {
		return "", err
	}
	customer := user.ExternalID
	for _, event := range events {
		if event.Source == billing.Stripe {
			customer = cmp.Or(event.Customer, customer)
		}
	}
	return s.billingLink.to(customer), nil
}
