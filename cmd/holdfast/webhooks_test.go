package main

import (
	"strings"
	"testing"
)

// TestWebhookFlags checks that invalid webhook flags are refused by name, and that no error contains a secret.
func TestWebhookFlags(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + strings.Repeat("S3cr", 10)
	url := func(text string) string { return "--webhook-url=" + text }
	for _, test := range []struct {
		args []string
		want string // of the refusal; "" for none
	}{
		{nil, ""},
		{[]string{"--webhook-secret=" + secret}, ""},
		{[]string{url("https://u:S3cr@a.example.org/hook?token=S3cr"), url("http://localhost:8000/"), "--webhook-secret=" + secret}, ""},
		{[]string{url("https://hooks.example.org/services/T0/v1/S3cr3tS3cr3t/S3cr"), url("https://a.example.org/S3cr%2Fhook"), "--webhook-secret=" + secret}, ""},
		{[]string{url("http://127.0.0.1:8000"), url("http://[::1]:8000"), "--webhook-secret=" + secret, "--webhook-secret=" + secret}, ""},
		{[]string{url("https://a.example.org/?S3cr")}, "--webhook-url needs --webhook-secret"},
		{[]string{url("http://a.example.org/?S3cr"), "--webhook-secret=" + secret}, "(the first) is neither https nor on this machine"},
		{[]string{url("https://b.example.org"), url("ftp://S3cr"), "--webhook-secret=" + secret}, "(the second) is not a URL"},
		{[]string{url("https://"), "--webhook-secret=" + secret}, "is not a URL"},
		{[]string{url("S3cr%"), "--webhook-secret=" + secret}, "is not a URL"},
		{[]string{url("https://a.example.org/#S3cr"), "--webhook-secret=" + secret}, "is not a URL"},
		{[]string{url("https://a.example.org/?S3cr"), url("https://a.example.org/?S3cr"), "--webhook-secret=" + secret}, "--webhook-url https://a.example.org/ is given twice"},
		{[]string{url("https://a.example.org"), "--webhook-secret=" + secret, "--webhook-secret=S3cr"}, "--webhook-secret (the second) is not whsec_"},
	} {
		config, err := configure(t, test.args...).webhooks()
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.args, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "S3cr")):
			t.Errorf("%q: %v, want %s", test.args, err, test.want)
		}
		for _, endpoint := range config.Endpoints {
			if strings.Contains(endpoint.Shown, "S3cr") {
				t.Errorf("shown as %s", endpoint.Shown)
			}
		}
		if len(config.Endpoints) > 0 && strings.Contains(config.Endpoints[0].Shown, "services") &&
			config.Endpoints[0].Shown != "https://hooks.example.org/services/.../v1/.../..." {
			t.Errorf("shown as %s", config.Endpoints[0].Shown)
		}
		if test.want != "" && configure(t, test.args...).check() == nil {
			t.Errorf("%q: the server would start", test.args)
		}
	}
}
