package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api"
)

// TestBadRequests sends, over all routes, requests that no good client would send. Each gets a problem document with its
// code; none is a 5xx.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	ada, bob, nobody := w.browser(), w.browser(), w.browser()
	ada.register("Ada")
	bobID := bob.register("Bob")
	device, lineage := ada.link()
	bobDevice, _ := bob.link()
	passkeyID := base64.RawURLEncoding.EncodeToString(ada.credential.ID)
	ada.admin("PUT", "/admin/v1/subscriptions/bobs", `{"user":"`+bobID+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
	adaID := ada.do("GET", "/v1/session", nil).text("user.id")

	const unknown = "00000000-0000-4000-8000-000000000000"
	admin := []string{"Authorization", "Bearer " + adminSecret}
	keyed := func(key string) []string { return append(slices.Clone(admin), "Idempotency-Key", key) }
	credential := `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}`
	const good = `"plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"`
	const plan = `"features":{"export":{"offline":true}},"grace":0,"device_limit":5,"rank":1`
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

	type bad struct {
		who          *browser
		method, path string
		body         any
		headers      []string
		status       int
		code         string
	}
	table := []bad{
		// Paths and methods.
		{nobody, "GET", "/v1", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/unknown", nil, nil, 404, "not_found"},
		{nobody, "POST", "/v1/unknown", "{}", nil, 404, "not_found"},
		{nobody, "GET", "/v1/session/", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/trial%00", nil, nil, 404, "not_found"},
		{nobody, "GET", "/%ff%fe", nil, nil, 404, "not_found"},
		{nobody, "PUT", "/v1/session", "{}", nil, 405, "method_not_allowed"},
		{nobody, "GET", "/v1/reconcile", nil, nil, 405, "method_not_allowed"},
		{nobody, "DELETE", "/admin/v1/audit", nil, nil, 405, "method_not_allowed"},
		{nobody, "POST", "/support", nil, nil, 405, "method_not_allowed"},
		{nobody, "POST", "/.well-known/jwks.json", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/.well-known/holdfast-keyset", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/.well-known/webauthn", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/.well-known/passkey-endpoints", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/openapi.yaml", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/roots.json", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/sw.js", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/", "{}", nil, 405, "method_not_allowed"},
		{nobody, "BREW", "/v1/session", nil, nil, 405, "method_not_allowed"},
		{nobody, "BREW", "/v1/unknown", nil, nil, 404, "not_found"},
		{nobody, "OPTIONS", "/v1/session", nil, nil, 405, "method_not_allowed"},

		// Status lists that do not exist. The one after the newest list does.
		{nobody, "GET", "/v1/status-lists/2", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/-1", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/00", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/+0", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/0x0", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/0/0", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/99999999999999999999", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/0?time=1686925000", nil, nil, 404, "not_found"},
		{nobody, "GET", "/v1/status-lists/0?%zz", nil, nil, 400, "invalid_request"},
		{nobody, "GET", "/v1/unknown?a=50%", nil, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/status-lists/0", "{}", nil, 405, "method_not_allowed"},

		// Bodies, on the first route that has one.
		{nobody, "POST", "/v1/registration/options", `{"name":"A"}`, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A"}`, []string{"-Content-Type", ""}, 415, "unsupported_media_type"},
		{nobody, "POST", "/v1/registration/options", `{"name":"` + strings.Repeat("A", 64<<10) + `"}`, nil, 413, "payload_too_large"},
		{nobody, "POST", "/v1/registration/options", `{`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `null`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `[]`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `"A"`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A"} {}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A","name":"B"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A","admin":true}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"NAME":"A"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":7}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", "{\"name\":\"\xff\"}", nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"\ud800"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A\u0000B"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A\nB"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"` + strings.Repeat("é", 101) + `"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration/options", `{"name":"A"}`, []string{"Cookie", "holdfast=dead"}, 401, "unauthenticated"},

		// Ceremonies.
		{nobody, "POST", "/v1/registration", nil, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration", `{}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration", `{"ceremony":"x","credential":"y"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration", `{"ceremony":"x","credential":null}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration", `{"ceremony":"x","credential":` + credential + `}`, nil, 400, "ceremony_invalid"},
		{nobody, "POST", "/v1/registration", `{"ceremony":"x","credential":` + deep(20) + `}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/registration", `{"ceremony":"x","credential":{"a":"\u0000"}}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/authentication/options", `{"name":"A"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/authentication", `{"ceremony":"x","credential":` + credential + `}`, nil, 400, "ceremony_invalid"},
		{nobody, "POST", "/v1/authentication", `{"ceremony":"","credential":{}}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/recovery/options", `{"code":"never given"}`, nil, 400, "ceremony_invalid"},
		{nobody, "POST", "/v1/recovery/options", `{"code":["x"]}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/recovery/options", `{"code":"0123-4567-89AB-CDEF-GHJK-MNPQ"}`, nil, 400, "ceremony_invalid"},
		{nobody, "POST", "/v1/recovery", `{"ceremony":"x","credential":` + credential + `}`, nil, 400, "ceremony_invalid"},

		// The account, without and with a session.
		{nobody, "GET", "/v1/session", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/v1/session", nil, []string{"Cookie", "holdfast=%00"}, 401, "unauthenticated"},
		{nobody, "GET", "/v1/session", nil, []string{"Cookie", "holdfast=" + strings.Repeat("A", 64)}, 401, "unauthenticated"},
		{nobody, "DELETE", "/v1/session", `{"device":"x"}`, nil, 400, "invalid_request"},
		{nobody, "DELETE", "/v1/session", `{"device":"` + device + `"}`, nil, 401, "unauthenticated"},
		{nobody, "DELETE", "/v1/session", `{"device":"` + device + `"}`, []string{"Cookie", "holdfast=dead"}, 401, "unauthenticated"},
		{nobody, "GET", "/v1/sessions", nil, nil, 401, "unauthenticated"},
		{nobody, "DELETE", "/v1/sessions/" + unknown, nil, nil, 401, "unauthenticated"},
		{ada, "DELETE", "/v1/sessions/" + unknown, nil, nil, 404, "not_found"},
		{ada, "DELETE", "/v1/sessions/x", nil, nil, 404, "not_found"},
		{ada, "DELETE", "/v1/sessions/{" + unknown + "}", nil, nil, 404, "not_found"},
		{nobody, "DELETE", "/v1/sessions", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/v1/recovery-codes", nil, nil, 401, "unauthenticated"},
		{nobody, "POST", "/v1/recovery-codes", nil, nil, 401, "unauthenticated"},
		{ada, "POST", "/v1/recovery-codes", `{"count":1}`, nil, 400, "invalid_request"},
		{nobody, "GET", "/v1/account/export", nil, nil, 401, "unauthenticated"},
		{nobody, "DELETE", "/v1/account", nil, nil, 401, "unauthenticated"},
		{ada, "POST", "/v1/account", "{}", nil, 405, "method_not_allowed"},
		{nobody, "GET", "/v1/passkeys", nil, nil, 401, "unauthenticated"},
		{nobody, "PATCH", "/v1/passkeys/" + passkeyID, `{"name":"Mine"}`, nil, 401, "unauthenticated"},
		{bob, "PATCH", "/v1/passkeys/" + passkeyID, `{"name":"Mine"}`, nil, 404, "not_found"},
		{bob, "DELETE", "/v1/passkeys/" + passkeyID, nil, nil, 404, "not_found"},
		{ada, "PATCH", "/v1/passkeys/" + passkeyID, `{"name":""}`, nil, 400, "invalid_request"},
		{ada, "PATCH", "/v1/passkeys/" + passkeyID + "=", `{"name":"Mine"}`, nil, 404, "not_found"},
		{ada, "PATCH", "/v1/passkeys/AB", `{"name":"Mine"}`, nil, 404, "not_found"},
		{ada, "DELETE", "/v1/passkeys/AAAA%0A", nil, nil, 404, "not_found"},
		{ada, "DELETE", "/v1/passkeys/" + passkeyID, `{"end_sessions":"yes"}`, nil, 400, "invalid_request"},
		{ada, "DELETE", "/v1/passkeys/" + passkeyID, nil, nil, 409, "last_passkey"},
		{nobody, "GET", "/v1/events", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/v1/events", nil, []string{"Cookie", "holdfast=dead"}, 401, "unauthenticated"},
		{nobody, "GET", "/v1/events", nil, []string{"Accept", "text/event-stream", "Origin", "https://evil.example"}, 401, "unauthenticated"},
		{nobody, "GET", "/v1/events/", nil, nil, 404, "not_found"},
		{ada, "POST", "/v1/events", "{}", nil, 405, "method_not_allowed"},
		{nobody, "POST", "/v1/trial", nil, nil, 401, "unauthenticated"},
		{ada, "POST", "/v1/trial", `{"plan":"premium"}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/vault/epochs", nil, nil, 401, "unauthenticated"},
		{ada, "POST", "/v1/vault/epochs", `{"epoch":2}`, nil, 400, "invalid_request"},
		{nobody, "POST", "/v1/billing/stripe", "{}", nil, 401, "unauthenticated"}, // more in TestBillingRefusals
		{nobody, "POST", "/v1/billing/webhook", "{}", nil, 401, "unauthenticated"},
		{nobody, "GET", "/v1/devices", nil, nil, 401, "unauthenticated"},
		{nobody, "DELETE", "/v1/devices/" + device, nil, nil, 401, "unauthenticated"},
		{bob, "DELETE", "/v1/devices/" + device, nil, nil, 404, "not_found"},
		{ada, "DELETE", "/v1/devices/x", nil, nil, 404, "not_found"},

		// Invalid proofs.
		{nobody, "GET", "/v1/actions", nil, nil, 401, "unauthenticated"},
		{ada, "GET", "/v1/actions?after=-1", nil, nil, 400, "invalid_request"},
		{ada, "GET", "/v1/actions?after=x", nil, nil, 400, "invalid_request"},
		{ada, "GET", "/v1/actions?cursor=1", nil, nil, 400, "invalid_request"},
		{ada, "GET", "/v1/actions?limit=201", nil, nil, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users/" + unknown + "/actions", nil, admin, 404, "not_found"},
		{nobody, "GET", "/admin/v1/users/" + adaID + "/actions?after=x", nil, admin, 400, "invalid_request"},
		{ada, "GET", "/admin/v1/users/" + adaID + "/actions", nil, nil, 403, "forbidden"},
		{nobody, "GET", "/admin/v1/users/" + unknown + "/ledger", nil, admin, 404, "not_found"},
		{nobody, "GET", "/admin/v1/users/" + adaID + "/ledger?verdict=x", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users/" + adaID + "/ledger?cursor=x", nil, admin, 400, "invalid_request"},
		{ada, "GET", "/admin/v1/users/" + adaID + "/ledger", nil, nil, 403, "forbidden"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/ledger/verdict", `{"entries":[],"verdict":"accepted","reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/ledger/verdict", `{"entries":["x"],"verdict":"accepted","reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/ledger/verdict", `{"entries":["` + strings.Repeat("A", 43) + `"],"verdict":"accepted","reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/ledger/verdict", `{"entries":["` + strings.Repeat("A", 43) + `"],"verdict":"accepted","reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/v1/nonce", nil, nil, 405, "method_not_allowed"},
		{ada, "POST", "/v1/devices", `{"name":"Laptop"}`, nil, 401, "invalid_dpop_proof"},
		{ada, "POST", "/v1/devices", `{"name":"Laptop"}`, []string{"DPoP", ""}, 401, "invalid_dpop_proof"},
		{nobody, "POST", "/v1/reconcile", `{}`, []string{"DPoP", "a.b.c"}, 401, "invalid_dpop_proof"},
		{nobody, "POST", "/v1/reconcile", nil, nil, 401, "invalid_dpop_proof"},
		{nobody, "GET", "/v1/entitlements", nil, nil, 401, "unauthenticated"},
		{ada, "GET", "/v1/entitlements", nil, []string{"DPoP", "x"}, 401, "invalid_dpop_proof"},

		// Admin.
		{nobody, "GET", "/admin/v1/session", nil, nil, 401, "unauthenticated"},
		{ada, "GET", "/admin/v1/session", nil, nil, 403, "forbidden"},
		{ada, "GET", "/admin/v1/overview", nil, nil, 403, "forbidden"},
		{nobody, "GET", "/admin/v1/overview?days=7", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/staff", nil, nil, 401, "unauthenticated"},
		{ada, "GET", "/admin/v1/staff", nil, nil, 403, "forbidden"},
		{nobody, "POST", "/admin/v1/staff", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"Eve"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"Eve","role":"root"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"Eve","role":["admin"]}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"","role":"admin"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"Eve","role":"admin","user":"` + adaID + `"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/staff", `{"name":"Eve","role":"admin","reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "DELETE", "/admin/v1/staff/x", nil, admin, 404, "not_found"},
		{nobody, "DELETE", "/admin/v1/staff/" + unknown, nil, admin, 404, "not_found"},
		{nobody, "DELETE", "/admin/v1/staff/" + adaID, `{"reason":"not staff"}`, admin, 404, "not_found"},
		{nobody, "DELETE", "/admin/v1/staff/" + adaID, `{"why":"x"}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/admin/v1/users?limit=0", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?limit=201", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?limit=ten", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?cursor=x", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?q=%00", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?q=%ff", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/users?q=%zz", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"  "}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A","external_id":"` + strings.Repeat("x", 201) + `"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A","id":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A"}`, keyed(""), 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A"}`, keyed("two words"), 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A"}`, keyed("é"), 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A"}`, keyed(strings.Repeat("k", 256)), 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A"}`, append(keyed("one"), "Idempotency-Key", "two"), 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"` + strings.Repeat("A", 64<<10) + `"}`, keyed("large"), 413, "payload_too_large"},
		{nobody, "POST", "/admin/v1/subscriptions/" + strings.Repeat("s", 4000) + "/revoke", `{"reason":"x"}`, keyed("long"), 404, "not_found"},
		{nobody, "GET", "/admin/v1/users/x", nil, admin, 404, "not_found"},
		{nobody, "GET", "/admin/v1/users/" + unknown, nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/x/recovery", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/recovery", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/recovery", `{"days":7}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/sign-out", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/sign-out", `{"devices":true}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/sign-out", `{"devices":"all"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","external_id":"x",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"x",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","reason":"` + strings.Repeat("x", 1001) + `",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","reason":7,` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"reason":"` + strings.Repeat("x", 1001) + `",` + plan + `}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users", `{"name":"A","reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/recovery", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/sign-out", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + unknown + `",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"external_id":"unknown",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s%201", `{"user":"` + adaID + `",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/" + strings.Repeat("s", 129), `{"user":"` + adaID + `",` + good + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","plan":"none","state":"active","paid_through":"2099-01-01T00:00:00Z"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","plan":"premium","state":"paid","paid_through":"2099-01-01T00:00:00Z"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","plan":"premium","state":"active"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","plan":"premium","state":"active","paid_through":4070908800}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/s1", `{"user":"` + adaID + `","plan":"premium","state":"active","paid_through":"0000-01-01T00:00:00Z"}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/subscriptions/bobs", `{"user":"` + adaID + `",` + good + `}`, admin, 409, "conflict"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/notes", `{"text":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/x/notes", `{"text":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/notes", `{"text":" "}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/notes", `{"text":"` + strings.Repeat("x", 2001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "DELETE", "/admin/v1/users/" + adaID + "/notes/x", nil, admin, 404, "not_found"},
		{nobody, "DELETE", "/admin/v1/users/" + adaID + "/notes/" + unknown, nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + unknown + "/grants", `{"plan":"premium","days":1,"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/x/grants", `{"plan":"premium","days":1,"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"gold","days":1,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"premium","days":0,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"premium","days":367,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"premium","days":1.5,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"premium","days":99999999999999999999,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"plan":"premium","days":1}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/users/" + adaID + "/grants", `{"days":1,"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/subscriptions/unknown/revocation", nil, admin, 404, "not_found"},
		{nobody, "GET", "/admin/v1/subscriptions/%ff/revocation", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/subscriptions/unknown/revoke", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/subscriptions/bobs/revoke", `{}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/subscriptions/bobs/revoke", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/subscriptions/bobs/revoke", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/subscriptions/bobs/suspend", `{"reason":" "}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/subscriptions/%ff/suspend", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/subscriptions/unknown/reinstate", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/subscriptions/bobs/reinstate", `{"why":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/devices/" + unknown + "/revoke", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/devices/x/revoke", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/devices/" + device + "/revoke", `{"reason":null}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/devices/" + unknown + "/release", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/devices/" + device + "/release", `{}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/devices/" + device + "/release", `{"reason":"x"}`, admin, 409, "conflict"},
		{nobody, "GET", "/admin/v1/plans", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/admin/v1/plans/none", nil, admin, 404, "not_found"},
		{nobody, "PUT", "/admin/v1/plans/Premium", `{` + plan + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"id":"other",` + plan + `}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{` + plan + `,"window":0}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{` + plan + `,"window":9223372036854775807}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{` + plan + `,"window":-1}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":null,"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a b":{"offline":true}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":{"offline":true,"x":1}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":{"limit":-1,"offline":true}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":{}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":{"limit":5}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":{"offline":null}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a":null},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a\"b":{"offline":true}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{"a\\b":{"offline":true}},"device_limit":5}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{},"device_limit":0}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{},"device_limit":2147483648}`, admin, 400, "invalid_request"},
		{nobody, "PUT", "/admin/v1/plans/team", `{"features":{},"device_limit":5,"rank":99999999999}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/packs/atlas/keys?limit=1", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/packs/%E2%98%83/keys", nil, admin, 400, "invalid_request"},
		{ada, "GET", "/admin/v1/packs/atlas/keys", nil, nil, 403, "forbidden"},
		{nobody, "POST", "/admin/v1/packs/vault/epochs", `{"reason":"x"}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/packs/atlas/epochs", `{}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/gaps?limit=0", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/gaps?cursor=x", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/gaps/" + unknown + "/close", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/gaps/x/close", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/gaps/1/close", `{"reason":"x"}`, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/gaps/" + unknown + "/close", `{}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/webhooks", nil, nil, 401, "unauthenticated"},
		{nobody, "GET", "/admin/v1/webhooks?state=lost", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/webhooks?cursor=x", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/webhooks?cursor=99999999999999999999", nil, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/webhooks/x/resend", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/webhooks/00000000-0000-4000-8000-000000000000/resend", nil, admin, 404, "not_found"},
		{nobody, "POST", "/admin/v1/webhooks/00000000-0000-4000-8000-000000000000/resend", `{"reason":1}`, admin, 400, "invalid_request"},
		{nobody, "POST", "/admin/v1/webhooks/00000000-0000-4000-8000-000000000000/resend", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/audit?user=x", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/audit/export?user=x", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/audit?cursor=-1", nil, admin, 400, "invalid_request"},
		{nobody, "GET", "/admin/v1/audit?cursor=99999999999999999999", nil, admin, 400, "invalid_request"},
	}
	// Valid proofs of something else, or of nothing valid.
	proven := func(who *browser, method, path, body string, change func(header, claims map[string]any), status int, code string) {
		who.nonce = ada.do("GET", "/v1/entitlements", nil).Header.Get("DPoP-Nonce")
		table = append(table, bad{who, method, path, body, []string{"DPoP", who.proof(method, path, []byte(body), change)}, status, code})
	}
	reconcile := func(member, value string) string {
		all := map[string]string{"device": `"` + device + `"`, "lineage": `"` + lineage + `"`, "keyset_version": "0"}
		all[member] = value
		var members []string
		for name, value := range all {
			members = append(members, `"`+name+`":`+value)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	claim := func(name string, value any) func(header, claims map[string]any) {
		return func(_, claims map[string]any) { claims[name] = value }
	}
	head := func(name string, value any) func(header, claims map[string]any) {
		return func(header, _ map[string]any) { header[name] = value }
	}
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("nonce", "stale"), 401, "use_dpop_nonce")
	proven(ada, "POST", "/v1/vault/keys", `{"device":"x"}`, nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("htm", "GET"), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("htu", w.url+"/v1/reconcile"), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("body", base64.RawURLEncoding.EncodeToString(make([]byte, 32))), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("iat", nil), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), claim("jti", strings.Repeat("j", 65)), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), head("alg", "none"), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), head("typ", "JWT"), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), head("kid", "1"), 401, "invalid_dpop_proof")
	proven(ada, "POST", "/v1/reconcile", `{`, nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("device", `"x"`), nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("device", `"`+unknown+`"`), nil, 404, "device_unknown")
	proven(ada, "POST", "/v1/reconcile", reconcile("device", `"`+bobDevice+`"`), nil, 404, "device_unknown")
	proven(bob, "POST", "/v1/reconcile", reconcile("lineage", `"`+lineage+`"`), nil, 404, "device_unknown")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `"AAAA"`), nil, 400, "lineage_invalid")
	proven(ada, "POST", "/v1/reconcile", reconcile("lineage", `""`), nil, 400, "lineage_invalid")
	proven(ada, "POST", "/v1/reconcile", reconcile("keyset_version", `1.5`), nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("keyset_version", `"0"`), nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("passkeys", `1`), nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", reconcile("ledger", `"a.b.c"`), nil, 400, "ledger_invalid")
	proven(ada, "POST", "/v1/reconcile", reconcile("ledger", `""`), nil, 400, "ledger_invalid")
	proven(ada, "POST", "/v1/reconcile", reconcile("extra", `1`), nil, 400, "invalid_request")
	proven(ada, "POST", "/v1/reconcile", `{"ledger":"`+strings.Repeat("A", 4<<20)+`"}`, nil, 413, "payload_too_large")
	proven(w.browser(), "GET", "/v1/entitlements", "", nil, 404, "device_unknown")
	proven(w.browser(), "POST", "/v1/devices", `{"name":"Laptop"}`, nil, 401, "unauthenticated")
	proven(bob, "POST", "/v1/devices", `{"name":""}`, nil, 400, "invalid_request")
	fresh := w.browser()
	fresh.client = ada.client
	proven(fresh, "POST", "/v1/devices", `{"name":"","replaces":null}`, nil, 400, "invalid_request")
	proven(fresh, "POST", "/v1/devices", `{"name":"Laptop","replaces":"x"}`, nil, 400, "invalid_request")
	proven(fresh, "POST", "/v1/devices", `{"name":"Laptop","replaces":"`+bobDevice+`"}`, nil, 404, "not_found")

	tried := map[string]bool{}
	for _, b := range table {
		got := b.who.do(b.method, b.path, b.body, b.headers...)
		short := got.body[:min(len(got.body), 300)]
		if got.StatusCode != b.status || got.code() != b.code {
			t.Errorf("%s %s %.80v: %d %q, want %d %q: %s", b.method, b.path, b.body, got.StatusCode, got.code(), b.status, b.code, short)
		}
		if got.Header.Get("Content-Type") != "application/problem+json" || got.text("type") != "urn:holdfast:problem:"+b.code ||
			got.member("status") != float64(b.status) || got.text("title") == "" || got.text("detail") == "" ||
			!strings.HasPrefix(got.text("instance"), "urn:uuid:") ||
			got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s is no whole problem document: %v %s", b.method, b.path, got.Header, short)
		}
		if b.status == 405 && got.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", b.method, b.path)
		}
		for _, row := range api.Routes() {
			if matches(row.Path, b.path) {
				tried[row.Path] = true
			}
		}
	}
	for _, row := range api.Routes() {
		if !tried[row.Path] {
			t.Errorf("no bad request for %s", row.Path)
		}
	}
	if len(table) < 60 {
		t.Errorf("only %d bad requests", len(table))
	}
	// No refused request has changed anything.
	ada.reconcile(device, lineage).want(t, 200, "")
}

// matches reports whether path, without its query, matches the pattern.
func matches(pattern, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

func TestAllow(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/v1/session":                   "GET, HEAD, DELETE",
		"/v1/passkeys/AAAA":             "PATCH, DELETE",
		"/v1/reconcile":                 "POST",
		"/admin/v1/plans/a%2Db":         "GET, HEAD, PUT",
		"/admin/v1/subscriptions/x%3Ay": "PUT",
		"/.well-known/jwks.json":        "GET, HEAD",
	} {
		got := w.browser().do("BREW", path, nil).want(t, 405, "method_not_allowed")
		if allow := strings.Join(got.Header.Values("Allow"), ", "); allow != want {
			t.Errorf("%s allows %q, want %q", path, allow, want)
		}
	}
}

// TestCrossOrigin checks that pages of other origins can change nothing on any route.
func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	for _, c := range []struct {
		name    string
		headers []string
		refused bool
	}{
		{"neither", nil, false},
		{"same-origin", []string{"Sec-Fetch-Site", "same-origin"}, false},
		{"same-origin with Origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", origin}, false},
		{"none: the address bar", []string{"Sec-Fetch-Site", "none"}, false},
		{"own Origin alone", []string{"Origin", origin}, false},
		{"allowed Origin", []string{"Sec-Fetch-Site", "same-site", "Origin", allowed}, false},
		{"same-site", []string{"Sec-Fetch-Site", "same-site"}, true},
		{"cross-site", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"unknown site", []string{"Sec-Fetch-Site", "elsewhere"}, true},
		{"two sites", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, true},
		{"cross-site with own Origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", origin}, true},
		{"foreign Origin", []string{"Origin", "https://evil.example"}, true},
		{"foreign Origin, same-origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example"}, true},
		{"null Origin", []string{"Origin", "null"}, true},
		{"empty Origin", []string{"Origin", ""}, true},
		{"other port", []string{"Origin", "http://localhost:8081"}, true},
		{"other scheme", []string{"Origin", "https://localhost:8080"}, true},
		{"prefix of the own Origin", []string{"Origin", origin + ".evil.example"}, true},
		{"the Host is not believed", []string{"Origin", w.url}, true},
		{"two Origins", []string{"Origin", allowed, "Origin", "https://evil.example"}, true},
	} {
		got := ada.do("POST", "/v1/authentication/options", "{}", c.headers...)
		if refused := got.StatusCode == 403 && got.code() == "cross_origin"; refused != c.refused || !c.refused && got.StatusCode != 200 {
			t.Errorf("%s: %d %s", c.name, got.StatusCode, got.code())
		}
		if get := ada.do("GET", "/v1/session", nil, c.headers...); get.StatusCode != 200 {
			t.Errorf("%s: GET %d %s", c.name, get.StatusCode, get.code())
		}
	}
	foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	for _, row := range api.Routes() {
		if row.Method == http.MethodGet {
			continue
		}
		if row.Webhook { // webhooks trust only a signature, never a cookie
			ada.do(row.Method, path(row.Path), "{}", foreign...).want(t, 401, "unauthenticated")
			continue
		}
		if got := ada.do(row.Method, path(row.Path), "{}", foreign...); got.code() != "cross_origin" {
			t.Errorf("%s %s from elsewhere: %d %s", row.Method, row.Path, got.StatusCode, got.code())
		}
		got := ada.do(row.Method, path(row.Path), "{}", append([]string{"Authorization", "Bearer " + adminSecret}, foreign...)...)
		if exempt := got.code() != "cross_origin"; exempt != row.Admin {
			t.Errorf("%s %s from elsewhere with a token: %d %s", row.Method, row.Path, got.StatusCode, got.code())
		}
	}
}

func TestCookies(t *testing.T) {
	for _, c := range []struct {
		origin, session string
		secure          bool
	}{
		{"http://localhost", "holdfast", false},
		{"https://app.example.org", "__Host-holdfast", true},
	} {
		w := newWorld(t, at(c.origin))
		ada := w.browser()
		ada.rp.ID, _ = strings.CutPrefix(strings.TrimPrefix(c.origin, "https://"), "http://")
		options := ada.do("POST", "/v1/registration/options", `{"name":"Ada"}`)
		in := ada.do("POST", "/v1/registration", ada.attest(options)).want(t, 201, "")
		session := in.Cookies()[0]
		cookie := c.session + "=" + session.Value
		ada.fetchNonce()
		body := []byte(`{"name":"Laptop"}`)
		linked := ada.do("POST", "/v1/devices", body, "DPoP", ada.proof("POST", "/v1/devices", body, nil), "-Cookie", "", "Cookie", cookie).want(t, 201, "")
		device := linked.Cookies()[0]
		out := ada.do("DELETE", "/v1/session", nil, "Cookie", cookie).want(t, 204, "")
		late := ada.do("DELETE", "/v1/session", map[string]string{"device": linked.text("device")}, "Cookie", cookie).want(t, 401, "unauthenticated")
		dead := ada.do("POST", "/v1/registration/options", `{"name":"Ada"}`, "Cookie", cookie).want(t, 401, "unauthenticated")

		for _, check := range []struct {
			cookie *http.Cookie
			name   string
			age    int
		}{
			{session, c.session, int(90 * 24 * time.Hour / time.Second)},
			{device, c.session + "-device", int(400 * 24 * time.Hour / time.Second)},
			{out.Cookies()[0], c.session, -1},
			{late.Cookies()[0], c.session, -1},
			{dead.Cookies()[0], c.session, -1},
		} {
			got := check.cookie
			if got.Name != check.name || got.MaxAge != check.age || !got.HttpOnly || got.Secure != c.secure ||
				got.SameSite != http.SameSiteStrictMode || got.Path != "/" || got.Domain != "" || (got.Value == "") != (check.age < 0) {
				t.Errorf("%s: cookie %s, want %s for %d s", c.origin, got, check.name, check.age)
			}
		}
		if !strings.HasPrefix(device.Value, linked.text("device")+".") {
			t.Errorf("device cookie %q", device.Value)
		}
		hsts := in.Header.Get("Strict-Transport-Security") != ""
		if hsts != c.secure {
			t.Errorf("%s: HSTS %v", c.origin, hsts)
		}
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t)
	client := w.browser()
	preflight := func(path, origin, method string) answer {
		return client.do("OPTIONS", path, nil, "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "content-type,dpop")
	}
	got := preflight("/v1/reconcile", allowed, "POST")
	if got.StatusCode >= 300 || got.Header.Get("Access-Control-Allow-Origin") != allowed || got.Header.Get("Access-Control-Allow-Credentials") != "true" ||
		!strings.Contains(strings.ToLower(got.Header.Get("Access-Control-Allow-Headers")), "dpop") {
		t.Errorf("preflight: %d %v", got.StatusCode, got.Header)
	}
	actual := client.do("POST", "/v1/reconcile", "{}", "Origin", allowed)
	if actual.Header.Get("Access-Control-Allow-Origin") != allowed || !strings.Contains(strings.ToLower(actual.Header.Get("Access-Control-Expose-Headers")), "dpop-nonce") {
		t.Errorf("actual: %v", actual.Header)
	}
	for name, got := range map[string]answer{
		"stranger's preflight": preflight("/v1/reconcile", "https://evil.example", "POST"),
		"stranger":             client.do("GET", "/v1/session", nil, "Origin", "https://evil.example"),
		"admin preflight":      preflight("/admin/v1/users", allowed, "GET"),
		"admin":                client.do("GET", "/admin/v1/users", nil, "Origin", allowed),
		"page":                 client.do("GET", "/", nil, "Origin", allowed),
	} {
		if got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", name, got.Header)
		}
	}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/holdfast-keyset", "/.well-known/webauthn", "/.well-known/passkey-endpoints", "/openapi.yaml", "/v1/status-lists/0"} {
		got := client.do("GET", path, nil, "Origin", "https://edge.example").want(t, 200, "")
		h := got.Header
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("ETag") == "" ||
			!strings.HasPrefix(h.Get("Cache-Control"), "public, max-age=") || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || len(h.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %v", path, h)
		}
		for _, tag := range []string{h.Get("ETag"), `"other", ` + h.Get("ETag"), "*", strings.TrimPrefix(h.Get("ETag"), "W/")} {
			if same := client.do("GET", path, nil, "If-None-Match", tag); same.StatusCode != 304 || len(same.body) != 0 {
				t.Errorf("%s with %s: %d", path, tag, same.StatusCode)
			}
		}
		if other := client.do("GET", path, nil, "If-None-Match", `"other"`); other.StatusCode != 200 {
			t.Errorf("%s with another tag: %d", path, other.StatusCode)
		}
		if pre := client.do("OPTIONS", path, nil, "Origin", "https://edge.example", "Access-Control-Request-Method", "GET"); pre.StatusCode != 204 || pre.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s preflight: %d %v", path, pre.StatusCode, pre.Header)
		}
	}
}

// TestRejectionsRevealNoAccounts checks that no answer reveals whether a passkey is known.
func TestRejectionsRevealNoAccounts(t *testing.T) {
	w := newWorld(t)
	ada, stranger := w.browser(), w.browser()
	ada.register("Ada")
	stranger.authenticator.Options.UserHandle = ada.authenticator.Options.UserHandle
	spoilt := strings.Replace(ada.assert(ada.do("POST", "/v1/authentication/options", nil)), `"signature":"`, `"signature":"AAAA`, 1)
	known := ada.do("POST", "/v1/authentication", spoilt).want(t, 400, "credential_rejected")
	unknown := stranger.do("POST", "/v1/authentication", stranger.assert(stranger.do("POST", "/v1/authentication/options", nil))).want(t, 400, "credential_rejected")
	but := func(a answer) string { return strings.Replace(string(a.body), a.text("instance"), "", 1) }
	if but(known) != but(unknown) || len(known.Cookies()) != len(unknown.Cookies()) {
		t.Errorf("a known passkey: %s\nan unknown one: %s", known.body, unknown.body)
	}
}

// TestProofOnAnotherCurve checks that ES256 requires P-256, whatever key has signed.
func TestProofOnAnotherCurve(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	ada.fetchNonce()
	for _, curve := range []elliptic.Curve{elliptic.P384(), elliptic.P521()} {
		key := must1(ecdsa.GenerateKey(curve, rand.Reader))(t)
		point := must1(key.PublicKey.Bytes())(t)
		size := len(point) / 2
		encode := base64.RawURLEncoding.EncodeToString
		unsigned := ada.proof("GET", "/v1/entitlements", nil, func(header, _ map[string]any) {
			header["jwk"] = map[string]string{
				"kty": "EC", "crv": curve.Params().Name, "x": encode(point[1 : 1+size]), "y": encode(point[1+size:]),
			}
		})
		input := unsigned[:strings.LastIndex(unsigned, ".")]
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		must(t, err)
		signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		ada.do("GET", "/v1/entitlements", nil, "DPoP", input+"."+encode(signature)).want(t, 401, "invalid_dpop_proof")
	}
}
