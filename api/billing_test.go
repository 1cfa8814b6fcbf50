package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripewebhook "github.com/stripe/stripe-go/v85/webhook"

	"holdfast/api"
	"holdfast/api/stripe"
	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/passkey"
)

const (
	stripeSecret  = "whsec_0123456789abcdef0123456789abcdef"
	webhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

var stripePrices = billing.Prices{{Price: "price_premium_monthly", Plan: "premium"}}

func stripeReceiver(t *testing.T, change func(*stripe.Config)) *stripe.Receiver {
	config := stripe.Config{Secrets: []string{stripeSecret}, Prices: stripePrices}
	if change != nil {
		change(&config)
	}
	return must1(stripe.New(config))(t)
}

func receiving(receiver *stripe.Receiver) option {
	return func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.Stripe = receiver }
}

// stripeEvent returns a fixture of package stripe, about a customer of this name who is user.
func stripeEvent(t *testing.T, fixture, customer, user string) []byte {
	t.Helper()
	text := string(must1(os.ReadFile("stripe/testdata/" + fixture + ".json"))(t))
	for _, id := range []string{"sub_1Fieldbook", "cus_Ada", "in_2", "pi_2", "ch_2"} {
		text = strings.ReplaceAll(text, `"`+id+`"`, `"`+id+customer+`"`)
	}
	text = strings.ReplaceAll(text, `"evt_`, `"evt_`+customer)
	return []byte(strings.ReplaceAll(text, `"external_id": "crm-4711"`, `"holdfast_user": "`+user+`"`))
}

func stripeSignature(body []byte, at time.Time) string {
	return stripewebhook.GenerateTestSignedPayload(&stripewebhook.UnsignedPayload{Payload: body, Secret: stripeSecret, Timestamp: at}).Header
}

// stripes sends body as Stripe does.
func (b *browser) stripes(body []byte) answer {
	b.w.t.Helper()
	return b.do("POST", "/v1/billing/stripe", body, "Stripe-Signature", stripeSignature(body, time.Now()), "Content-Type", "application/json; charset=utf-8")
}

// webhookMessage returns a message of the generic webhook, and its id.
func webhookMessage(id, subscription, user string, paidThrough time.Time) (messageID, body string) {
	return id, fmt.Sprintf(`{"type":"subscription.updated","timestamp":%q,"data":{"id":%q,"user":%q,"plan":"premium","state":"active","paid_through":%q}}`,
		time.Now().UTC().Format(time.RFC3339Nano), subscription, user, paidThrough.UTC().Format(time.RFC3339))
}

func webhookHeaders(t *testing.T, id string, at time.Time, body string) []string {
	key := must1(standardwebhooks.NewWebhook(webhookSecret))(t)
	return []string{
		"webhook-id", id, "webhook-timestamp", strconv.FormatInt(at.Unix(), 10), "webhook-signature", must1(key.Sign(id, at, []byte(body)))(t),
	}
}

// sends sends a message as a system that follows Standard Webhooks does.
func (b *browser) sends(id, body string) answer {
	b.w.t.Helper()
	return b.do("POST", "/v1/billing/webhook", body, webhookHeaders(b.w.t, id, time.Now(), body)...)
}

// newUser creates a user without a passkey, which is cheap.
func (w *world) newUser(external string) (id string) {
	w.t.Helper()
	must(w.t, w.db.Get(&id, `INSERT INTO users (id, name, external_id, created_at) VALUES (gen_random_uuid(), 'Ada', nullif($1, ''), now()) RETURNING id`, external))
	must1(w.db.Exec(`INSERT INTO directory (kind, key, user_id) SELECT 'external id', external_id, id FROM users WHERE id = $1 AND external_id <> ''`, id))(w.t)
	return id
}

type row struct {
	Plan, State        string
	PaidThrough        time.Time `db:"paid_through"`
	Revoked, Suspended bool
}

func (w *world) subscriptions(user string) (rows []row) {
	w.t.Helper()
	must(w.t, w.db.Select(&rows, `SELECT plan, state, paid_through, revoked, suspended FROM subscriptions WHERE user_id = $1 ORDER BY id`, user))
	return rows
}

func TestStripeWebhook(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	user := ada.register("Ada")
	device, lineage := ada.link()
	begins := w.clock.now().Unix()
	const fixturesBegin, trial = 1767225600, 14 * 86400
	event := func(fixture string) []byte { // as if it happened from now on
		return regexp.MustCompile(`\b17[67]\d{7}\b`).ReplaceAllFunc(stripeEvent(t, fixture, "1", user), func(at []byte) []byte {
			return strconv.AppendInt(nil, must1(strconv.ParseInt(string(at), 10, 64))(t)-fixturesBegin+begins, 10)
		})
	}
	decision := func(lineage string) (document map[string]any, next string) {
		ada.fetchNonce()
		got := ada.reconcile(device, lineage).want(t, 200, "")
		return claims(t, got.text("document")), got.text("lineage")
	}
	sender := w.browser()
	take := func(fixture, outcome string) {
		t.Helper()
		got := sender.stripes(event(fixture)).want(t, 200, "")
		if got.text("outcome") != outcome {
			t.Fatalf("%s: %s, want %s", fixture, got.body, outcome)
		}
	}
	take("created", "applied")
	document, lineage := decision(lineage)
	if document["state"] != "active" || document["paid_through"] != float64(begins+trial) {
		t.Fatalf("document: %v", document)
	}
	take("created", "unchanged")
	take("trial_ended", "applied")
	take("paused", "unchanged") // late, and older
	take("invoice_paid", "unchanged")
	take("invoice_payment_paid", "unchanged")
	w.clock.forward(13 * 24 * time.Hour)
	take("refunded", "applied")
	w.clock.forward(16 * 24 * time.Hour) // after the refund and the grace
	if document, _ = decision(lineage); document["state"] != "expired" || document["reason"] != "lapsed" {
		t.Fatalf("document after the refund: %v", document)
	}
	other := event("created")
	if got := sender.stripes(bytes.Replace(other, []byte("customer.subscription.created"), []byte("customer.updated"), 1)).want(t, 200, ""); got.text("outcome") != "ignored" {
		t.Errorf("another type: %s", got.body)
	}

	// The log and the metrics name no person.
	log, metrics := w.log.String(), w.scrape()
	for _, line := range []string{
		`msg="billing event" request=`, `source=stripe event=evt_12paused outcome=unchanged`, `source=stripe event=evt_16refunded outcome=applied`,
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q", line)
		}
	}
	for _, personal := range []string{user, "cus_Ada", "=4242", "whsec", "v1="} {
		if strings.Contains(log, personal) {
			t.Errorf("the log holds %q", personal)
		}
	}
	for _, line := range []string{
		`holdfast_billing_events_total{outcome="applied",source="stripe"} 3`, `holdfast_billing_events_total{outcome="unchanged",source="stripe"} 4`,
		`holdfast_billing_events_total{outcome="ignored",source="stripe"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %q: %s", line, metrics)
		}
	}
	trail := sender.admin("GET", "/admin/v1/audit?user="+user, nil).want(t, 200, "")
	if n := strings.Count(string(trail.body), `"actor":"billing:stripe"`); n != 3 {
		t.Errorf("%d entries of Stripe in the trail: %s", n, trail.body)
	}
}

func (w *world) scrape() string {
	recorded := httptest.NewRecorder()
	api.NewOps(w.metrics, nil).ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return recorded.Body.String()
}

// TestBillingRefusals checks that forged, old, foreign, huge, deep or malformed webhooks are refused with their codes and
// nothing of them is stored.
func TestBillingRefusals(t *testing.T) {
	w := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		a.Stripe = stripeReceiver(t, func(c *stripe.Config) { c.APIKey, c.APIURL = "sk_test_0123456789", "http://localhost:1" })
	})
	user, sender, now := w.newUser(""), w.browser(), time.Now()
	good := stripeEvent(t, "created", "1", user)
	replaced := func(pairs ...string) []byte { return []byte(strings.NewReplacer(pairs...).Replace(string(good))) }
	deep := func(n int) []byte {
		return replaced(`"pending_webhooks": 1`, `"pending_webhooks": `+strings.Repeat("[", n)+strings.Repeat("]", n))
	}
	padded := func(size int) []byte { return append(slices.Clone(good), bytes.Repeat([]byte(" "), size-len(good))...) }
	signed := func(body []byte) []string { return []string{"Stripe-Signature", stripeSignature(body, now)} }
	type bad struct {
		name    string
		body    []byte
		headers []string
		status  int
		code    string
	}
	for _, c := range []bad{
		{"not signed", good, nil, 401, "unauthenticated"},
		{"nothing at all", nil, nil, 401, "unauthenticated"},
		{"forged", good, []string{"Stripe-Signature", fmt.Sprintf("t=%d,v1=%064d", now.Unix(), 0)}, 401, "unauthenticated"},
		{"another body", replaced("sub_1", "sub_2"), signed(good), 401, "unauthenticated"},
		{"one more byte", append(slices.Clone(good), '\n'), signed(good), 401, "unauthenticated"},
		{"too old", good, []string{"Stripe-Signature", stripeSignature(good, now.Add(-301*time.Second))}, 401, "unauthenticated"},
		{"two signatures", good, append(signed(good), signed(good)...), 401, "unauthenticated"},
		{"a token instead", good, []string{"Authorization", "Bearer " + adminSecret}, 401, "unauthenticated"},
		{"huge and forged", padded(512<<10 + 1), nil, 413, "payload_too_large"},
		{"huge", padded(512<<10 + 1), signed(padded(512<<10 + 1)), 413, "payload_too_large"},
		{"deep", deep(64), signed(deep(64)), 400, "invalid_request"},
		{"very deep", deep(100_000), signed(deep(100_000)), 400, "invalid_request"},
		{"of another type", good, append(signed(good), "Content-Type", "text/plain"), 415, "unsupported_media_type"},
		{"no JSON", []byte("{"), signed([]byte("{")), 400, "invalid_request"},
		{"a list", []byte("[]"), signed([]byte("[]")), 400, "invalid_request"},
		{"NUL", replaced("eur", `\u0000`), signed(replaced("eur", `\u0000`)), 400, "invalid_request"},
		{"two members of one name", replaced(`"livemode": false`, `"livemode": false, "livemode": false`), signed(replaced(`"livemode": false`, `"livemode": false, "livemode": false`)), 400, "invalid_request"},
		{"no end of a period", replaced("current_period_end", "period_end"), signed(replaced("current_period_end", "period_end")), 400, "invalid_request"},
		{"a connected account", replaced(`"object": "event"`, `"object": "event", "account": "acct_1"`), signed(replaced(`"object": "event"`, `"object": "event", "account": "acct_1"`)), 403, "forbidden"},
		{"live", replaced(`"livemode": false`, `"livemode": true`), signed(replaced(`"livemode": false`, `"livemode": true`)), 403, "forbidden"},
		{"Stripe does not answer", good, signed(good), 503, "unavailable"},
	} {
		got := sender.do("POST", "/v1/billing/stripe", c.body, append([]string{"Content-Type", "application/json"}, c.headers...)...)
		if got.StatusCode != c.status || got.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, got.StatusCode, got.body, c.status, c.code)
		}
		if (got.Header.Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s: Retry-After %q", c.name, got.Header.Get("Retry-After"))
		}
	}
	sender.do("GET", "/v1/billing/stripe", nil).want(t, 405, "method_not_allowed")

	id, message := webhookMessage("msg-1", "s-1", user, now.Add(time.Hour))
	edited := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(message) }
	at := func(body string) []string { return webhookHeaders(t, id, now, body) }
	without := func(name string) []string {
		headers := at(message)
		i := slices.Index(headers, name)
		return slices.Delete(headers, i, i+2)
	}
	const stranger = "00000000-0000-4000-8000-000000000000"
	type badMessage struct {
		name    string
		body    string
		headers []string
		status  int
		code    string
	}
	for _, c := range []badMessage{
		{"not signed", message, nil, 401, "unauthenticated"},
		{"no id", message, without("webhook-id"), 401, "unauthenticated"},
		{"no time", message, without("webhook-timestamp"), 401, "unauthenticated"},
		{"no signature", message, without("webhook-signature"), 401, "unauthenticated"},
		{"another id", message, append(without("webhook-id"), "webhook-id", "msg-2"), 401, "unauthenticated"},
		{"an odd id", message, webhookHeaders(t, "msg 1", now, message), 401, "unauthenticated"},
		{"two ids", message, append(at(message), "webhook-id", id), 401, "unauthenticated"},
		{"too old", message, webhookHeaders(t, id, now.Add(-301*time.Second), message), 401, "unauthenticated"},
		{"too new", message, webhookHeaders(t, id, now.Add(320*time.Second), message), 401, "unauthenticated"},
		{"another body", edited("active", "past_due"), at(message), 401, "unauthenticated"},
		{"huge", message + strings.Repeat(" ", 512<<10), nil, 413, "payload_too_large"},
		{"deep", edited(`"type"`, `"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+`,"type"`), nil, 400, "invalid_request"},
		{"no JSON", "{", nil, 400, "invalid_request"},
		{"no type", `{}`, nil, 400, "invalid_request"},
		{"no data", `{"type":"subscription.updated"}`, nil, 400, "invalid_request"},
		{"a state of another system", edited("active", "unpaid"), nil, 400, "invalid_request"},
		{"no plan", edited("premium", ""), nil, 400, "invalid_request"},
		{"an unknown plan", edited("premium", "platinum"), nil, 400, "invalid_request"},
		{"an unknown user", edited(user, stranger), nil, 400, "invalid_request"},
		{"an odd user", edited(user, "ada"), nil, 400, "invalid_request"},
		{"two users", edited(`"plan"`, `"external_id":"x","plan"`), nil, 400, "invalid_request"},
		{"nobody", edited(`"user":"`+user+`",`, ""), nil, 400, "invalid_request"},
		{"an odd id of a subscription", edited("s-1", "-s-1"), nil, 400, "invalid_request"},
		{"no id of a subscription", edited("s-1", ""), nil, 400, "invalid_request"},
		{"no time at all", edited(`"timestamp":`, `"time":`), nil, 400, "invalid_request"},
		{"paid through the middle ages", edited(`"paid_through":"2`, `"paid_through":"1`), nil, 400, "invalid_request"},
		{"of the future", edited(`"timestamp":"2`, `"timestamp":"9`), nil, 400, "invalid_request"},
		{"a grant of support's", edited("s-1", "grant-1"), nil, 400, "invalid_request"},
		{"a time in words", edited(`"paid_through":"2`, `"paid_through":"x`), nil, 400, "invalid_request"},
	} {
		if c.headers == nil && c.status != 401 {
			c.headers = at(c.body)
		}
		got := sender.do("POST", "/v1/billing/webhook", c.body, c.headers...)
		if got.StatusCode != c.status || got.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, got.StatusCode, got.body, c.status, c.code)
		}
	}
	sender.do("POST", "/v1/billing/webhook", message, append(at(message), "Content-Type", "text/plain")...).want(t, 415, "unsupported_media_type")

	var kept, changed int
	must(t, w.db.Get(&kept, `SELECT count(*) FROM billing_events`))
	must(t, w.db.Get(&changed, `SELECT count(*) FROM audit WHERE user_id = $1`, user))
	if kept != 0 || changed != 0 {
		t.Errorf("%d events kept, %d changes", kept, changed)
	}
	if refused := strings.Count(w.log.String(), "outcome=unauthenticated"); refused == 0 || regexp.MustCompile(`event=[^" ]+ outcome=unauthenticated`).MatchString(w.log.String()) {
		t.Errorf("the log tells of %d forged events, or what is in them", refused)
	}

	// Another page's origin neither blocks a good signature nor helps a bad one.
	foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	sender.do("POST", "/v1/billing/webhook", message, foreign...).want(t, 401, "unauthenticated")
	sender.do("POST", "/v1/billing/webhook", message, append(at(message), foreign...)...).want(t, 200, "")
	big := message[:len(message)-1] + `,"more":"` + strings.Repeat("x", 500<<10) + `"}`
	sender.do("POST", "/v1/billing/webhook", big, webhookHeaders(t, "msg-big", now, big)...).want(t, 200, "")
}

// TestUnknownCustomer checks that Stripe must try again if the named user or the plan is unknown, but not if the price is
// not mapped. An event that names nobody is stored until its user is known.
func TestUnknownCustomer(t *testing.T) {
	w := newWorld(t)
	sender := w.browser()
	created := stripeEvent(t, "created", "1", "00000000-0000-4000-8000-000000000000")
	sender.stripes(created).want(t, 400, "invalid_request")
	bread := bytes.ReplaceAll(bytes.ReplaceAll(created, []byte("price_premium_monthly"), []byte("price_bread")), []byte(`_1`), []byte(`_9`))
	if got := sender.stripes(bread).want(t, 200, ""); got.text("outcome") != "ignored" {
		t.Errorf("bread: %s", got.body)
	}
	byCustomer := bytes.Replace(created, []byte(`"holdfast_user"`), []byte(`"other"`), 1)
	if got := sender.stripes(byCustomer).want(t, 200, ""); got.text("outcome") != "unclaimed" {
		t.Errorf("of nobody: %s", got.body)
	}
	// The customer is created, and the same event is sent again.
	user := w.newUser("cus_Ada1")
	sender.stripes(byCustomer).want(t, 200, "")
	if rows := w.subscriptions(user); len(rows) != 1 || rows[0].State != "trialing" {
		t.Errorf("%+v", rows)
	}
	// A later event assigns it to another user.
	next := w.newUser("")
	sender.stripes(stripeEvent(t, "trial_ended", "1", next)).want(t, 200, "")
	if before, after := w.subscriptions(user), w.subscriptions(next); len(before) != 0 || len(after) != 1 {
		t.Errorf("%+v, %+v", before, after)
	}
	absent := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.Stripe, a.BillingWebhook = nil, nil }).browser()
	absent.stripes(created).want(t, 404, "not_found")
	absent.sends(webhookMessage("m", "s", user, time.Now())).want(t, 404, "not_found")
}

// stripeAbout returns a Stripe event about the customer, in a fixture's frame.
func stripeAbout(t *testing.T, customer, id, kind string, at int64, object, previous any) []byte {
	t.Helper()
	return must1(json.Marshal(map[string]any{
		"id": "evt_" + customer + id, "object": "event", "created": at, "livemode": false, "type": kind,
		"data": map[string]any{"object": object, "previous_attributes": previous},
	}))(t)
}

// TestStripeOutcomes checks the outcomes of typical mishaps without an API key and with one: paid time is what counts.
func TestStripeOutcomes(t *testing.T) {
	const day = 86400
	prices := billing.Prices{{Price: "price_gold", Plan: "premium"}, {Price: "price_silver", Plan: "basic"}}
	open := make(chan struct{})
	close(open)
	fake := &stripeAPI{knows: map[string]string{}, hang: open}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	for _, keyed := range []bool{false, true} {
		w := newWorld(t, receiving(stripeReceiver(t, func(c *stripe.Config) {
			c.Prices, c.Disputes = prices, billing.DisputesSuspend
			if keyed {
				c.APIKey, c.APIURL = "rk_test_0123456789", server.URL
			}
		})))
		sender, begin := w.browser(), w.clock.now().Unix()
		sender.admin("PUT", "/admin/v1/plans/basic", `{"features":{"export":{"offline":true}},"grace":86400,"device_limit":5,"rank":1}`).want(t, 200, "")
		subscription := func(c, status, price string, start, end int64, more map[string]any) map[string]any {
			object := map[string]any{
				"id": "sub_" + c, "object": "subscription", "customer": "cus_" + c, "status": status, "metadata": map[string]any{},
				"items": map[string]any{"data": []any{map[string]any{"price": price, "current_period_start": begin + start*day, "current_period_end": begin + end*day}}},
			}
			maps.Copy(object, more)
			return object
		}
		n := 0
		tell := func(c, kind string, at int64, object map[string]any, previous any) {
			t.Helper()
			n++
			if object["object"] == "subscription" {
				fake.set(func() { fake.knows["/v1/subscriptions/sub_"+c] = string(must1(json.Marshal(object))(t)) })
			}
			sender.stripes(stripeAbout(t, c, strconv.Itoa(n), kind, begin+at*day, object, previous)).want(t, 200, "")
		}
		paid := func(c, invoice string, end int64) map[string]any {
			return map[string]any{
				"id": invoice, "object": "invoice", "customer": "cus_" + c, "status": "paid", "amount_paid": 900, "subscription": "sub_" + c,
				"lines": map[string]any{"data": []any{map[string]any{"type": "subscription", "period": map[string]any{"end": begin + end*day}}}},
			}
		}
		link := func(invoice, intent string) map[string]any {
			return map[string]any{"id": "inpay_" + intent, "object": "invoice_payment", "invoice": invoice, "payment": map[string]any{"payment_intent": intent}}
		}
		const updated, created = "customer.subscription.updated", "customer.subscription.created"
		begins := func(c, price string) (user string) {
			t.Helper()
			user = w.newUser("crm-" + c)
			tell(c, created, 0, subscription(c, "active", price, 0, 30, nil), nil)
			tell(c, "checkout.session.completed", 0, map[string]any{
				"id": "cs_" + c, "object": "checkout.session", "customer": "cus_" + c, "subscription": "sub_" + c, "client_reference_id": "crm-" + c,
			}, nil)
			tell(c, "invoice.paid", 0, paid(c, "in_"+c, 30), nil)
			return user
		}
		want := func(what, user, plan, state string, until int64) {
			t.Helper()
			rows := w.subscriptions(user)
			if len(rows) != 1 || rows[0].Plan != plan || rows[0].State != state || rows[0].PaidThrough.Unix() != begin+until*day {
				t.Errorf("keyed %v, %s: %+v, want %s %s until day %d (%d)", keyed, what, rows, plan, state, until, begin+until*day)
			}
		}

		for _, behavior := range []string{"void", "keep_as_draft", "mark_uncollectible"} {
			c := "p" + behavior
			user, pause := begins(c, "price_gold"), map[string]any{"pause_collection": map[string]any{"behavior": behavior}}
			tell(c, updated, 10, subscription(c, "active", "price_gold", 0, 30, pause), map[string]any{"pause_collection": nil})
			want(behavior, user, "premium", "active", 30)
			tell(c, updated, 30, subscription(c, "active", "price_gold", 30, 60, pause), map[string]any{})
			want(behavior+", renewed", user, "premium", "cancelled", 30)
			tell(c, "invoice.paid", 31, paid(c, "in_2"+c, 60), nil)
			want(behavior+", paid after all", user, "premium", "active", 60)
		}

		user := begins("u", "price_silver")
		tell("u", updated, 10, subscription("u", "past_due", "price_gold", 0, 30, nil), map[string]any{"status": "active"})
		want("an upgrade that is not paid", user, "basic", "past_due", 30)

		user = begins("s", "price_gold")
		tell("s", updated, 30, subscription("s", "active", "price_gold", 30, 60, nil), map[string]any{})
		tell("s", updated, 31, subscription("s", "past_due", "price_gold", 30, 60, nil), map[string]any{"status": "active"})
		tell("s", updated, 31, subscription("s", "active", "price_gold", 30, 60, nil), map[string]any{"status": "past_due"})
		want("two in a second", user, "premium", "active", 60)

		user = begins("r", "price_gold")
		tell("r", "invoice_payment.paid", 0, link("in_r", "pi_1"), nil)
		tell("r", "invoice_payment.paid", 0, link("in_r", "pi_2"), nil)
		refund := func(charge, intent string) map[string]any {
			return map[string]any{
				"id": charge, "object": "charge", "customer": "cus_r", "payment_intent": intent, "amount": 450, "amount_refunded": 450, "refunded": true,
			}
		}
		fake.set(func() {
			for _, intent := range []string{"pi_1", "pi_2"} {
				fake.knows["/v1/invoice_payments?payment%5Bpayment_intent%5D="+intent+"&payment%5Btype%5D=payment_intent"] =
					`{"object":"list","data":[` + string(must1(json.Marshal(link("in_r", intent)))(t)) + `],"has_more":false,"url":"/v1/invoice_payments"}`
			}
			fake.knows["/v1/invoices/in_r"] = string(must1(json.Marshal(paid("r", "in_r", 30)))(t))
		})
		tell("r", "charge.refunded", 5, refund("ch_1", "pi_1"), nil)
		want("one of two payments back", user, "premium", "active", 30)
		dispute := func(status string) map[string]any {
			return map[string]any{"id": "du_1", "object": "dispute", "charge": "ch_2", "payment_intent": "pi_2", "status": status}
		}
		reason := func(want string) {
			t.Helper()
			shown := sender.admin("GET", "/admin/v1/users/"+user, nil).want(t, 200, "")
			if got := shown.text("decision.reason"); got != want {
				t.Errorf("keyed %v: reason %q, want %q: %s", keyed, got, want, shown.body)
			}
			if want == "disputed" && !strings.Contains(string(shown.body), `"disputes":[{"id":"du_1","status":"open","since":`) {
				t.Errorf("support is not shown the dispute: %s", shown.body)
			}
		}
		tell("r", "charge.dispute.created", 6, dispute("warning_needs_response"), nil)
		reason("")
		tell("r", "charge.dispute.updated", 7, dispute("needs_response"), nil)
		reason("disputed")
		tell("r", "charge.dispute.closed", 8, dispute("won"), nil)
		reason("")
		tell("r", "charge.refunded", 9, refund("ch_2", "pi_2"), nil)
		want("both of them", user, "premium", "active", 9)

		user = begins("c", "price_gold")
		tell("c", "customer.subscription.deleted", 10, subscription("c", "canceled", "price_gold", 0, 30, map[string]any{"ended_at": begin + 10*day}), nil)
		want("cancelled at once", user, "premium", "cancelled", 10)
		w.clock.forward(10*24*time.Hour + time.Second)
		if shown := sender.admin("GET", "/admin/v1/users/"+user, nil); shown.text("decision.state") != "expired" {
			t.Errorf("keyed %v: cancelled at once, and then %s", keyed, shown.text("decision.state"))
		}
	}
}

// TestStripeAfterErasure checks that events about an erased account are accepted and dropped, and that the log says so.
func TestStripeAfterErasure(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	user, sender := ada.register("Ada"), w.browser()
	sender.stripes(stripeEvent(t, "created", "1", user)).want(t, 200, "")
	ada.do("DELETE", "/v1/account", nil).want(t, 204, "")
	for _, name := range []string{"created", "trial_ended", "invoice_paid", "refunded", "deleted"} {
		if got := sender.stripes(stripeEvent(t, name, "1", user)).want(t, 200, ""); got.text("outcome") != "erased" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	id, message := webhookMessage("m-1", "s-1", user, time.Now().Add(time.Hour))
	if got := sender.sends(id, message).want(t, 200, ""); got.text("outcome") != "erased" {
		t.Errorf("webhook: %s", got.body)
	}
	var kept int
	must(t, w.db.Get(&kept, `SELECT count(*) FROM billing_events`))
	if kept != 0 || strings.Count(w.log.String(), "outcome=erased") != 6 {
		t.Errorf("%d events kept; log %s", kept, w.log.String())
	}
}

// TestStripePermutations sends sets of five events over HTTP, each in its own order, with duplicates and one event lost and
// redelivered, for several customers concurrently. The final state is the one that the pure reducer computes for the set.
// Package billing tries all orders of many sets.
func TestStripePermutations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	story := []string{"created", "paused", "trial_ended", "invoice_paid", "invoice_payment_paid", "updated", "refunded", "renewed", "past_due", "deleted"}
	receiver := stripeReceiver(t, nil)
	random := rand.New(rand.NewPCG(3, 5))
	var group sync.WaitGroup
	turns := make(chan struct{}, 4)
	ends := map[string]int{}
	for n := range 50 {
		user, customer := w.newUser(""), fmt.Sprintf("c%d", n)
		chosen := random.Perm(len(story))[:5]
		var known []billing.Event
		var deliveries [][]byte
		for _, i := range chosen {
			body := stripeEvent(t, story[i], customer, user)
			event, ok, err := receiver.Parse(body)
			if err != nil || !ok {
				t.Fatal(story[i], ok, err)
			}
			known, deliveries = append(known, event), append(deliveries, body)
		}
		again := deliveries[random.IntN(5)]
		deliveries = append(deliveries[1:], again, deliveries[0]) // the first is lost and redelivered last
		want := billing.Reduce(known, stripePrices)["sub_1Fieldbook"+customer]
		ends[fmt.Sprint(want.State, want.PaidThrough.Unix())]++
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			sender := w.browser()
			for _, body := range deliveries {
				got := sender.stripes(body)
				for got.StatusCode == http.StatusServiceUnavailable { // as Stripe would
					got = sender.stripes(body)
				}
				if got.StatusCode != 200 {
					t.Errorf("%d: %s", n, got.body)
				}
			}
			rows := w.subscriptions(user)
			if want.Plan == "" && len(rows) == 0 {
				return
			}
			if len(rows) != 1 || rows[0].State != string(want.State) || !rows[0].PaidThrough.Equal(want.PaidThrough) {
				t.Errorf("%v: %+v, want %+v", chosen, rows, want)
			}
		})
	}
	group.Wait()
	if len(ends) < 5 {
		t.Errorf("only these ends: %v", ends)
	}
}

// TestBillingWebhook checks that the newest message of the generic webhook counts, whatever arrives last.
func TestBillingWebhook(t *testing.T) {
	w := newWorld(t)
	user, sender, base := w.newUser("crm-1"), w.browser(), time.Now().UTC().Add(-2*time.Hour).Truncate(time.Second)
	message := func(id string, at time.Time, state string, days int) answer {
		t.Helper()
		return sender.sends(id, fmt.Sprintf(`{"type":"subscription.updated","timestamp":%q,"attempt":3,"data":{"id":"s-1","external_id":"crm-1","plan":"premium","state":%q,"paid_through":%q,"note":"more"}}`,
			at.Format(time.RFC3339Nano), state, base.AddDate(0, 0, days).Format(time.RFC3339))).want(t, 200, "")
	}
	for _, c := range []struct {
		id      string
		at      time.Time
		state   string
		days    int
		outcome string
		now     string
	}{
		{"b", base, "active", 30, "applied", "active 30"},
		{"b", base.Add(time.Hour), "cancelled", 1, "unchanged", "active 30"}, // an id identifies one message
		{"c", base.Add(-time.Second), "past_due", 1, "unchanged", "active 30"},
		{"a", base, "past_due", 2, "unchanged", "active 30"}, // equal times: the higher id wins
		{"d", base, "past_due", 3, "applied", "past_due 3"},
		{"e", base.Add(time.Millisecond), "trialing", 9, "applied", "trialing 9"},
		{"f", base.Add(time.Minute), "cancelled", 9, "applied", "cancelled 9"},
		{"g", base.Add(2 * time.Minute), "cancelled", 9, "unchanged", "cancelled 9"}, // nothing changes
	} {
		got := message(c.id, c.at, c.state, c.days)
		rows := w.subscriptions(user)
		if len(rows) != 1 {
			t.Fatalf("%+v", rows)
		}
		now := fmt.Sprintf("%s %d", rows[0].State, int(rows[0].PaidThrough.Sub(base).Hours()/24))
		if got.text("outcome") != c.outcome || now != c.now {
			t.Errorf("%+v: %s, %s", c, got.body, now)
		}
	}
	if got := sender.sends("x", `{"type":"invoice.sent","timestamp":"soon","data":[]}`).want(t, 200, ""); got.text("outcome") != "ignored" {
		t.Errorf("another type: %s", got.body)
	}
	trail := sender.admin("GET", "/admin/v1/audit?user="+user, nil).want(t, 200, "")
	if n := strings.Count(string(trail.body), `"actor":"billing:webhook"`); n != 4 {
		t.Errorf("%d entries in the trail: %s", n, trail.body)
	}
}

// TestBillingKeepsRevoke checks that no billing event, on either route, restores what support has revoked.
func TestBillingKeepsRevoke(t *testing.T) {
	w := newWorld(t)
	user, sender := w.newUser(""), w.browser()
	sender.stripes(stripeEvent(t, "created", "1", user)).want(t, 200, "")
	sender.admin("POST", "/admin/v1/subscriptions/sub_1Fieldbook1/revoke", `{"reason":"chargeback"}`).want(t, 200, "")
	sender.admin("POST", "/admin/v1/subscriptions/sub_1Fieldbook1/suspend", `{"reason":"chargeback"}`).want(t, 200, "")
	for _, name := range []string{"created", "trial_ended", "updated", "invoice_paid", "invoice_payment_paid", "refunded", "renewed", "past_due", "deleted"} {
		sender.stripes(stripeEvent(t, name, "1", user)).want(t, 200, "")
		if rows := w.subscriptions(user); len(rows) != 1 || !rows[0].Revoked || !rows[0].Suspended {
			t.Fatalf("after %s: %+v", name, rows)
		}
	}
	id, message := webhookMessage("m", "sub_1Fieldbook1", user, time.Now().AddDate(1, 0, 0))
	sender.sends(id, message).want(t, 200, "")
	shown := sender.admin("GET", "/admin/v1/users/"+user, nil).want(t, 200, "")
	if rows := w.subscriptions(user); !rows[0].Revoked || rows[0].State != "active" || shown.text("decision.state") != "revoked" {
		t.Errorf("%+v, %s", rows, shown.text("decision.state"))
	}
	sender.admin("POST", "/admin/v1/subscriptions/sub_1Fieldbook1/reinstate", `{"reason":"paid"}`).want(t, 200, "")
	if shown = sender.admin("GET", "/admin/v1/users/"+user, nil); shown.text("decision.state") != "active" {
		t.Errorf("reinstated: %s", shown.text("decision.state"))
	}
}

// stripeAPI is a fake of Stripe's API: the objects that it knows by path, and how it answers.
type stripeAPI struct {
	mu     sync.Mutex
	knows  map[string]string
	status int // 0 for the usual one
	asked  []string
	hang   chan struct{} // while open, requests hang
}

func (s *stripeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	path := r.URL.Path
	if query := r.URL.Query().Encode(); query != "" {
		path += "?" + query
	}
	s.asked = append(s.asked, path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Stripe-Account"))
	status, body, hang := s.status, s.knows[path], s.hang
	s.mu.Unlock()
	<-hang
	switch {
	case status != 0:
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error":{"type":"api_error","code":"odd","message":"about cus_Ada1"}}`)
	case body == "":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such thing"}}`)
	default:
		fmt.Fprint(w, body)
	}
}

func (s *stripeAPI) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// TestStripeFetch checks that with an API key an event is only a hint, and the subscription is fetched again.
func TestStripeFetch(t *testing.T) {
	open := make(chan struct{})
	close(open)
	fake := &stripeAPI{knows: map[string]string{}, hang: open}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	w := newWorld(t, receiving(stripeReceiver(t, func(c *stripe.Config) {
		c.APIKey, c.APIURL, c.Account = "rk_test_0123456789", server.URL, "acct_1"
	})))
	user, sender := w.newUser(""), w.browser()
	event := func(name string) []byte {
		return bytes.Replace(stripeEvent(t, name, "1", user), []byte(`"object": "event",`), []byte(`"object": "event", "account": "acct_1",`), 1)
	}
	object := func(name string) string {
		var e struct {
			Data struct{ Object json.RawMessage }
		}
		must(t, json.Unmarshal(event(name), &e))
		return string(e.Data.Object)
	}
	const path = "/v1/subscriptions/sub_1Fieldbook1"
	state := func(want string) {
		t.Helper()
		if rows := w.subscriptions(user); len(rows) != 1 || rows[0].State+" "+strconv.FormatInt(rows[0].PaidThrough.Unix(), 10) != want {
			t.Errorf("%+v, want %s", rows, want)
		}
	}
	fake.set(func() { fake.knows[path] = object("trial_ended") })
	sender.stripes(event("created")).want(t, 200, "")
	state("active 1771113600")
	if want := path + " Bearer rk_test_0123456789 acct_1"; len(fake.asked) != 1 || fake.asked[0] != want {
		t.Errorf("asked %q, want %q", fake.asked, want)
	}
	// A late event leads to the current state, not to its own.
	sender.stripes(event("paused")).want(t, 200, "")
	state("active 1771113600")

	// For a refund, the subscription is looked up.
	fake.set(func() {
		fake.knows["/v1/invoice_payments?payment%5Bpayment_intent%5D=pi_21&payment%5Btype%5D=payment_intent"] =
			`{"object":"list","data":[` + object("invoice_payment_paid") + `],"has_more":false,"url":"/v1/invoice_payments"}`
		fake.knows["/v1/invoices/in_21"] = object("invoice_paid")
	})
	sender.stripes(event("refunded")).want(t, 200, "")
	state("active 1769472000")

	// If Stripe is down or refuses, the event is not accepted, so that Stripe sends it again.
	for _, status := range []int{400, 401, 403, 409, 429, 500, 503} {
		fake.set(func() { fake.status = status })
		got := sender.stripes(event("deleted")).want(t, 503, "unavailable")
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%d: no Retry-After", status)
		}
	}
	for _, odd := range []string{"no JSON", `{}`, `{"object":"subscription","id":"sub_2","customer":"cus_Ada1"}`, strings.Replace(object("deleted"), "cus_Ada1", "cus_Bob", 1)} {
		fake.set(func() { fake.status, fake.knows[path] = 0, odd })
		sender.stripes(event("deleted")).want(t, 503, "unavailable")
	}
	state("active 1769472000")
	for _, part := range []string{"cus_Ada", "rk_test", "No such"} {
		if strings.Contains(w.log.String(), part) {
			t.Errorf("the log holds %q", part)
		}
	}
	// If Stripe no longer knows the subscription, the event's own facts count.
	fake.set(func() { delete(fake.knows, path) })
	got := sender.stripes(event("deleted")).want(t, 200, "")
	state("active 1769472000") // older than what was fetched today
	if got.text("outcome") != "unchanged" {
		t.Errorf("gone: %s", got.body)
	}
	fake.set(func() { fake.knows[path] = object("deleted") })
	sender.stripes(event("renewed")).want(t, 200, "")
	state("cancelled 1771718400")
	for _, asked := range fake.asked {
		if !strings.HasSuffix(asked, " Bearer rk_test_0123456789 acct_1") {
			t.Errorf("not asked for the connected account: %s", asked)
		}
	}
}

// TestStripeHangs checks that a Stripe API that does not answer blocks nobody for long.
func TestStripeHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	fake := &stripeAPI{hang: hang}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	w := newWorld(t, receiving(stripeReceiver(t, func(c *stripe.Config) { c.APIKey, c.APIURL = "sk_test_0123456789", server.URL })))
	user, sender := w.newUser(""), w.browser()
	start := time.Now()
	sender.stripes(stripeEvent(t, "created", "1", user)).want(t, 503, "unavailable")
	if took := time.Since(start); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	if stats := w.db.Stats(); stats.InUse != 0 {
		t.Errorf("%d connections in use", stats.InUse)
	}
}
