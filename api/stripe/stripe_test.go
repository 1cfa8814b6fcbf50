package stripe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"holdfast/api/stripe"
	"holdfast/entitlements/billing"
)

// The events of the fixtures: a trial, one paid month, one unpaid month.
const (
	begin    = 1767225600 // 2026-01-01
	trialEnd = begin + 14*day
	firstEnd = trialEnd + 31*day
	nextEnd  = firstEnd + 28*day
	day      = 86400

	secret       = "whsec_0123456789abcdef0123456789abcdef"
	subscription = "sub_1Fieldbook"
)

var prices = billing.Prices{{Price: "price_premium_monthly", Plan: "premium"}}

func newReceiver(t testing.TB, change func(*stripe.Config)) *stripe.Receiver {
	t.Helper()
	config := stripe.Config{Secrets: []string{secret}, Prices: prices}
	if change != nil {
		change(&config)
	}
	receiver, err := stripe.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return receiver
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func parsed(t testing.TB, name string) billing.Event {
	t.Helper()
	event, ok, err := newReceiver(t, nil).Parse(fixture(t, name))
	if err != nil || !ok {
		t.Fatalf("%s: %v, %v", name, ok, err)
	}
	return event
}

// story lists the fixtures in the order in which they happened.
var story = []string{
	"created", "paused", "trial_ended", "invoice_paid", "invoice_payment_paid", "updated", "refunded", "renewed", "past_due", "deleted",
}

func events(t testing.TB, names []string) []billing.Event {
	t.Helper()
	all := make([]billing.Event, len(names))
	for i, name := range names {
		all[i] = parsed(t, name)
	}
	return all
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func TestFixturesInOrder(t *testing.T) {
	all := events(t, story)
	for i, want := range []struct {
		state billing.Status
		until int64
	}{
		{billing.Trialing, trialEnd},
		{billing.Cancelled, trialEnd},          // paused: nobody pays any more
		{billing.Active, firstEnd},             // the trial ended in a purchase
		{billing.Active, firstEnd},             // which is paid
		{billing.Active, firstEnd},             // by this payment
		{billing.Active, firstEnd},             // cancelled at the end of the month
		{billing.Active, trialEnd + 12*day},    // refunded: over now
		{billing.Active, nextEnd},              // a later period outranks that
		{billing.PastDue, trialEnd + 12*day},   // but is not paid
		{billing.Cancelled, trialEnd + 12*day}, // and never will be
	} {
		got := billing.Reduce(all[:i+1], prices)[subscription]
		if got.State != want.state || !got.PaidThrough.Equal(unix(want.until)) || got.Plan != "premium" || got.ExternalID != "crm-4711" || got.User != "" {
			t.Errorf("after %s: %+v, want %s until %v", story[i], got, want.state, unix(want.until))
		}
	}
	without := slices.DeleteFunc(slices.Clone(all), func(e billing.Event) bool { return e.Facts.Kind == billing.Refund })
	if got := billing.Reduce(without, prices)[subscription]; !got.PaidThrough.Equal(unix(firstEnd)) || got.State != billing.Cancelled {
		t.Errorf("without the refund: %+v", got)
	}
}

// deliver delivers events one by one, as the store does: it keeps each once and recomputes the subscriptions concerned.
func deliver(deliveries []billing.Event) map[string]billing.Outcome {
	var known []billing.Event
	rows := map[string]billing.Outcome{}
	for _, event := range deliveries {
		if !slices.ContainsFunc(known, func(e billing.Event) bool { return e.ID == event.ID }) {
			known = append(known, event)
		}
		outcomes := billing.Reduce(known, prices)
		for _, name := range billing.Concerns(known, event) {
			if outcome := outcomes[name]; outcome.Plan != "" {
				rows[name] = outcome
			}
		}
	}
	return rows
}

// TestEventOrderDoesNotMatter checks that a set of events leads to one state in every order, with every event doubled, and
// with each one dropped and redelivered last.
func TestEventOrderDoesNotMatter(t *testing.T) {
	all := events(t, story)
	orders := 0
	for five := range subsets(all, 5) {
		want := deliver(five)
		for order := range permutations(five) {
			orders++
			doubled := make([]billing.Event, 0, 10)
			for _, event := range order {
				doubled = append(doubled, event, order[0])
			}
			if got := deliver(doubled); !maps.Equal(got, want) {
				t.Fatalf("%v: %+v, want %+v", ids(doubled), got, want)
			}
		}
		for i := range five {
			dropped := append(slices.Delete(slices.Clone(five), i, i+1), five[i])
			if got := deliver(dropped); !maps.Equal(got, want) {
				t.Fatalf("%v: %+v, want %+v", ids(dropped), got, want)
			}
		}
	}
	if orders != 252*120 {
		t.Errorf("%d orders", orders)
	}
	want := deliver(all)
	random := rand.New(rand.NewPCG(7, 11))
	for range 300 {
		order := append(slices.Clone(all), all[random.IntN(len(all))])
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if got := deliver(order); !maps.Equal(got, want) {
			t.Fatalf("%v: %+v, want %+v", ids(order), got, want)
		}
	}
}

func ids(events []billing.Event) []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.ID
	}
	return names
}

// subsets yields all subsets of n events, each in the given order.
func subsets(all []billing.Event, n int) func(func([]billing.Event) bool) {
	return func(yield func([]billing.Event) bool) {
		var choose func(from int, chosen []billing.Event) bool
		choose = func(from int, chosen []billing.Event) bool {
			if len(chosen) == n {
				return yield(slices.Clone(chosen))
			}
			for i := from; i < len(all); i++ {
				if !choose(i+1, append(chosen, all[i])) {
					return false
				}
			}
			return true
		}
		choose(0, make([]billing.Event, 0, n))
	}
}

// permutations yields every order of all.
func permutations(all []billing.Event) func(func([]billing.Event) bool) {
	return func(yield func([]billing.Event) bool) {
		order := slices.Clone(all)
		var permute func(k int) bool
		permute = func(k int) bool {
			if k == len(order) {
				return yield(order)
			}
			for i := k; i < len(order); i++ {
				order[k], order[i] = order[i], order[k]
				if !permute(k + 1) {
					return false
				}
				order[k], order[i] = order[i], order[k]
			}
			return true
		}
		permute(0)
	}
}

// checkout and dispute return events in the form that Stripe documents.
func checkout(t testing.TB, reference any) []byte {
	return edited(t, "created", "id", "evt_checkout", "type", "checkout.session.completed", "data", map[string]any{"object": map[string]any{
		"id": "cs_1", "object": "checkout.session", "client_reference_id": reference, "customer": "cus_Ada", "mode": "subscription",
		"payment_status": "paid", "status": "complete", "subscription": subscription,
	}})
}

func dispute(t testing.TB, kind, status string, at int64) []byte {
	return edited(t, "refunded", "id", "evt_dispute_"+kind, "type", "charge.dispute."+kind, "created", at, "data", map[string]any{"object": map[string]any{
		"id": "du_1", "object": "dispute", "amount": 900, "charge": "ch_2", "payment_intent": "pi_2", "currency": "eur", "reason": "fraudulent", "status": status,
	}})
}

// TestParseFacts checks the facts about pauses, reasons for an end, previous states, checkouts and disputes.
func TestParseFacts(t *testing.T) {
	receiver := newReceiver(t, nil)
	take := func(body []byte) billing.Facts {
		t.Helper()
		event, ok, err := receiver.Parse(body)
		if err != nil || !ok {
			t.Fatalf("%.300s: %v, %v", body, ok, err)
		}
		return event.Facts
	}
	const object, previous = "data.object.", "data.previous_attributes"
	for _, behavior := range []string{"void", "keep_as_draft", "mark_uncollectible"} {
		pause := map[string]any{"behavior": behavior, "resumes_at": nil}
		if f := take(edited(t, "renewed", object+"pause_collection", pause)); !f.Paused || f.PausedNow {
			t.Errorf("%s: %+v", behavior, f)
		}
		if f := take(edited(t, "renewed", object+"pause_collection", pause, previous, map[string]any{"pause_collection": nil})); !f.Paused || !f.PausedNow {
			t.Errorf("%s begins: %+v", behavior, f)
		}
		if f := take(edited(t, "renewed", previous, map[string]any{"pause_collection": pause})); f.Paused || f.PausedNow || f.Before == "" {
			t.Errorf("%s ends: %+v", behavior, f)
		}
	}
	for reason, failed := range map[string]bool{"payment_failed": true, "cancellation_requested": false, "payment_disputed": false} {
		if f := take(edited(t, "deleted", object+"cancellation_details", map[string]any{"reason": reason})); f.Failed != failed {
			t.Errorf("%s: %+v", reason, f)
		}
	}
	// An event lists the attributes that it changed; the others were the same before.
	was := take(edited(t, "renewed", object+"metadata", map[string]string{"external_id": "old"}, object+"cancel_at", 1780000000, previous, map[string]any{"cancel_at": nil}))
	event := take(edited(t, "past_due", previous, map[string]any{"status": "active", "cancel_at": 1780000000, "metadata": map[string]any{"external_id": "old"}}))
	if event.Before != was.Digest() || event.Before == event.Digest() {
		t.Errorf("before: %s, want %s, now %s", event.Before, was.Digest(), event.Digest())
	}
	// So does an object within: its other members were the same.
	if f := take(edited(t, "past_due", previous, map[string]any{"metadata": map[string]any{"note": "old"}})); f.Before != take(fixture(t, "past_due")).Digest() {
		t.Errorf("before a change of the metadata: %+v", f)
	}
	old, item := take(fixture(t, "updated")), edited(t, "updated")
	var data struct {
		Data struct{ Object struct{ Items any } }
	}
	if err := json.Unmarshal(item, &data); err != nil {
		t.Fatal(err)
	}
	if f := take(edited(t, "renewed", object+"cancel_at", old.CancelAt, previous, map[string]any{"items": data.Data.Object.Items})); f.Before != old.Digest() {
		t.Errorf("before the renewal: %+v, want %s of %+v", f, old.Digest(), old)
	}
	for name, odd := range map[string]any{"null": nil, "a list": []int{1}, "a text": "x", "an odd status": map[string]any{"status": 1}} {
		if f := take(edited(t, "past_due", previous, odd)); f.Before != "" {
			t.Errorf("%s: %+v", name, f)
		}
	}

	if f := take(checkout(t, "crm-1")); f.Kind != billing.Checkout || f.Reference != "crm-1" || f.Subscription != subscription {
		t.Errorf("checkout: %+v", f)
	}
	for status, want := range map[string]billing.DisputeStatus{
		"needs_response": billing.DisputeOpen, "under_review": billing.DisputeOpen, "won": billing.DisputeWon, "lost": billing.DisputeLost,
	} {
		if f := take(dispute(t, "updated", status, begin)); f.Kind != billing.Dispute || f.Dispute != want || f.Charge != "ch_2" || f.PaymentIntent != "pi_2" {
			t.Errorf("%s: %+v", status, f)
		}
	}
	for name, body := range map[string][]byte{
		"a checkout that names nobody": checkout(t, nil), "an inquiry": dispute(t, "created", "warning_needs_response", begin),
		"one that was closed": dispute(t, "closed", "warning_closed", begin), "a checkout of goods": edited(t, "created", "type", "checkout.session.completed",
			"data", map[string]any{"object": map[string]any{"object": "checkout.session", "client_reference_id": "x", "customer": "cus_Ada", "subscription": nil}}),
	} {
		if event, ok, err := receiver.Parse(body); ok || err != nil {
			t.Errorf("%s: %+v, %v, %v", name, event, ok, err)
		}
	}
	if f := take(fixture(t, "invoice_paid")); f.Amount != 900 {
		t.Errorf("paid: %+v", f)
	}
	if f := take(fixture(t, "refunded")); f.Amount != 900 {
		t.Errorf("refunded: %+v", f)
	}
}

// TestOldShapes checks that API versions before 2025-03-31.basil yield the same facts from other places.
func TestOldShapes(t *testing.T) {
	old := events(t, []string{"2023-updated", "2023-invoice_paid", "2023-refunded"})
	now := events(t, []string{"trial_ended", "invoice_paid", "invoice_payment_paid", "refunded"})
	for n, pair := range [][2][]billing.Event{{old[:1], now[:1]}, {old[:2], now[:3]}, {old, now}} {
		before, after := billing.Reduce(pair[0], prices), billing.Reduce(pair[1], prices)
		if !maps.Equal(before, after) || len(before) != 1 {
			t.Errorf("%d: %+v, and now %+v", n, before, after)
		}
	}
	// The charge names its invoice, so no payment intent is needed.
	old[2].Facts.PaymentIntent, old[1].Facts.PaymentIntent, old[1].Facts.Charge = "", "", ""
	if got := billing.Reduce(old, prices)[subscription]; !got.PaidThrough.Equal(unix(trialEnd + 12*day)) {
		t.Errorf("refunded: %+v", got)
	}
}

func sign(body []byte, at time.Time, secret string) string {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: at}).Header
}

func TestVerify(t *testing.T) {
	const next = "whsec_fedcba9876543210fedcba9876543210"
	receiver := newReceiver(t, func(c *stripe.Config) { c.Secrets = []string{secret, next} })
	body := fixture(t, "created")
	now := time.Now()
	good := sign(body, now, secret)
	for name, signature := range map[string]string{
		"good": good, "the other secret": sign(body, now, next), "almost too old": sign(body, now.Add(-4*time.Minute), secret),
		"both": good + ",v1=" + strings.Repeat("0", 64), "another scheme besides": good + ",v0=00",
	} {
		if err := receiver.Verify(body, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := strings.Split(good, ",")[0]
	for name, signature := range map[string]string{
		"none": "", "too old": sign(body, now.Add(-6*time.Minute), secret), "another secret": sign(body, now, "whsec_another_secret_0000"),
		"no time": strings.Split(good, ",")[1], "no signature": at, "only v0": strings.Replace(good, "v1=", "v0=", 1),
		"another time": strings.Replace(good, at, fmt.Sprintf("t=%d", now.Unix()-1), 1), "no number": strings.Replace(good, at, "t=x", 1),
		"noise": "=,=,t==", "empty signature": at + ",v1=",
		"of nothing under an empty secret": sign(body, now, ""),
	} {
		if err := receiver.Verify(body, signature); !errors.Is(err, stripe.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed := slices.Clone(body)
	for i := range changed {
		changed[i] ^= 1
		if err := receiver.Verify(changed, good); !errors.Is(err, stripe.ErrSignature) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		changed[i] ^= 1
	}
	if receiver.Verify(append(slices.Clone(body), '\n'), good) == nil || receiver.Verify(body[:len(body)-1], good) == nil {
		t.Error("another length passes")
	}
}

// edited returns a fixture with changed members: path, value pairs.
func edited(t testing.TB, name string, changes ...any) []byte {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(fixture(t, name), &event); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		at := event
		path := strings.Split(changes[i].(string), ".")
		for _, name := range path[:len(path)-1] {
			at = at[name].(map[string]any)
		}
		at[path[len(path)-1]] = changes[i+1]
	}
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestForeign(t *testing.T) {
	own := newReceiver(t, nil)
	connected := newReceiver(t, func(c *stripe.Config) { c.Account = "acct_1" })
	test := newReceiver(t, func(c *stripe.Config) { c.APIKey = "rk_test_0123456789" })
	live := newReceiver(t, func(c *stripe.Config) { c.APIKey = "sk_live_0123456789" })
	for _, c := range []struct {
		receiver *stripe.Receiver
		body     []byte
		want     error
	}{
		{own, fixture(t, "created"), nil},
		{own, edited(t, "created", "livemode", true), nil},
		{own, edited(t, "created", "account", "acct_1"), stripe.ErrForeign},
		{own, edited(t, "created", "context", "acct_1"), stripe.ErrForeign},
		{own, edited(t, "created", "context", nil), nil},
		{connected, edited(t, "created", "account", "acct_1"), nil},
		{connected, edited(t, "created", "account", "acct_2"), stripe.ErrForeign},
		{connected, edited(t, "created", "account", "acct_1", "context", "acct_2"), stripe.ErrForeign},
		{connected, fixture(t, "created"), stripe.ErrForeign},
		{connected, edited(t, "created", "type", "product.created"), stripe.ErrForeign},
		{test, fixture(t, "created"), nil},
		{test, edited(t, "created", "livemode", true), stripe.ErrForeign},
		{live, fixture(t, "created"), stripe.ErrForeign},
		{live, edited(t, "created", "livemode", true), nil},
	} {
		if _, _, err := c.receiver.Parse(c.body); !errors.Is(err, c.want) {
			t.Errorf("%.200s: %v, want %v", c.body, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	receiver := newReceiver(t, nil)
	const object = "data.object."
	long := strings.Repeat("x", 256)
	for name, body := range map[string][]byte{
		"no JSON": []byte("{"), "nothing": nil, "null": []byte("null"), "a list": []byte("[]"), "an empty object": []byte("{}"),
		"two ids":            []byte(strings.Replace(string(fixture(t, "created")), `"id"`, `"id": "evt_0", "id"`, 1)),
		"thin":               edited(t, "created", "object", "v2.core.event"),
		"no id":              edited(t, "created", "id", ""),
		"long id":            edited(t, "created", "id", long),
		"no time":            edited(t, "created", "created", nil),
		"half a second":      edited(t, "created", "created", 1.5),
		"before 1970":        edited(t, "created", "created", -1),
		"after 9999":         edited(t, "created", "created", int64(1)<<60),
		"no object":          edited(t, "created", "data", map[string]any{}),
		"another object":     edited(t, "created", object+"object", "invoice"),
		"no subscription":    edited(t, "created", object+"id", ""),
		"no customer":        edited(t, "created", object+"customer", nil),
		"an unknown status":  edited(t, "created", object+"status", "asleep"),
		"a period in words":  edited(t, "created", object+"trial_end", "soon"),
		"control characters": edited(t, "created", object+"metadata", map[string]string{"external_id": "a\x00b"}),
		"long metadata":      edited(t, "created", object+"metadata", map[string]string{"holdfast_user": long}),
		"an open invoice":    edited(t, "invoice_paid", object+"status", "open"),
		"a refund of none":   edited(t, "refunded", object+"id", ""),
	} {
		if event, _, err := receiver.Parse(body); !errors.Is(err, stripe.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, event, err)
		}
	}
	for name, body := range map[string][]byte{
		"another type":           edited(t, "created", "type", "product.updated"),
		"an invoice of goods":    edited(t, "invoice_paid", object+"parent", nil),
		"a charge of nobody":     edited(t, "refunded", object+"customer", nil),
		"paid outside of Stripe": edited(t, "invoice_payment_paid", object+"payment", map[string]any{"type": "payment_record", "payment_record": "pr_1"}),
	} {
		if event, ok, err := receiver.Parse(body); ok || err != nil {
			t.Errorf("%s: %+v, %v, %v", name, event, ok, err)
		}
	}

	// The user is found by our id or else by the billing system's reference.
	for _, c := range []struct {
		metadata       map[string]string
		user, external string
	}{
		{map[string]string{"holdfast_user": "u", "external_id": "e"}, "u", ""},
		{map[string]string{"external_id": "e"}, "", "e"},
		{nil, "", ""}, // then the checkout or the customer tells
	} {
		event, _, err := receiver.Parse(edited(t, "created", object+"metadata", c.metadata))
		if err != nil || event.Facts.User != c.user || event.Facts.ExternalID != c.external {
			t.Errorf("%v: %+v, %v", c.metadata, event.Facts, err)
		}
	}
	// Expanded objects.
	event, _, err := receiver.Parse(edited(t, "created", object+"customer", map[string]string{"id": "cus_Ada", "email": "ada@example.org"}))
	if err != nil || event.Customer != "cus_Ada" {
		t.Errorf("expanded customer: %+v, %v", event, err)
	}
	// A payment for a change within a period pays for no period.
	proration := strings.Replace(string(fixture(t, "invoice_paid")), `"proration": false`, `"proration": true`, 1)
	if event, ok, err := receiver.Parse([]byte(proration)); !ok || err != nil || event.Facts.Until != 0 {
		t.Errorf("proration: %+v, %v, %v", event, ok, err)
	}
	// In the same second, the later state in a subscription's life counts, whatever the ids.
	past, renewed := parsed(t, "past_due"), parsed(t, "renewed")
	if !past.At.Equal(renewed.At) || past.Rank <= renewed.Rank || past.ID >= renewed.ID {
		t.Errorf("past due %+v, renewed %+v", past, renewed)
	}
	// Facts contain only ids, enumerations and times.
	for _, name := range story {
		text, err := json.Marshal(parsed(t, name).Facts)
		if err != nil || strings.ContainsAny(string(text), "@ ") || strings.Contains(string(text), "4242") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestNew(t *testing.T) {
	for name, config := range map[string]stripe.Config{
		"no secret": {}, "an empty one": {Secrets: []string{""}}, "a bare prefix": {Secrets: []string{"whsec_"}},
		"an API key as secret": {Secrets: []string{"sk_test_0123456789abcdef"}}, "one of two": {Secrets: []string{secret, ""}},
		"a publishable key": {Secrets: []string{secret}, APIKey: "pk_test_0123456789"}, "a short key": {Secrets: []string{secret}, APIKey: "sk"},
	} {
		if _, err := stripe.New(config); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "0123456789") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse feeds arbitrary bodies to the parser: what it accepts can be stored, reads back unchanged, and never leads to
// more than one state.
func FuzzParse(f *testing.F) {
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	all := events(f, story)
	for _, name := range append([]string{"2023-updated", "2023-invoice_paid", "2023-refunded"}, story...) {
		f.Add(fixture(f, name))
	}
	f.Add(checkout(f, "crm-1"))
	f.Add(dispute(f, "created", "needs_response", begin))
	f.Add(edited(f, "past_due", "data.object.pause_collection", map[string]any{"behavior": "void"}, "data.previous_attributes",
		map[string]any{"pause_collection": nil, "status": "active", "metadata": map[string]any{"external_id": nil}, "items": map[string]any{"data": []any{}}}))
	receiver := newReceiver(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		event, ok, err := receiver.Parse(body)
		if err != nil && !errors.Is(err, stripe.ErrInvalid) && !errors.Is(err, stripe.ErrForeign) {
			t.Fatalf("an error of no kind: %v", err)
		}
		if err != nil || !ok {
			return
		}
		if err := event.Validate(); err != nil {
			t.Fatalf("%+v: %v", event, err)
		}
		text, err := json.Marshal(event.Facts)
		if err != nil {
			t.Fatal(err)
		}
		var again billing.Facts
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, event.Facts) {
			t.Fatalf("%+v, read back %+v, %v", event.Facts, again, err)
		}
		if slices.ContainsFunc(all, func(e billing.Event) bool { return e.ID == event.ID }) {
			return
		}
		before, after := append([]billing.Event{event}, all...), append(slices.Clone(all), event)
		slices.Reverse(after)
		if one, other := billing.Reduce(before, prices), billing.Reduce(after, prices); !maps.Equal(one, other) {
			t.Fatalf("%+v: %+v or %+v", event, one, other)
		}
		if one, other := billing.Disputes(before), billing.Disputes(after); !reflect.DeepEqual(one, other) {
			t.Fatalf("%+v: disputes %+v or %+v", event, one, other)
		}
		billing.Concerns(before, event)
	})
}
