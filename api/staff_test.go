package api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/passkey"
)

// operator may do everything.
var operator = passkey.Agent{Actor: "operator", Admin: true}

// staff is the browser of a staff member who has taken up the invitation.
func (w *world) staff(name string, role passkey.Role) (b *browser, id string) {
	w.t.Helper()
	member, link, err := w.passkeys.InviteStaff(w.t.Context(), operator, name, role)
	must(w.t, err)
	b = w.browser()
	b.enrol(link.Code)
	return b, string(member.User.ID)
}

// enrol registers the browser's passkey by a one-time code.
func (b *browser) enrol(code string) answer {
	b.w.t.Helper()
	options := b.do("POST", "/v1/recovery/options", map[string]string{"code": code})
	return b.do("POST", "/v1/recovery", b.attest(options)).want(b.w.t, http.StatusCreated, "")
}

// TestAdminSession: who calls, and what they may do.
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
		// A token is what counts, whoever shows it.
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

// TestStaffSessionAges: staff read for half a day, and change for ten minutes.
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

	// A session that has ended opens nothing, and its cookie is cleared.
	w.clock.forward(15 * 24 * time.Hour)
	ended := read().want(t, 401, "unauthenticated")
	if len(ended.Cookies()) != 1 || ended.Cookies()[0].MaxAge >= 0 || ended.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a dead session: %v", ended.Header)
	}
}

// TestStaffPagesAlone: another site, a same-site page and an allowed origin can do nothing with a staff member's cookie.
func TestStaffPagesAlone(t *testing.T) {
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

// TestRoleIsReadAtEveryRequest: a page that was opened with a role has it no longer than it lasts.
func TestRoleIsReadAtEveryRequest(t *testing.T) {
	w := newWorld(t)
	sam, samID := w.staff("Sam", passkey.RoleSupport)
	eve, eveID := w.staff("Eve", passkey.RoleAdmin)
	sam.do("GET", "/admin/v1/users", nil).want(t, 200, "")
	must(t, w.passkeys.RemoveStaff(t.Context(), operator, passkey.UserID(samID)))
	sam.do("GET", "/admin/v1/users", nil).want(t, 401, "unauthenticated") // signed out
	sam.signIn()                                                          // an ordinary user now
	sam.do("GET", "/admin/v1/users", nil).want(t, 403, "forbidden")
	sam.do("GET", "/v1/session", nil).want(t, 200, "")

	// Also where the session outlives the role, and where the role becomes less.
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
