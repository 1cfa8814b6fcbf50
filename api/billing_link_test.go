package api_test

import (
	"net/url"
	"testing"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

func TestParseBillingLinkRefuses(t *testing.T) {
	for _, template := range []string{
		"https://billing.example/{id}", "https://billing.example:8443/a/{id}/b?c=d#e", "https://billing.example/?customer={id}", "https://billing.example/#/{id}",
	} {
		if link, err := api.ParseBillingLink(template); err != nil || string(link) != template {
			t.Errorf("%s: %v", template, err)
		}
	}
	for _, template := range []string{
		"", "{id}", "/customers/{id}", "http://billing.example/{id}", "javascript:alert({id})", "https://{id}/", "https://billing.example{id}/",
		"https://{id}.billing.example/", "https://a:b@billing.example/{id}", "https://billing.example/", "https://billing.example/{id}/{id}",
		"https://billing.example/{customer}", "https://billing.example/{id}/{plan}", "https://billing.example/{id", "https:///{id}",
	} {
		if link, err := api.ParseBillingLink(template); err == nil {
			t.Errorf("took %s", link)
		}
	}
}

// TestBillingLinkLeadsToCustomer checks that a user's link has billing's id of the customer, else the external id, escaped.
func TestBillingLinkLeadsToCustomer(t *testing.T) {
	for _, c := range []struct{ template, external, customer, want string }{
		{"https://billing.example/c/{id}?x=1", "a/../b?c&d e", "", "https://billing.example/c/a%2F..%2Fb%3Fc&d%20e?x=1"},
		{"https://billing.example/?c={id}&d=1", "a&d=2#f", "", "https://billing.example/?c=a%26d%3D2%23f&d=1"},
		{"https://billing.example/c/{id}", "..", "", ""},
		{"https://billing.example/c/{id}", "", "", ""},
		{"https://billing.example/c/{id}", "crm-1", "cus_1", "https://billing.example/c/cus_1"},
		{"", "crm-1", "", ""},
	} {
		w := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
			a.BillingLink = api.BillingLink(c.template)
		})
		ada := w.browser()
		id := ada.register("Ada")
		if c.external != "" {
			ada.admin("PATCH", "/admin/v1/users/"+id, map[string]any{"external_id": c.external}).want(t, 200, "")
		}
		if c.customer != "" {
			for source, customer := range map[string]string{"stripe": c.customer, "webhook": "sub-1"} { // only Stripe says who pays
				w.connect().MustExec(`
					INSERT INTO billing_events (source, id, customer, subject, at, rank, facts, user_id, received_at)
					VALUES ($1, 'e-1', $2, 's', now(), 0, '{}', $3, now())`, source, customer, id)
			}
		}
		got, _ := ada.admin("GET", "/admin/v1/users/"+id, nil).want(t, 200, "").member("billing_url").(string)
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		if u, err := url.Parse(got); err != nil || got != "" && u.Host != "billing.example" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
