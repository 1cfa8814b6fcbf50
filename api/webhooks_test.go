package api_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/api"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
)

// newTelling returns a world that stores webhooks for endpoints but sends none.
func newTelling(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.server.Close()
	w.metrics = api.NewMetrics()
	w.webhooks.Endpoints = []outbox.Endpoint{
		{URL: "https://user:tell-tale@a.example.org/hook?token=tell-tale", Shown: "https://a.example.org/hook"},
		{URL: "https://b.example.org/", Shown: "https://b.example.org/"},
	}
	w.start(api.New)
	return w
}

// TestWebhooks checks that webhooks are listed by page and by state, with endpoints without their credentials, and that
// support may read and admins may resend.
func TestWebhooks(t *testing.T) {
	w := newTelling(t)
	ada := w.browser()
	user := ada.register("Ada")
	for i := range 3 {
		ada.admin("PUT", "/admin/v1/subscriptions/adas", fmt.Sprintf(
			`{"user":"%s","plan":"premium","state":"active","paid_through":"209%d-01-01T00:00:00Z"}`, user, i)).want(t, 200, "")
	}
	ada.admin("POST", "/admin/v1/subscriptions/adas/revoke", `{"reason":"drill"}`).want(t, 200, "")

	var ids []string
	for cursor := ""; ; {
		page := ada.admin("GET", "/admin/v1/webhooks?limit=3&cursor="+cursor, nil).want(t, 200, "")
		if strings.Contains(string(page.body), "tell-tale") {
			t.Errorf("credentials: %s", page.body)
		}
		for _, shown := range page.member("deliveries").([]any) {
			d := shown.(map[string]any)
			ids = append(ids, d["id"].(string))
			if d["user"] != user || d["state"] != "pending" || d["attempts"] != 0.0 || d["next_attempt_at"] == nil ||
				d["delivered_at"] != nil || d["last_status"] != nil || d["last_error"] != nil {
				t.Errorf("%v", d)
			}
			if len(ids) <= 2 != (d["type"] == "subscription.revoked") {
				t.Errorf("delivery %d is of type %v", len(ids), d["type"])
			}
		}
		if cursor = page.text("next"); cursor == "" {
			break
		}
		// New webhooks do not shift the pages.
		ada.admin("POST", "/admin/v1/subscriptions/adas/reinstate", `{"reason":"drill"}`).want(t, 200, "")
	}
	if len(ids) != 8 {
		t.Fatalf("%d deliveries", len(ids))
	}

	w.db.MustExec(`UPDATE webhook_deliveries SET state = 'dead', attempts = 10, last_status = 503, last_error = 'status' WHERE id = $1`, ids[0])
	dead := ada.admin("GET", "/admin/v1/webhooks?state=dead", nil).want(t, 200, "").member("deliveries").([]any)
	if len(dead) != 1 {
		t.Fatalf("dead: %v", dead)
	}
	if d := dead[0].(map[string]any); d["id"] != ids[0] || d["last_status"] != 503.0 || d["last_error"] != "status" || d["next_attempt_at"] != nil {
		t.Errorf("dead: %v", d)
	}
	resend := "/admin/v1/webhooks/" + ids[0] + "/resend"
	again := ada.admin("POST", resend, nil).want(t, 200, "")
	if again.text("id") != ids[0] || again.text("state") != "pending" || again.member("attempts") != 0.0 || again.text("message") != dead[0].(map[string]any)["message"] {
		t.Errorf("resent: %s", again.body)
	}
	ada.admin("POST", resend, `{"reason":"the receiver works again"}`).want(t, 200, "")
	trail := ada.admin("GET", "/admin/v1/audit?limit=2&user="+user, nil).want(t, 200, "").member("entries").([]any)
	first, second := trail[0].(map[string]any), trail[1].(map[string]any)
	if first["action"] != "webhook.resent" || first["object"] != "webhook:"+ids[0] || first["reason"] != "the receiver works again" || second["reason"] != nil {
		t.Errorf("the trail: %v", trail)
	}

	for _, refused := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/admin/v1/webhooks?state=lost", "", 400, "invalid_request"},
		{"GET", "/admin/v1/webhooks?cursor=x", "", 400, "invalid_request"},
		{"GET", "/admin/v1/webhooks?limit=0", "", 400, "invalid_request"},
		{"POST", "/admin/v1/webhooks/x/resend", "", 404, "not_found"},
		{"POST", "/admin/v1/webhooks/00000000-0000-4000-8000-000000000000/resend", "", 404, "not_found"},
		{"POST", resend, `{"reason":1}`, 400, "invalid_request"},
		{"POST", resend, `{"reason":"` + strings.Repeat("x", 1001) + `"}`, 400, "invalid_request"},
		{"POST", resend, `{"reason":" "}`, 400, "invalid_request"},
		{"POST", resend, `{"why":"x"}`, 400, "invalid_request"},
		{"DELETE", resend, "", 405, "method_not_allowed"},
	} {
		var body any
		if refused.body != "" {
			body = refused.body
		}
		ada.admin(refused.method, refused.path, body).want(t, refused.status, refused.code)
	}

	// By session, support may read, and admins must give a reason.
	support, _ := w.staff("Sue", passkey.RoleSupport)
	admin, _ := w.staff("Ann", passkey.RoleAdmin)
	support.do("GET", "/admin/v1/webhooks", nil).want(t, 200, "")
	support.do("POST", resend, `{"reason":"drill"}`).want(t, 403, "forbidden")
	admin.do("POST", resend, nil).want(t, 400, "invalid_request")
	admin.do("POST", resend, `{"reason":"drill"}`).want(t, 200, "")

	// A removed endpoint is sent nothing more, and its webhooks stay readable.
	w.server.Close()
	w.metrics, w.webhooks = api.NewMetrics(), outbox.Config{Now: w.clock.now}
	w.start(api.New)
	ada.admin("POST", resend, nil).want(t, http.StatusConflict, "conflict")
	kept := ada.admin("GET", "/admin/v1/webhooks", nil).want(t, 200, "").member("deliveries").([]any)
	if len(kept) != 10 || kept[0].(map[string]any)["endpoint_configured"] != false {
		t.Errorf("kept: %v", kept)
	}
}

// checkWebhooks fails the test unless openapi.yaml describes every stored webhook. It returns how many there are by type.
func (w *world) checkWebhooks(t *testing.T) map[string]int {
	t.Helper()
	var stored []struct {
		Type    string
		Payload []byte
	}
	must(t, w.connect().Select(&stored, `SELECT type, payload FROM webhook_deliveries`))
	types := map[string]int{}
	for _, message := range stored {
		types[message.Type]++
		at := "#/webhooks/" + message.Type + "/post/requestBody/content/application~1json/schema"
		schema, err := must1(described())(t).schema(at)
		must(t, err)
		body, err := jsonschema.UnmarshalJSON(bytes.NewReader(message.Payload))
		must(t, err)
		if err := schema.Validate(body); err != nil {
			t.Errorf("%s is not as described: %v\n%s", message.Type, err, message.Payload)
		}
	}
	return types
}

// TestEveryWebhookIsInTheCatalogue causes each event, and checks its message against the catalogue, which has no others.
func TestEveryWebhookIsInTheCatalogue(t *testing.T) {
	w := newTelling(t)
	endpoints := len(w.webhooks.Endpoints)
	ada := w.browser()
	user := ada.register("Ada")
	ada.admin("PUT", "/admin/v1/plans/premium", `{"features":{"export":{"offline":true}},"grace":86400,"device_limit":1}`).want(t, 200, "")
	put := func(state string, paid time.Duration) {
		t.Helper()
		ada.admin("PUT", "/admin/v1/subscriptions/adas", fmt.Sprintf(`{"user":"%s","plan":"premium","state":"%s","paid_through":"%s"}`,
			user, state, w.clock.now().Add(paid).Format(time.RFC3339))).want(t, 200, "")
	}
	const day = 24 * time.Hour
	looks := func(when string, at time.Duration) {
		t.Helper()
		var due time.Time
		must(t, w.connect().Get(&due, `SELECT due_at FROM subscriptions WHERE id = 'adas'`))
		if want := w.clock.now().Add(at).Truncate(time.Second); !due.Truncate(time.Second).Equal(want) {
			t.Errorf("%s, a server looks at %v, want %v", when, due, want)
		}
	}
	told := func(when, kind string, times int) {
		t.Helper()
		for range 2 { // another look, such as another server's, changes nothing
			must(t, w.rights.TellDue(t.Context()))
		}
		if got := w.checkWebhooks(t)[kind]; got != times*endpoints {
			t.Errorf("%s: %d of %s, want %d", when, got, kind, times*endpoints)
		}
	}
	put("active", 5*day)
	looks("long before the end", 2*day)
	told("long before the end", "subscription.expiring", 0)
	w.clock.forward(2 * day)
	told("three days before the end", "subscription.expiring", 1)
	put("active", 3*day)
	looks("told of the approaching end", 3*day)
	told("the same end again", "subscription.expiring", 1)
	w.clock.forward(3*day - time.Second)
	told("a second before the end", "subscription.grace", 0)
	w.clock.forward(time.Second)
	told("at the end", "subscription.grace", 1)
	put("active", 30*day)
	told("paid again", "subscription.expiring", 1)
	put("past_due", 30*day)
	looks("in grace untold", 0)
	told("billing reports a failed payment ahead of time", "subscription.grace", 2)
	put("active", 30*day)
	put("past_due", 30*day)
	told("again in the same period", "subscription.grace", 2)
	put("active", 31*day)
	w.clock.forward(29 * day)
	ada.admin("POST", "/admin/v1/subscriptions/adas/revoke", `{"reason":"drill"}`).want(t, 200, "")
	told("revoked", "subscription.expiring", 1)
	ada.admin("POST", "/admin/v1/subscriptions/adas/reinstate", `{"reason":"drill"}`).want(t, 200, "")
	told("reinstated", "subscription.expiring", 2)
	put("cancelled", 3*day)
	w.clock.forward(4 * day)
	told("no grace follows an intended end", "subscription.grace", 2)

	ada.signIn()
	put("active", 300*day)
	ada.tryLink("")
	limited := func(when string, refused, times int) {
		t.Helper()
		for range refused {
			ada.forget() // another browser
			linked, _ := ada.tryLink("")
			linked.want(t, 409, "device_limit")
		}
		told(when, "device.limit_reached", times)
	}
	limited("two more devices", 2, 1)
	w.clock.forward(day + time.Second)
	limited("a day later", 1, 2)

	eve := w.browser()
	eve.register("Eve")
	device, lineage := eve.link()
	copied := lineage
	for range 2 {
		lineage = eve.reconcile(device, lineage).want(t, 200, "").text("lineage")
	}
	eve.reconcile(device, copied).want(t, 401, "use_dpop_nonce")
	eve.reconcile(device, copied).want(t, 409, "device_forked")
	bob := w.browser()
	bobID := bob.register("Bob")
	bob.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, lineage = bob.link()
	held := bob.reconcile(device, lineage).want(t, 200, "")
	acts := &chain{device: device, document: claims(t, held.text("document"))["jti"].(string), at: w.clock.now().Unix()}
	acts.record(t, "export")
	bob.upload(acts, held.text("lineage")).want(t, 200, "")
	act := bob.do("GET", "/v1/actions", nil).want(t, 200, "").member("actions").([]any)[0].(map[string]any)["id"]
	bob.admin("POST", "/admin/v1/users/"+bobID+"/ledger/verdict", map[string]any{"entries": []any{act}, "verdict": "superseded", "reason": "drill"}).want(t, 200, "")
	sent := w.checkWebhooks(t)
	bob.do("DELETE", "/v1/account", nil).want(t, 204, "")
	maps.Copy(sent, w.checkWebhooks(t))

	seen := slices.Sorted(maps.Keys(sent))
	catalogue := slices.Sorted(maps.Keys(must1(described())(t).Webhooks))
	if !slices.Equal(seen, catalogue) {
		t.Errorf("sent %v, described %v", seen, catalogue)
	}
}
