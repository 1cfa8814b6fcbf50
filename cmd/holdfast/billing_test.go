package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v85/webhook"
)

// TestFieldbookPutsItsPlan checks that a server with Fieldbook has its plan, as an admin left it, and any other has none.
func TestFieldbookPutsItsPlan(t *testing.T) {
	t.Parallel()
	config := configure(t, "--data="+filepath.Join(folder(t), "data"), "--admin-token="+bootstrapToken)
	plans := func(s *server) string {
		t.Helper()
		status, plans := ask(t, "GET", s.origin+"/admin/v1/plans", bootstrapToken, "")
		if status != http.StatusOK {
			t.Fatal(status, plans)
		}
		return strings.TrimSpace(plans)
	}
	bare := serve(t, config)
	if got := plans(bare); got != `{"plans":[]}` {
		t.Errorf("without an app: %s", got)
	}
	if log := bare.log.String(); !strings.Contains(log, "--trial-plan names an unknown plan") {
		t.Errorf("log: %s", log)
	}
	bare.stop(t)

	config.App = "fieldbook"
	first := serve(t, config)
	if got := plans(first); !strings.Contains(got, `"id":"premium"`) || !strings.Contains(got, `"grace":259200,"device_limit":5`) {
		t.Errorf("with Fieldbook: %s", got)
	}
	if log := first.log.String(); strings.Contains(log, "--trial-plan") {
		t.Errorf("log: %s", log)
	}
	if status, put := ask(t, "PUT", first.origin+"/admin/v1/plans/premium", bootstrapToken,
		`{"features":{},"grace":0,"device_limit":3,"rank":1,"reason":"another"}`); status != 200 {
		t.Fatal(status, put)
	}
	edited := plans(first)
	first.stop(t)
	if got := plans(serve(t, config)); got != edited {
		t.Errorf("after a restart: %s, want %s", got, edited)
	}
}

// TestBilling checks that the flags reach the routes, that the start warns of a price whose plan is missing, and that its
// events are refused until the plan exists.
func TestBilling(t *testing.T) {
	t.Parallel()
	const stripeSecret, nextSecret, billingSecret = "whsec_0123456789abcdef", "whsec_fedcba9876543210", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	s := serve(t, configure(t, "--data="+filepath.Join(folder(t), "data"), "--admin-token="+bootstrapToken, "--stripe-webhook-secret="+stripeSecret+","+nextSecret,
		"--stripe-price=price_1=premium", "--stripe-price=price_2=gold", "--billing-webhook-secret="+billingSecret, "--app=fieldbook"))
	log := s.log.String()
	if !strings.Contains(log, `"price":"price_2","plan":"gold"`) || strings.Contains(log, `"price":"price_1"`) || strings.Contains(log, "whsec_") {
		t.Errorf("log: %s", log)
	}
	status, made := ask(t, "POST", s.origin+"/admin/v1/users", bootstrapToken, `{"name":"Ada","external_id":"cus_1"}`)
	if status != http.StatusCreated {
		t.Fatal(status, made)
	}
	send := func(path, body string, header http.Header) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	stripe := func(secret, price string) int {
		body := `{"id":"evt_` + price + `","object":"event","type":"customer.subscription.created","created":1767225600,"data":{"object":{
			"id":"sub_` + price + `","object":"subscription","customer":"cus_1","status":"active",
			"items":{"data":[{"price":{"id":"` + price + `"},"current_period_start":1767225600,"current_period_end":1769904000}]}}}}`
		signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret})
		return send("/v1/billing/stripe", body, http.Header{"Stripe-Signature": {signed.Header}})
	}
	for i, c := range []struct {
		secret, price string
		want          int
	}{
		{stripeSecret, "price_1", 200}, {nextSecret, "price_1", 200}, {"whsec_another", "price_1", 401}, {stripeSecret, "price_2", 400},
	} {
		if got := stripe(c.secret, c.price); got != c.want {
			t.Errorf("%d: %d, want %d", i, got, c.want)
		}
	}
	plan := `{"features":{"export":{"offline":true}},"grace":0,"device_limit":5,"rank":1}`
	if status, put := ask(t, "PUT", s.origin+"/admin/v1/plans/gold", bootstrapToken, plan); status != 200 {
		t.Fatal(status, put)
	}
	if got := stripe(stripeSecret, "price_2"); got != 200 {
		t.Errorf("with the plan: %d", got)
	}

	key, err := standardwebhooks.NewWebhook(billingSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	body := `{"type":"subscription.updated","timestamp":"2026-01-01T00:00:00Z","data":{"id":"s-1","external_id":"cus_1","plan":"gold","state":"active","paid_through":"2099-01-01T00:00:00Z"}}`
	signature, err := key.Sign("m-1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Webhook-Id": {"m-1"}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signature}}
	if got := send("/v1/billing/webhook", body, header); got != 200 {
		t.Errorf("generic: %d", got)
	}
	if _, found := ask(t, "GET", s.origin+"/admin/v1/users?q=s-1", bootstrapToken, ""); !strings.Contains(found, `"external_id":"cus_1"`) {
		t.Errorf("found: %s", found)
	}
}
