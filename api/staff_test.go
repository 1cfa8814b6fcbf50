package api_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api"
	"holdfast/passkey"
)

// operator is an agent with all rights.
var operator = passkey.Agent{Actor: "operator", Admin: true}

// staff returns the browser of a staff member who has accepted the invitation.
func (w *world) staff(name string, role passkey.Role) (b *browser, id string) {
	w.t.Helper()
	member, link, err := w.passkeys.InviteStaff(w.t.Context(), operator, name, role)
	must(w.t, err)
	b = w.browser()
	b.enrol(link.Code)
	return b, string(member.User.ID)
}

// enrol registers the browser's passkey with a one-time code.
func (b *browser) enrol(code string) {
	b.w.t.Helper()
	options := b.do("POST", "/v1/recovery/options", map[string]string{"code": code})
	b.do("POST", "/v1/recovery", b.attest(options)).want(b.w.t, http.StatusCreated, "")
}

// TestAdminSession checks the identity and the scopes that callers are shown.
func TestAdminSession(t *testing.T) {
	w := newWorld(t)
	signedIn := w.clock.now().Format(time.RFC3339)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	sam, samID := w.staff("Sam", passkey.RoleSupport)
	token, secret, err := w.passkeys.CreateToken(t.Context(), "operator", "CRM", []passkey.Scope{passkey.SupportRead, passkey.BillingWrite}, 0)
	must(t, err)
	end := w.rights.KeysetEnd().UTC().Format(time.RFC3339)
	for _, c := range []struct {
		got            answer
		actor          string
		user, role, at any
		scopes         []any
	}{
		{eve.do("GET", "/admin/v1/session", nil), "staff:" + eveID, map[string]any{"id": eveID, "name": "Eve"}, "admin", signedIn,
			[]any{"support:read", "support:write", "billing:write", "admin"}},
		{sam.do("GET", "/admin/v1/session", nil), "staff:" + samID, map[string]any{"id": samID, "name": "Sam"}, "support", signedIn,
			[]any{"support:read", "support:write"}},
		{w.browser().admin("GET", "/admin/v1/session", nil), "token:bootstrap", nil, nil, nil,
			[]any{"support:read", "support:write", "billing:write", "admin"}},
		{w.browser().do("GET", "/admin/v1/session", nil, "Authorization", "Bearer "+secret), "token:" + token.ID, nil, nil, nil,
			[]any{"support:read", "billing:write"}},
		// A token in the request decides, whoever sends it.
		{sam.do("GET", "/admin/v1/session", nil, "Authorization", "Bearer "+secret), "token:" + token.ID, nil, nil, nil,
			[]any{"support:read", "billing:write"}},
	} {
		c.got.want(t, 200, "")
		for member, want := range map[string]any{
			"actor": c.actor, "user": c.user, "role": c.role, "authenticated_at": c.at, "scopes": c.scopes, "keyset_ends_at": end,
		} {
			if got := c.got.member(member); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is %v, want %v", c.actor, member, got, want)
			}
		}
	}
}

// TestStaffSessionAges checks that staff may read for half a day, and make changes for ten minutes.
func TestStaffSessionAges(t *testing.T) {
	w := newWorld(t)
	eve, _ := w.staff("Eve", passkey.RoleAdmin)
	read := func() answer { return eve.do("GET", "/admin/v1/users", nil) }
	change := func() answer { return eve.do("POST", "/admin/v1/users", `{"name":"Ada","reason":"a customer"}`) }
	w.clock.forward(10*time.Minute - time.Second)
	change().want(t, 201, "")
	w.clock.forward(time.Second)
	change().want(t, 403, "reauthentication_required")
	read().want(t, 200, "")
	w.clock.forward(12*time.Hour - 10*time.Minute - time.Second)
	read().want(t, 200, "")
	w.clock.forward(time.Second)
	read().want(t, 403, "reauthentication_required")
	eve.do("HEAD", "/admin/v1/users", nil).want(t, 403, "")
	eve.signIn()
	read().want(t, 200, "")
	change().want(t, 201, "")
	if n := w.count("users"); n != 3 {
		t.Errorf("%d users, want Eve and two", n)
	}

	// An expired session opens nothing, and its cookie is cleared.
	w.clock.forward(15 * 24 * time.Hour)
	ended := read().want(t, 401, "unauthenticated")
	if len(ended.Cookies()) != 1 || ended.Cookies()[0].MaxAge >= 0 || ended.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a dead session: %v", ended.Header)
	}
}

// TestStaffSessionsRefuseOtherOrigins checks that pages of another site, of the same site and of an allowed origin can do
// nothing with a staff member's cookie.
func TestStaffSessionsRefuseOtherOrigins(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	const body = `{"name":"Mallory","role":"admin","reason":"x"}`
	for name, headers := range map[string][]string{
		"form":           {"Content-Type", "text/plain", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		"form, no names": {"Content-Type", "application/x-www-form-urlencoded", "Origin", "null", "Sec-Fetch-Site", "cross-site"},
		"same-site":      {"Origin", "http://evil.localhost:8080", "Sec-Fetch-Site", "same-site"},
		"allowed origin": {"Origin", allowed, "Sec-Fetch-Site", "same-site"},
		"only Origin":    {"Origin", allowed},
	} {
		for _, path := range []string{"/admin/v1/users", "/admin/v1/users/" + eveID + "/sign-out"} {
			eve.do("POST", path, body, headers...).want(t, 403, "cross_origin")
		}
		if got := eve.do("GET", "/admin/v1/users", nil, headers...); got.Header.Get("Access-Control-Allow-Origin") != "" ||
			got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s may read: %v", name, got.Header)
		}
	}
	eve.do("POST", "/admin/v1/users", `{"name":"Ada","reason":"x"}`, "Origin", origin, "Sec-Fetch-Site", "same-origin").want(t, 201, "")
}

// TestRoleChangesApplyAtOnce checks that a session loses its rights as soon as its user's role ends or is reduced.
func TestRoleChangesApplyAtOnce(t *testing.T) {
	w := newWorld(t)
	sam, samID := w.staff("Sam", passkey.RoleSupport)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	sam.do("GET", "/admin/v1/users", nil).want(t, 200, "")
	must(t, w.passkeys.RemoveStaff(t.Context(), operator, passkey.UserID(samID)))
	sam.do("GET", "/admin/v1/users", nil).want(t, 401, "unauthenticated") // signed out
	sam.signIn()                                                          // an ordinary user now
	sam.do("GET", "/admin/v1/users", nil).want(t, 403, "forbidden")
	sam.do("GET", "/v1/session", nil).want(t, 200, "")

	// Also if the session outlives the role, and if the role is reduced.
	eve.do("POST", "/admin/v1/users", `{"name":"Ada","reason":"x"}`).want(t, 201, "")
	db := w.connect()
	db.MustExec(`UPDATE staff SET role = 'support' WHERE user_id = $1`, eveID)
	eve.do("PUT", "/admin/v1/plans/team", `{"features":{},"grace":0,"device_limit":1,"rank":1}`).want(t, 403, "forbidden")
	if got := eve.do("GET", "/admin/v1/session", nil).want(t, 200, ""); got.text("role") != "support" {
		t.Errorf("role: %s", got.body)
	}
	db.MustExec(`DELETE FROM staff WHERE user_id = $1`, eveID)
	eve.do("POST", "/admin/v1/users", `{"name":"Ada","reason":"x"}`).want(t, 403, "forbidden")
	if log := w.log.String(); strings.Contains(log, "Eve") || strings.Contains(log, "Sam") {
		t.Error("the log names staff")
	}
}

// TestStaffRoutes checks that an admin can invite, list and remove staff from the console.
func TestStaffRoutes(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	w.clock.forward(time.Second)
	at := w.clock.now()
	invited := eve.do("POST", "/admin/v1/staff", `{"name":"Sam","role":"support","reason":"hired"}`, "Idempotency-Key", "sam").want(t, 201, "")
	samID := invited.text("staff.id")
	code, ok := strings.CutPrefix(invited.text("invitation.url"), origin+"/support#invite=")
	if !ok || invited.text("staff.name") != "Sam" || invited.text("staff.role") != "support" || invited.member("staff.passkeys") != 0.0 ||
		invited.text("staff.created_at") != at.Format(time.RFC3339) || invited.text("invitation.expires_at") != at.Add(15*time.Minute).Format(time.RFC3339) {
		t.Fatalf("invited: %s", invited.body)
	}
	sam := w.browser()
	sam.enrol(code)
	sam.do("POST", "/v1/recovery/options", map[string]string{"code": code}).want(t, 400, "ceremony_invalid")
	list := eve.do("GET", "/admin/v1/staff", nil).want(t, 200, "").member("staff").([]any)
	if len(list) != 2 || list[0].(map[string]any)["id"] != eveID || list[1].(map[string]any)["id"] != samID || list[1].(map[string]any)["passkeys"] != 1.0 {
		t.Errorf("staff: %v", list)
	}

	// The support role's view of staff members.
	shown := sam.do("GET", "/admin/v1/users/"+eveID, nil).want(t, 200, "")
	sessions := shown.member("sessions").([]any)
	if shown.text("role") != "admin" || len(sessions) != 1 {
		t.Fatalf("shown: %s", shown.body)
	}
	session := sessions[0].(map[string]any)
	if own := eve.do("GET", "/v1/sessions", nil).member("sessions").([]any)[0].(map[string]any); len(session) != 5 || session["id"] != own["id"] ||
		session["authenticated_at"] != own["authenticated_at"] || session["last_active_at"] != own["last_active_at"] || session["expires_at"] != own["expires_at"] {
		t.Errorf("session: %v, Eve's own: %v", session, own)
	}

	// A recovery link for a staff member leads to the console, too.
	if recovery := eve.do("POST", "/admin/v1/users/"+samID+"/recovery", `{"reason":"lost the phone"}`).want(t, 201, ""); !strings.HasPrefix(
		recovery.text("recovery.url"), origin+"/support#recover=") {
		t.Errorf("recovery: %s", recovery.body)
	}

	eve.do("DELETE", "/admin/v1/staff/"+samID, nil).want(t, 400, "invalid_request")
	eve.do("DELETE", "/admin/v1/staff/"+samID, `{"reason":"left"}`).want(t, 204, "")
	eve.do("DELETE", "/admin/v1/staff/"+samID, `{"reason":"left"}`).want(t, 404, "not_found")
	sam.do("GET", "/admin/v1/session", nil).want(t, 401, "unauthenticated")
	if shown := eve.do("GET", "/admin/v1/users/"+samID, nil).want(t, 200, ""); shown.member("role") != nil || len(shown.member("sessions").([]any)) != 0 {
		t.Errorf("no longer staff: %s", shown.body)
	}
	var trail []string
	for _, e := range eve.do("GET", "/admin/v1/audit?user="+samID, nil).want(t, 200, "").member("entries").([]any) {
		entry := e.(map[string]any)
		trail = append(trail, fmt.Sprint(entry["actor"], " ", entry["action"], " ", entry["before"], " ", entry["reason"]))
	}
	if want := []string{
		"staff:" + eveID + " staff.removed map[role:support] left",
		"staff:" + eveID + " recovery_link.created <nil> lost the phone",
		"user:" + samID + " passkey.added <nil> <nil>",
		"staff:" + eveID + " staff.invited <nil> hired",
	}; !slices.Equal(trail, want) {
		t.Errorf("trail: %q", trail)
	}

	eve.do("DELETE", "/admin/v1/staff/"+eveID, `{"reason":"left"}`).want(t, 409, "conflict")       // oneself
	w.browser().admin("DELETE", "/admin/v1/staff/"+eveID, nil).want(t, 409, "conflict")            // the last admin
	w.browser().admin("POST", "/admin/v1/staff", `{"name":"Ann","role":"admin"}`).want(t, 201, "") // optional for tokens
}

// TestStoredAnswersAreBoundToSession checks that only the session that used an Idempotency-Key can get, and decrypt, its
// stored answer.
func TestStoredAnswersAreBoundToSession(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	ann, _ := w.staff("Ann", passkey.RoleAdmin)
	const body = `{"name":"Sam","role":"admin","reason":"hired"}`
	invite := func(b *browser) answer { return b.do("POST", "/admin/v1/staff", body, "Idempotency-Key", "k") }
	first := invite(eve).want(t, 201, "")
	if again := invite(eve).want(t, 201, ""); string(again.body) != string(first.body) {
		t.Errorf("repeated: %s", again.body)
	}
	if other := invite(ann).want(t, 201, ""); other.text("staff.id") == first.text("staff.id") {
		t.Errorf("another's answer: %s", other.body)
	}
	var kept, hash []byte
	must(t, w.connect().QueryRow(`SELECT answer, body_hash FROM idempotency WHERE actor = $1`, "staff:"+eveID).Scan(&kept, &hash))
	for _, secret := range []string{"", eveID, adminSecret} {
		key := must1(hkdf.Key(sha256.New, []byte(secret), nil, "holdfast kept answer", 32))(t)
		seal := must1(cipher.NewGCMWithRandomNonce(must1(aes.NewCipher(key))(t)))(t)
		if opened, err := seal.Open(nil, nil, kept, hash); err == nil {
			t.Errorf("opened with %q: %s", secret, opened)
		}
	}
	eve.signIn() // another session of the same actor
	invite(eve).want(t, 409, "conflict")

	// Losing the role deletes the answers stored under it.
	must(t, w.passkeys.RemoveStaff(t.Context(), operator, passkey.UserID(eveID)))
	eve.signIn()
	invite(eve).want(t, 403, "forbidden")
}

// TestStaffChangesRequireReason checks that every route requires a reason for a staff member's change and stores it in the
// trail.
func TestStaffChangesRequireReason(t *testing.T) {
	w := newTelling(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	_, samID := w.staff("Sam", passkey.RoleSupport)
	ada := w.browser()
	adaID := ada.register("Ada")
	device, _ := ada.link()
	const subscription = `"plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"`
	eve.admin("PUT", "/admin/v1/subscriptions/s1", `{"user":"`+adaID+`",`+subscription+`}`).want(t, 200, "")
	note := eve.do("POST", "/admin/v1/users/"+adaID+"/notes", `{"text":"Prefers letters."}`).want(t, 201, "").text("note.id")
	db := w.connect()
	var gap, delivery string
	db.MustExec(`UPDATE devices SET document_bound = now() + interval '1 day' WHERE id = $1`, device)
	must(t, db.Get(&delivery, `SELECT id FROM webhook_deliveries LIMIT 1`))
	must(t, db.Get(&gap, `
		INSERT INTO audit (at, actor, action, object, user_id, before, after)
		VALUES (now(), 'device:' || $1, 'gap.found', 'device:' || $1, $2, '{"revision": 1}', '{"revision": 2}') RETURNING id`, device, adaID))

	calls := []struct{ route, path, body string }{ // in this order: the last ones leave little to do
		{"POST /admin/v1/users", "", `{"name":"Cleo",%s}`},
		{"POST /admin/v1/users/{id}/recovery", adaID, `{%s}`},
		{"POST /admin/v1/users/{id}/grants", adaID, `{"plan":"premium","days":3,%s}`},
		{"DELETE /admin/v1/users/{id}/notes/{note}", adaID, `{%s}`},
		{"PUT /admin/v1/subscriptions/{id}", "s2", `{"user":"` + adaID + `",` + subscription + `,%s}`},
		{"POST /admin/v1/subscriptions/{id}/suspend", "s1", `{%s}`},
		{"POST /admin/v1/subscriptions/{id}/revoke", "s1", `{%s}`},
		{"POST /admin/v1/subscriptions/{id}/reinstate", "s1", `{%s}`},
		{"POST /admin/v1/gaps/{id}/close", gap, `{%s}`},
		{"POST /admin/v1/webhooks/{id}/resend", delivery, `{%s}`},
		{"PUT /admin/v1/plans/{id}", "team", `{"features":{"export":{"offline":true}},"grace":60,"device_limit":5,"rank":1,%s}`},
		{"POST /admin/v1/packs/{feature}/epochs", "atlas", `{%s}`},
		{"PATCH /admin/v1/users/{id}", adaID, `{"external_id":"crm-1",%s}`},
		{"PUT /admin/v1/users/{id}", adaID, `{"external_id":"crm-2",%s}`},
		{"POST /admin/v1/devices/{id}/revoke", device, `{%s}`},
		{"POST /admin/v1/devices/{id}/release", device, `{%s}`},
		{"POST /admin/v1/users/{id}/ledger/verdict", adaID, `{"entries":["` + w.keepEntry(adaID, device) + `"],"verdict":"accepted",%s}`},
		{"POST /admin/v1/users/{id}/sign-out", adaID, `{"devices":true,%s}`},
		{"POST /admin/v1/staff", "", `{"name":"Ann","role":"support",%s}`},
		{"DELETE /admin/v1/staff/{id}", samID, `{%s}`},
	}
	reasons := func(reason string) (n int) {
		must(t, db.Get(&n, `SELECT count(*) FROM audit a JOIN audit_reasons r ON r.audit_id = a.id WHERE a.actor = $1 AND r.reason = $2`, "staff:"+eveID, reason))
		return n
	}
	known := map[string]bool{"POST /admin/v1/users/{id}/notes": true} // a note says why by itself
	for i, c := range calls {
		known[c.route] = true
		method, path, _ := strings.Cut(strings.NewReplacer("{id}", c.path, "{feature}", c.path, "{note}", note).Replace(c.route), " ")
		before := w.count("audit")
		for _, none := range []string{`"reason":""`, `"reason":" \t"`, ""} {
			body := strings.Replace(fmt.Sprintf(c.body, none), ",}", "}", 1)
			eve.do(method, path, body).want(t, 400, "invalid_request")
		}
		if after := w.count("audit"); after != before {
			t.Errorf("%s without a reason left %d entries", c.route, after-before)
		}
		reason := fmt.Sprintf("reason %d", i)
		got := eve.do(method, path, fmt.Sprintf(c.body, `"reason":"`+reason+`"`))
		if got.StatusCode/100 != 2 || reasons(reason) == 0 {
			t.Errorf("%s with a reason: %d %s, %d entries with it", c.route, got.StatusCode, got.body, reasons(reason))
		}
	}
	for _, row := range api.Routes() {
		if row.Admin && row.Method != http.MethodGet && !known[row.Method+" "+row.Path] {
			t.Errorf("how to call %s %s is not said here", row.Method, row.Path)
		}
	}
}

// TestSupportNeverBecomesAdmin checks that nothing that support may do, by session or by token, opens a staff member's
// account or creates another one.
func TestSupportNeverBecomesAdmin(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	device, _ := eve.link()
	sam, samID := w.staff("Sam", passkey.RoleSupport)
	invited, _, err := w.passkeys.InviteStaff(t.Context(), operator, "Ann", passkey.RoleAdmin)
	must(t, err)
	_, secret, err := w.passkeys.CreateToken(t.Context(), "operator", "CRM", []passkey.Scope{passkey.SupportRead, passkey.SupportWrite}, 0)
	must(t, err)
	eve.do("POST", "/admin/v1/staff", `{"name":"Joe","role":"admin","reason":"hired"}`, "Idempotency-Key", "joe").want(t, 201, "")
	staff := w.count("staff")

	for name, by := range map[string]func(method, path, body string, headers ...string) answer{
		"session": func(method, path, body string, headers ...string) answer {
			return sam.do(method, path, body, headers...)
		},
		"token": func(method, path, body string, headers ...string) answer {
			return w.browser().do(method, path, body, append(headers, "Authorization", "Bearer "+secret)...)
		},
	} {
		for _, id := range []string{eveID, samID, string(invited.User.ID)} {
			user := "/admin/v1/users/" + id
			by("POST", user+"/recovery", `{"reason":"x"}`).want(t, 403, "forbidden")
			by("POST", user+"/recovery", `{"reason":"x"}`, "Idempotency-Key", "k").want(t, 403, "forbidden")
			by("POST", user+"/sign-out", `{"reason":"x"}`).want(t, 403, "forbidden")
			by("POST", user+"/sign-out", `{"devices":true,"reason":"x"}`).want(t, 403, "forbidden")
			by("DELETE", "/admin/v1/staff/"+id, `{"reason":"x"}`).want(t, 403, "forbidden")
			by("GET", user, "").want(t, 200, "")
		}
		by("POST", "/admin/v1/devices/"+device+"/revoke", `{"reason":"x"}`).want(t, 403, "forbidden")
		by("POST", "/admin/v1/staff", `{"name":"Joe","role":"admin","reason":"hired"}`, "Idempotency-Key", "joe").want(t, 403, "forbidden")
		by("POST", "/admin/v1/staff", `{"name":"Joe","role":"admin","reason":"hired"}`, "X-HTTP-Method-Override", "GET").want(t, 403, "forbidden")
		by("POST", "/admin/v1/%73taff", `{"name":"Joe","role":"admin","reason":"hired"}`).want(t, 404, "not_found")
		by("POST", "/admin/v1/staff/", `{"name":"Joe","role":"admin","reason":"hired"}`).want(t, 404, "not_found")
		by("POST", "/admin/v1/users", `{"name":"Joe","role":"admin","reason":"x"}`).want(t, 400, "invalid_request")
		by("PUT", "/admin/v1/plans/premium", `{"features":{},"device_limit":1,"reason":"x"}`).want(t, 403, "forbidden")
		by("PUT", "/admin/v1/subscriptions/s1", `{"user":"`+eveID+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z","reason":"x"}`).
			want(t, 403, "forbidden")

		// An account that support creates, and can enter, is an ordinary user's.
		made := by("POST", "/admin/v1/users", `{"name":"`+name+`","reason":"x"}`).want(t, 201, "")
		puppet := w.browser()
		_, code, _ := strings.Cut(made.text("enrolment.url"), "#enrol=")
		puppet.enrol(code)
		puppet.do("GET", "/admin/v1/session", nil).want(t, 403, "forbidden")
	}

	if n := w.count("staff"); n != staff {
		t.Errorf("%d staff, there were %d", n, staff)
	}
	if n := w.count("enrolments"); n != 2 { // Ann's and Joe's invitations
		t.Errorf("%d links", n)
	}
	eve.do("GET", "/admin/v1/staff", nil).want(t, 200, "") // still signed in
	if devices := eve.do("GET", "/v1/devices", nil).want(t, 200, "").member("devices").([]any); len(devices) != 1 {
		t.Errorf("devices: %v", devices)
	}

	// An admin may do all of it, and a former staff member is an ordinary user.
	eve.do("POST", "/admin/v1/devices/"+device+"/revoke", `{"reason":"lost"}`).want(t, 204, "")
	eve.do("POST", "/admin/v1/users/"+samID+"/sign-out", `{"reason":"left"}`).want(t, 204, "")
	sam.signIn()
	eve.do("DELETE", "/admin/v1/staff/"+string(invited.User.ID), `{"reason":"mistyped"}`).want(t, 204, "")
	sam.do("POST", "/admin/v1/users/"+string(invited.User.ID)+"/recovery", `{"reason":"asked"}`).want(t, 201, "")
}

// TestStaffAccountsAtAllowedOrigins checks that a page of an allowed origin acts as its user, but cannot add lasting access
// to a staff member's account. That takes no real authenticator: a script can play one.
func TestStaffAccountsAtAllowedOrigins(t *testing.T) {
	w := newWorld(t)
	eve, _ := w.staff("Eve", passkey.RoleAdmin)
	ada := w.browser()
	ada.register("Ada")
	for _, path := range []string{"/v1/registration/options", "/v1/recovery-codes"} {
		for _, from := range [][]string{{"Origin", allowed, "Sec-Fetch-Site", "same-site"}, {"Origin", allowed}} {
			eve.do("POST", path, nil, from...).want(t, 403, "cross_origin")
			if got := ada.do("POST", path, nil, from...); got.StatusCode/100 != 2 {
				t.Errorf("an ordinary user at %s: %d %s", path, got.StatusCode, got.body)
			}
		}
		if got := eve.do("POST", path, nil, "Origin", origin, "Sec-Fetch-Site", "same-origin"); got.StatusCode/100 != 2 {
			t.Errorf("%s at home: %d %s", path, got.StatusCode, got.body)
		}
	}
	if n := w.count("recovery_codes WHERE user_id IN (SELECT user_id FROM staff)"); n != 10 {
		t.Errorf("%d codes", n)
	}
}

// TestRoleFollowsTheOriginOfTheCeremony checks that the origin that the authenticator signed decides which page a session
// belongs to. Omitting the Origin header does not change that.
func TestRoleFollowsTheOriginOfTheCeremony(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	eve.do("GET", "/admin/v1/session", nil).want(t, 200, "")

	eve.rp.Origin = allowed
	eve.signIn()
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/admin/v1/session", ""},
		{"GET", "/admin/v1/users", ""},
		{"POST", "/admin/v1/staff", `{"name":"Mallory","role":"admin","reason":"because"}`},
	} {
		eve.do(c.method, c.path, c.body).want(t, 403, "reauthentication_required")
	}
	eve.do("POST", "/v1/registration/options", nil).want(t, 403, "cross_origin")
	eve.do("POST", "/v1/recovery-codes", nil).want(t, 403, "cross_origin")
	eve.fetchNonce()
	eve.prove("POST", "/v1/devices", map[string]string{"name": "Laptop"}).want(t, 403, "cross_origin")
	eve.do("GET", "/v1/session", nil).want(t, 200, "") // still a user
	if role := eve.do("GET", "/v1/account/export", nil).want(t, 200, "").text("role"); role != "admin" {
		t.Errorf("exported role %q", role)
	}

	eve.rp.Origin = origin
	eve.signIn()
	eve.do("GET", "/admin/v1/session", nil).want(t, 200, "")
	// A session older than the column, or a damaged one, has no rights.
	_, err := w.db.Exec(`UPDATE sessions SET origin = '' WHERE user_id = $1`, eveID)
	must(t, err)
	eve.do("GET", "/admin/v1/session", nil).want(t, 403, "reauthentication_required")
	eve.do("POST", "/v1/recovery-codes", nil).want(t, 403, "cross_origin")
}

// TestStaffPasskeysAreMadeAtTheServersOrigin checks that a page of an allowed origin cannot add a passkey to a staff
// account, by session, link or code.
func TestStaffPasskeysAreMadeAtTheServersOrigin(t *testing.T) {
	w := newWorld(t)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	passkeys := w.count("passkeys")

	begun := eve.do("POST", "/v1/registration/options", nil)
	other := *eve
	other.rp.Origin, other.credential = allowed, newCredential()
	other.do("POST", "/v1/registration", other.attest(begun)).want(t, 403, "cross_origin")

	codes := eve.do("POST", "/v1/recovery-codes", nil).want(t, 201, "").member("codes").([]any)
	recovery, err := w.passkeys.CreateRecoveryLink(t.Context(), operator, passkey.UserID(eveID))
	must(t, err)
	_, invitation, err := w.passkeys.InviteStaff(t.Context(), operator, "Sam", passkey.RoleSupport)
	must(t, err)
	for _, code := range []string{codes[0].(string), recovery.Code, invitation.Code} {
		thief := w.browser()
		thief.rp.Origin = allowed
		options := thief.do("POST", "/v1/recovery/options", map[string]string{"code": code})
		thief.do("POST", "/v1/recovery", thief.attest(options)).want(t, 403, "cross_origin")
		// The code is not spent, and works at the server's own origin.
		owner := w.browser()
		owner.do("POST", "/v1/recovery/options", map[string]string{"code": code}).want(t, 200, "")
	}
	if n := w.count("passkeys"); n != passkeys {
		t.Errorf("%d passkeys, there were %d", n, passkeys)
	}

	// An ordinary user adds passkeys wherever the app is.
	ada := w.browser()
	ada.rp.Origin = allowed
	ada.register("Ada")
	second := *ada
	second.credential = newCredential()
	second.do("POST", "/v1/registration", second.attest(ada.do("POST", "/v1/registration/options", nil))).want(t, 201, "")
}
