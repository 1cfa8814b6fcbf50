package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

// site configures a server at one origin of a site, and apps at others.
func site(rpID, origin string, allowed ...string) option {
	return func(a *api.Config, p *passkey.Config, e *entitlements.Config) {
		a.Origin, a.AllowOrigins, a.AppURL, e.Issuer = origin, allowed, origin+"/", origin
		p.RPID, e.RPID, p.Origin, p.AllowOrigins = rpID, rpID, origin, allowed
	}
}

// TestAppOfTheSameSite checks that a server at auth. and an app at app. of one site share passkeys.
func TestAppOfTheSameSite(t *testing.T) {
	const server, app, other = "https://auth.example.org", "https://app.example.org", "https://other.example.org"
	w := newWorld(t, site("example.org", server, app))
	page := func(origin string) []string { return []string{"Origin", origin, "Sec-Fetch-Site", "same-site"} }
	ada := w.browser()
	ada.rp.ID, ada.rp.Origin = "example.org", app
	options := ada.do("POST", "/v1/registration/options", `{"name":"Ada"}`, page(app)...)
	if id := options.text("publicKey.rp.id"); id != "example.org" {
		t.Errorf("the passkey is for %q", id)
	}
	in := ada.do("POST", "/v1/registration", ada.attest(options), page(app)...).want(t, 201, "")
	cookie := in.Cookies()[0]
	if in.Header.Get("Access-Control-Allow-Origin") != app || in.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("the app cannot read the answer: %v", in.Header)
	}
	if cookie.Name != "__Host-holdfast" || cookie.SameSite != http.SameSiteStrictMode || cookie.Domain != "" {
		t.Errorf("cookie: %s", cookie) // Strict cookies go with requests of the same site
	}
	ada.do("GET", "/v1/session", nil, append(page(app), "Cookie", cookie.Name+"="+cookie.Value)...).want(t, 200, "")

	// The same passkey signs in on the server's own pages, but not at another origin of the site.
	ada.rp.Origin = server
	ada.signIn()
	ada.rp.Origin = other
	ada.do("POST", "/v1/authentication/options", nil, page(other)...).want(t, 403, "cross_origin")
	ada.do("POST", "/v1/authentication", ada.assert(ada.do("POST", "/v1/authentication/options", nil))).want(t, 400, "credential_rejected")

	related := ada.do("GET", "/.well-known/webauthn", nil).want(t, 200, "")
	if got := fmt.Sprint(related.member("origins")); got != fmt.Sprint([]any{server, app}) || related.Header.Get("Content-Type") != "application/json" {
		t.Errorf("related origins: %s, %s", got, related.Header.Get("Content-Type"))
	}
	endpoints := ada.do("GET", "/.well-known/passkey-endpoints", nil).want(t, 200, "")
	if endpoints.text("enroll") != server+"/#/security" || endpoints.text("manage") != server+"/#/security" ||
		endpoints.Header.Get("Content-Type") != "application/json" {
		t.Errorf("passkey endpoints: %s", endpoints.body)
	}
}

func TestPasskeyEndpointsWithoutApp(t *testing.T) {
	w := newWorld(t, serving(nil))
	if got := w.browser().do("GET", "/.well-known/passkey-endpoints", nil).want(t, 200, ""); string(got.body) != "{}\n" {
		t.Errorf("%s", got.body)
	}
}

// TestInviteOnly checks that registration requires a link, and that everything works with one and, afterwards, with the
// passkey.
func TestInviteOnly(t *testing.T) {
	w := newWorld(t, func(_ *api.Config, p *passkey.Config, _ *entitlements.Config) { p.InviteOnly = true })
	ada := w.browser()
	ada.do("POST", "/v1/registration/options", `{"name":"Ada"}`).want(t, 403, "forbidden")
	made := ada.admin("POST", "/admin/v1/users", `{"name":"Ada"}`).want(t, 201, "")
	code := made.text("enrolment.url")[len(origin+"/#enrol="):]
	ada.do("POST", "/v1/recovery", ada.attest(ada.do("POST", "/v1/recovery/options", map[string]string{"code": code}))).want(t, 201, "")
	ada.signIn()
	ada.credential = newCredential()
	ada.do("POST", "/v1/registration", ada.attest(ada.do("POST", "/v1/registration/options", nil))).want(t, 201, "")
}
