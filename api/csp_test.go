package api_test

import (
	"strings"
	"testing"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

// TestAppPolicy checks additions to the default policy, whole policies, and that both keep Trusted Types unless they say
// otherwise.
func TestAppPolicy(t *testing.T) {
	const trusted = "require-trusted-types-for 'script'; trusted-types holdfast"
	for _, c := range []struct {
		text  string
		whole bool
		want  string // a part of the policy
	}{
		{"", false, pageCSP},
		{"connect-src https://api.example.org wss://api.example.org", false, "connect-src 'self' https://api.example.org wss://api.example.org;"},
		{"frame-src 'self'; frame-ancestors https://example.org", false, "frame-ancestors https://example.org; " + trusted + "; frame-src 'self'"},
		{"IMG-SRC data: blob:", false, "img-src 'self' data: blob:;"},
		{"trusted-types vue 'allow-duplicates'", false, "require-trusted-types-for 'script'; trusted-types holdfast vue 'allow-duplicates'"},
		{"require-trusted-types-for", false, "frame-ancestors 'none'"},
		{"require-trusted-types-for; frame-src 'self'", false, "frame-ancestors 'none'; frame-src 'self'"},
		{"default-src 'self';\n script-src 'self' 'sha256-" + strings.Repeat("A", 43) + "='\n", true, "default-src 'self'; script-src 'self' 'sha256-" + strings.Repeat("A", 43) + "='; " + trusted},
		{"default-src 'self'; trusted-types a", true, "default-src 'self'; trusted-types a; require-trusted-types-for 'script'"},
		{"default-src 'self'; require-trusted-types-for", true, "default-src 'self'"},
		{"default-src 'self'; upgrade-insecure-requests", true, "default-src 'self'; upgrade-insecure-requests; " + trusted},
	} {
		got, err := api.AppPolicy(c.text, c.whole)
		end := strings.HasSuffix(got, strings.TrimSuffix(c.want, ";"))
		if err != nil || !strings.Contains(got, c.want) || !strings.HasSuffix(c.want, ";") && !end || c.whole && got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
	for text, said := range map[string]string{
		"conect-src https://a.example":                  `"conect-src" is not a directive`,
		"connect-src self":                              "write 'self'",
		"connect-src https://a.example, https://b":      "comma",
		"connect-src https://a.example; connect-src b:": "twice",
		"font-src":                             "font-src has no sources",
		"script-src 'selff'":                   "'selff'",
		"script-src 'sha256-x y'":              "'sha256-x",
		"connect-src https://ä.example":        "ASCII",
		"connect-src 'none' https://a.example": "'none'",
		"report-uri":                           "report-uri has no sources",
		"https://api.example.org":              `"https://api.example.org" is not a directive`,
		"require-trusted-types-for 'style'":    "'style'",
	} {
		if _, err := api.AppPolicy(text, false); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v; want %s", text, err, said)
		}
	}
	if _, err := api.AppPolicy(" \n", true); err == nil {
		t.Error("an empty policy is taken for a whole one")
	}

	policy, err := api.AppPolicy("frame-src 'self'", false)
	must(t, err)
	client := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.AppCSP = policy }).browser()
	for path, want := range map[string]string{"/": policy, "/sw.js": policy, "/support": pageCSP} {
		if got := client.do("GET", path, nil).Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
