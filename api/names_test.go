package api_test

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"holdfast/passkey"
)

// TestNames checks that every route that takes a name applies the same rule: two spellings of a name are equal, and an
// invisible name counts as missing.
func TestNames(t *testing.T) {
	w := newWorld(t)
	admin := func(path string, body map[string]string) answer {
		return w.browser().admin("POST", "/admin/v1"+path, body)
	}
	const unreadable = "\u200b\u2067\ufeff"
	// As two keyboards may write it, with invisible characters.
	const decomposed, composed = "\u200bJose\u0301 \u2067Luis\u202c", "José Luis"

	jose := w.browser()
	jose.do("POST", "/v1/registration/options", map[string]string{"name": unreadable}).want(t, 400, "invalid_request")
	user := jose.register(decomposed)
	jose.fetchNonce()
	passkeyPath := "/v1/passkeys/" + base64.RawURLEncoding.EncodeToString(jose.credential.ID)
	jose.do("PATCH", passkeyPath, map[string]string{"name": unreadable}).want(t, 400, "invalid_request")
	jose.prove("POST", "/v1/devices", map[string]string{"name": unreadable}).want(t, 400, "invalid_request")
	admin("/users", map[string]string{"name": unreadable}).want(t, 400, "invalid_request")
	admin("/staff", map[string]string{"name": unreadable, "role": "support"}).want(t, 400, "invalid_request")
	if _, _, err := w.passkeys.CreateToken(t.Context(), "operator", unreadable, []passkey.Scope{passkey.Admin}, 0); err == nil {
		t.Error("a token has a name that shows nothing")
	}

	for what, got := range map[string]answer{
		"user":      jose.do("GET", "/v1/session", nil).want(t, 200, ""),
		"passkey":   jose.do("PATCH", passkeyPath, map[string]string{"name": decomposed}).want(t, 200, ""),
		"device":    jose.prove("POST", "/v1/devices", map[string]string{"name": decomposed}).want(t, 201, ""),
		"devices":   jose.do("GET", "/v1/devices", nil).want(t, 200, ""),
		"customer":  admin("/users", map[string]string{"name": decomposed}).want(t, 201, ""),
		"colleague": admin("/staff", map[string]string{"name": decomposed, "role": "support"}).want(t, 201, ""),
	} {
		if what != "device" && !strings.Contains(string(got.body), `"name":"`+composed+`"`) {
			t.Errorf("%s: %s", what, got.body)
		}
	}

	for _, query := range []string{composed, decomposed, "luis", "LUIS JOSE\u0301", "jos\u00e9", "lu", "uis", "os\u00e9"} {
		found := w.browser().admin("GET", "/admin/v1/users?q="+url.QueryEscape(query), nil).want(t, 200, "")
		users, _ := found.member("users").([]any)
		if len(users) != 3 || !slices.ContainsFunc(users, func(u any) bool { return u.(map[string]any)["id"] == user }) {
			t.Errorf("%+q finds %s", query, found.body)
		}
	}
}
