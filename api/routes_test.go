package api_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"holdfast/api"
	"holdfast/passkey"
)

// TestOpenAPI compares the route table with openapi.yaml in both directions.
func TestOpenAPI(t *testing.T) {
	d := must1(described())(t)
	var operations, routed []string
	for path, item := range d.Paths.Map() {
		for method, operation := range item.Operations() {
			operations = append(operations, method+" "+path)
			if operation.OperationID == "" || operation.Summary == "" || operation.Security == nil {
				t.Errorf("%s %s is not described in full", method, path)
			}
		}
	}
	for _, row := range api.Routes() {
		routed = append(routed, row.Method+" "+row.Path)
	}
	slices.Sort(operations)
	slices.Sort(routed)
	if !slices.Equal(operations, routed) {
		t.Fatalf("described:\n%s\nrouted:\n%s", strings.Join(operations, "\n"), strings.Join(routed, "\n"))
	}
	for _, row := range api.Routes() {
		operation := d.Paths.Value(row.Path).GetOperation(row.Method)
		if row.Scope != "" && !strings.Contains(operation.Description, "Needs `"+row.Scope+"`") {
			t.Errorf("%s %s: the description does not name scope %s", row.Method, row.Path, row.Scope)
		}
		takesSession := func(r openapi3.SecurityRequirement) bool { _, ok := r["session"]; return ok }
		if row.Admin && !slices.ContainsFunc(*operation.Security, takesSession) {
			t.Errorf("%s %s: no staff session is described", row.Method, row.Path)
		}
		if row.Admin && row.Method == http.MethodPost && operation.Parameters.GetByInAndName("header", "Idempotency-Key") == nil {
			t.Errorf("%s: no Idempotency-Key is described", row.Path)
		}
		if row.Recent && !refuses(operation, "403", "reauthentication_required") {
			t.Errorf("%s %s: no reauthentication_required is described", row.Method, row.Path)
		}
	}
	// Exactly the codes that a refusal can have are listed.
	var listed []string
	for _, code := range d.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		listed = append(listed, code.(string))
	}
	slices.Sort(listed)
	refusals, err := os.ReadFile("problem.go")
	must(t, err)
	var made []string
	for _, refusal := range regexp.MustCompile(`refusal\{http\.Status\w+, "([a-z_]+)"`).FindAllStringSubmatch(string(refusals), -1) {
		made = append(made, refusal[1])
	}
	slices.Sort(made)
	if made = slices.Compact(made); !slices.Equal(listed, made) {
		t.Errorf("codes listed:\n%q\ncodes that there are:\n%q", listed, made)
	}
}

// refuses reports whether the description of that answer names the code.
func refuses(operation *openapi3.Operation, status, code string) bool {
	answer := operation.Responses.Value(status)
	return answer != nil && answer.Description != nil && strings.Contains(*answer.Description, "`"+code+"`")
}

// path fills a pattern with well-formed, unknown ids.
func path(pattern string) string {
	switch {
	case strings.HasPrefix(pattern, "/v1/passkeys/"):
		return strings.ReplaceAll(pattern, "{id}", "AAAA")
	case strings.HasPrefix(pattern, "/admin/v1/plans/"), strings.HasPrefix(pattern, "/admin/v1/subscriptions/"):
		return strings.ReplaceAll(pattern, "{id}", "unknown")
	}
	pattern = strings.ReplaceAll(pattern, "{n}", "7")
	return strings.ReplaceAll(pattern, "{id}", "00000000-0000-4000-8000-000000000000")
}

// TestScopes calls the whole table as every kind of caller: a token opens exactly what its scope allows, a staff session
// what its role allows, and nothing else opens the admin API.
func TestScopes(t *testing.T) {
	w := newWorld(t)
	read, write, billing, admin := string(passkey.SupportRead), string(passkey.SupportWrite), string(passkey.BillingWrite), string(passkey.Admin)
	everything := []string{read, write, billing, admin}
	type caller struct {
		name    string
		browser *browser
		headers []string
		scopes  []string
		code    string // the code of a refusal
	}
	var callers []caller
	for _, scope := range passkey.Scopes() {
		_, secret, err := w.passkeys.CreateToken(t.Context(), "operator", string(scope), []passkey.Scope{scope}, time.Hour)
		must(t, err)
		opens := []string{string(scope)}
		if scope == passkey.Admin {
			opens = everything
		}
		callers = append(callers, caller{"token " + string(scope), w.browser(), []string{"Authorization", "Bearer " + secret}, opens, "forbidden"})
	}
	eve, _ := w.staff("Eve", passkey.RoleAdmin)
	sam, _ := w.staff("Sam", passkey.RoleSupport)
	rex, rexID := w.staff("Rex", passkey.RoleAdmin)
	must(t, w.passkeys.RemoveStaff(t.Context(), operator, passkey.UserID(rexID)))
	rex.signIn()
	ada := w.browser()
	ada.register("Ada")
	gone := w.browser()
	gone.register("Gone")
	_, err := w.db.Exec(`DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE name = 'Gone')`)
	must(t, err)
	unknown := []string{"Authorization", "Bearer holdfast_" + strings.Repeat("A", 43)}
	callers = append(callers,
		caller{"bootstrap token", w.browser(), []string{"Authorization", "Bearer " + adminSecret}, everything, ""},
		caller{"role admin", eve, nil, everything, ""},
		caller{"role support", sam, nil, []string{read, write}, "forbidden"},
		caller{"role taken away", rex, nil, nil, "forbidden"},
		caller{"user", ada, nil, nil, "forbidden"},
		caller{"dead session", gone, nil, nil, "unauthenticated"},
		caller{"nobody", w.browser(), nil, nil, "unauthenticated"},
		caller{"unknown token", w.browser(), unknown, nil, "unauthenticated"},
		caller{"basic", w.browser(), []string{"Authorization", "Basic " + adminSecret}, nil, "unauthenticated"},
		caller{"empty", w.browser(), []string{"Authorization", "Bearer "}, nil, "unauthenticated"},
		caller{"half", w.browser(), []string{"Authorization", "Bearer " + adminSecret[:40]}, nil, "unauthenticated"},
		// A token in the request decides, even if there is a session, too.
		caller{"role admin, unknown token", eve, unknown, nil, "unauthenticated"},
		caller{"role admin, token support:read", eve, callers[0].headers, []string{read}, "forbidden"},
	)
	for _, row := range api.Routes() {
		if row.Admin != strings.HasPrefix(row.Path, "/admin/") || row.Admin != (row.Scope != "") {
			t.Errorf("%s %s: admin %v, scope %q", row.Method, row.Path, row.Admin, row.Scope)
		}
		var body any
		if row.Method != http.MethodGet {
			body = `{"member":"unknown to all routes"}`
		}
		for _, c := range callers {
			if !row.Admin && (len(c.headers) == 0 || c.browser == eve) {
				continue // users' own rights by session are tested elsewhere
			}
			got := c.browser.do(row.Method, path(row.Path), body, c.headers...)
			refused := got.code() == "forbidden" || row.Admin && got.code() == "unauthenticated"
			if want := row.Admin && !slices.Contains(c.scopes, row.Scope); refused != want || want && got.code() != c.code {
				t.Errorf("%s %s by %s: %d %s", row.Method, row.Path, c.name, got.StatusCode, got.code())
			}
			if c.code == "unauthenticated" && row.Admin && !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s by %s: WWW-Authenticate %q", row.Method, row.Path, c.name, got.Header.Get("WWW-Authenticate"))
			}
			if row.Admin && got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s by %s may be cached", row.Method, row.Path, c.name)
			}
			if got.StatusCode >= 500 {
				t.Errorf("%s %s by %s: %d", row.Method, row.Path, c.name, got.StatusCode)
			}
		}
	}
}

// TestExpiredToken checks that expired and revoked tokens open nothing.
func TestExpiredToken(t *testing.T) {
	w := newWorld(t)
	_, secret, err := w.passkeys.CreateToken(t.Context(), "operator", "short", []passkey.Scope{passkey.Admin}, time.Hour)
	must(t, err)
	revoked, revokedSecret, err := w.passkeys.CreateToken(t.Context(), "operator", "revoked", []passkey.Scope{passkey.Admin}, 0)
	must(t, err)
	client := w.browser()
	client.do("GET", "/admin/v1/users", nil, "Authorization", "bearer "+secret).want(t, 200, "")
	w.clock.forward(time.Hour)
	client.do("GET", "/admin/v1/users", nil, "Authorization", "Bearer "+secret).want(t, 401, "unauthenticated")
	client.do("GET", "/admin/v1/users", nil, "Authorization", "Bearer "+revokedSecret).want(t, 200, "")
	must(t, w.passkeys.RevokeToken(t.Context(), "operator", revoked.ID))
	client.do("GET", "/admin/v1/users", nil, "Authorization", "Bearer "+revokedSecret).want(t, 401, "unauthenticated")
}

// TestNonceOnEveryAnswer checks that every answer of a proof route has exactly one next nonce.
func TestNonceOnEveryAnswer(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	big := strings.Repeat(" ", 5<<20)
	answers := map[string]answer{
		"no proof":       ada.do("POST", "/v1/reconcile", "{}"),
		"two proofs":     ada.do("POST", "/v1/reconcile", "{}", "DPoP", "a", "DPoP", "b"),
		"no JSON":        ada.do("POST", "/v1/reconcile", "{", "DPoP", ada.proof("POST", "/v1/reconcile", []byte("{"), nil)),
		"too large":      ada.do("POST", "/v1/reconcile", big, "DPoP", ada.proof("POST", "/v1/reconcile", []byte(big), nil)),
		"cross-origin":   ada.do("POST", "/v1/reconcile", "{}", "Origin", "https://evil.example"),
		"bad lineage":    ada.reconcile(device, "AAAA"),
		"ok":             ada.reconcile(device, lineage),
		"by cookie":      ada.do("GET", "/v1/entitlements", nil),
		"not signed in":  w.browser().do("GET", "/v1/entitlements", nil),
		"link, no proof": ada.do("POST", "/v1/devices", `{"name":"Laptop"}`),
	}
	// Two valid proofs are one too many.
	twice := []string{"DPoP", ada.proof("GET", "/v1/entitlements", nil, nil), "DPoP", ada.proof("GET", "/v1/entitlements", nil, nil)}
	answers["two sound proofs"] = ada.do("GET", "/v1/entitlements", nil, twice...).want(t, 401, "invalid_dpop_proof")
	for name, got := range answers {
		if nonces := got.Header.Values("DPoP-Nonce"); len(nonces) != 1 || nonces[0] == "" {
			t.Errorf("%s: %d %s with nonces %q", name, got.StatusCode, got.code(), nonces)
		}
		if got.StatusCode == 401 && strings.Contains(got.code(), "dpop") && got.Header.Get("WWW-Authenticate") != `DPoP error="`+got.code()+`", algs="ES256"` {
			t.Errorf("%s: WWW-Authenticate %q", name, got.Header.Get("WWW-Authenticate"))
		}
	}
	if answers["too large"].code() != "payload_too_large" || answers["ok"].StatusCode != 200 {
		t.Errorf("too large: %s, ok: %d", answers["too large"].code(), answers["ok"].StatusCode)
	}
	for _, row := range api.Routes() {
		got := w.browser().do(row.Method, path(row.Path), nil)
		if has := got.Header.Get("DPoP-Nonce") != ""; has != (row.Proof || row.Path == "/v1/nonce") {
			t.Errorf("%s %s: nonce %v", row.Method, row.Path, has)
		}
	}
}

// TestQueryIsHeededOrRefused checks that no route ignores a query parameter, and that the description names those that it
// takes.
func TestQueryIsHeededOrRefused(t *testing.T) {
	w := newWorld(t)
	client := w.browser()
	d := must1(described())(t)
	for _, row := range api.Routes() {
		if !strings.HasPrefix(row.Path, "/v1/") && !strings.HasPrefix(row.Path, "/admin/") {
			continue
		}
		queries := []string{"external_id=crm-17", "x", "limit=1;x=2", "LIMIT=1"}
		if len(row.Query) == 0 {
			queries = append(queries, "limit=1")
		}
		for _, name := range row.Query {
			queries = append(queries, name+"=1&"+name+"=1")
		}
		for _, query := range queries {
			got := client.admin(row.Method, path(row.Path)+"?"+query, nil)
			if got.StatusCode != http.StatusBadRequest || got.code() != "invalid_request" {
				t.Errorf("%s %s?%s: %d %s", row.Method, row.Path, query, got.StatusCode, got.code())
			}
		}

		var taken []string
		for _, parameter := range d.Paths.Value(row.Path).GetOperation(row.Method).Parameters {
			if parameter.Value.In == openapi3.ParameterInQuery {
				taken = append(taken, parameter.Value.Name)
			}
		}
		if !slices.Equal(taken, row.Query) {
			t.Errorf("%s %s takes %q, described are %q", row.Method, row.Path, row.Query, taken)
		}
	}
}

// TestNothingOfTheAPIIsCached checks that every answer that is not public, on routes in the table and elsewhere, is private
// to its requester.
func TestNothingOfTheAPIIsCached(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	check := func(method, path string, got answer) {
		t.Helper()
		vary := strings.Join(got.Header.Values("Vary"), ", ")
		for _, header := range []string{"Authorization", "Cookie", "DPoP", "Origin"} {
			if !strings.Contains(vary, header) {
				t.Errorf("%s %s: %d varies by %q, not by %s", method, path, got.StatusCode, vary, header)
			}
		}
		if !strings.HasPrefix(got.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("%s %s: %d may be cached: %q", method, path, got.StatusCode, got.Header.Get("Cache-Control"))
		}
	}
	for _, row := range api.Routes() {
		if row.Public || row.Path == "/v1/events" { // its answer does not end; its headers are checked below
			continue
		}
		for _, client := range []*browser{ada, w.browser()} {
			check(row.Method, row.Path, client.do(row.Method, path(row.Path), nil))
			check(row.Method, row.Path, client.do(row.Method, path(row.Path), nil, "Origin", allowed))
		}
		check("TRACE", row.Path, ada.do("TRACE", path(row.Path), nil))
		check("OPTIONS", row.Path, ada.do("OPTIONS", path(row.Path), nil, "Origin", allowed, "Access-Control-Request-Method", row.Method))
		if row.Method == http.MethodDelete { // it has signed her out, or erased her
			ada = w.browser()
			ada.register("Ada")
		}
	}
	check("HEAD", "/v1/events", ada.do("HEAD", "/v1/events", nil))
	for _, path := range []string{"/v1/unknown", "/admin/v1/unknown", "/v1/session?x=%ff", "/v1/sessions/a%00b"} {
		check("GET", path, ada.do("GET", path, nil))
	}
}

// TestRecentAuthentication calls the whole table with a session that is ten minutes old: every route that takes something
// from its owner, or adds a way in, requires a new authentication. SECURITY.md lists the same routes.
func TestRecentAuthentication(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, _ := ada.link()
	w.clock.forward(10 * time.Minute)
	ada.fetchNonce()                            // the previous one has expired
	reads := []string{"GET /v1/account/export"} // the only read that requires it: the whole account in one file
	var listed []string
	for _, row := range api.Routes() {
		if !row.Session {
			continue
		}
		name := row.Method + " " + row.Path
		if wanted := row.Method != http.MethodGet && row.Path != "/v1/session" || slices.Contains(reads, name); row.Recent != wanted {
			t.Errorf("%s: recent %v, want %v", name, row.Recent, wanted)
		}
		if row.Path == "/v1/events" || row.Path == "/v1/session" && row.Method != http.MethodGet {
			continue // an endless answer, and the end of the session
		}
		headers := []string{}
		if row.Proof && row.Recent {
			headers = []string{"DPoP", ada.proof(row.Method, row.Path, []byte("{}"), nil)}
		}
		got := ada.do(row.Method, path(row.Path), "{}", headers...)
		if refused := got.code() == "reauthentication_required"; refused != row.Recent || refused && got.StatusCode != 403 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.code())
		}
		if row.Recent {
			listed = append(listed, name)
		}
	}

	security, err := os.ReadFile("../SECURITY.md")
	must(t, err)
	_, section, _ := strings.Cut(string(security), "## Routes that require a recent authentication")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /v1/[^`]*)`").FindAllStringSubmatch(section, -1) {
		told = append(told, row[1])
	}
	listed = append(listed, "DELETE /v1/session") // with another browser's device: see TestSignOutUnlinksOnlyOwnDevice
	slices.Sort(listed)
	slices.Sort(told)
	if !slices.Equal(told, listed) {
		t.Errorf("SECURITY.md has:\n%s\nthe table has:\n%s", strings.Join(told, "\n"), strings.Join(listed, "\n"))
	}

	// The session still works otherwise.
	if left := ada.do("GET", "/v1/devices", nil).want(t, 200, "").member("devices").([]any); len(left) != 1 {
		t.Errorf("device %s is gone: %v", device, left)
	}
}

// TestSignOutUnlinksOnlyOwnDevice checks that signing out never requires a recent authentication, but unlinking a device
// with it does, except for the browser that holds the device's cookie. Knowing a device's id is not enough.
func TestSignOutUnlinksOnlyOwnDevice(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, _ := ada.link()
	w.clock.forward(10 * time.Minute)
	leave := func(b *browser, device string) answer {
		return b.do("DELETE", "/v1/session", map[string]string{"device": device})
	}
	home, err := url.Parse(w.url)
	must(t, err)
	for _, made := range []string{"", device, device + ".", device + ".AAAA"} {
		thief := w.browser()
		for _, cookie := range ada.client.Jar.Cookies(home) {
			if cookie.Name == "holdfast-device" {
				cookie.Value = made
			}
			thief.client.Jar.SetCookies(home, []*http.Cookie{cookie})
		}
		leave(thief, device).want(t, 403, "reauthentication_required")
	}
	leave(ada, "00000000-0000-4000-8000-000000000000").want(t, 403, "reauthentication_required")
	leave(ada, device).want(t, 204, "")
	ada.signIn()
	if left := ada.do("GET", "/v1/devices", nil).want(t, 200, "").member("devices").([]any); len(left) != 0 {
		t.Errorf("devices: %v", left)
	}
	w.clock.forward(10 * time.Minute)
	ada.do("DELETE", "/v1/session", nil).want(t, 204, "")
}
