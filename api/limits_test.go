package api_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/api"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		xff       []string
		want      string
	}{
		{peer: "203.0.113.9:1234", want: "203.0.113.9"},
		{peer: "203.0.113.9:1234", xff: []string{"198.51.100.7"}, want: "203.0.113.9"}, // not our proxy
		{peer: "203.0.113.9:1234", forwarded: []string{"for=198.51.100.7"}, want: "203.0.113.9"},
		{peer: "[2001:db8::9]:1234", want: "2001:db8::9"},
		{peer: "[fe80::1%eth0]:1234", want: "fe80::1"},
		{peer: "10.0.0.1:1", want: "10.0.0.1"},
		{peer: "10.0.0.1:1", xff: []string{"198.51.100.7"}, want: "198.51.100.7"},
		{peer: "[::ffff:10.0.0.1]:1", xff: []string{"::ffff:198.51.100.7"}, want: "198.51.100.7"},
		{peer: "10.0.0.1:1", xff: []string{"192.0.2.1, 198.51.100.7"}, want: "198.51.100.7"}, // invented by the client
		{peer: "10.0.0.1:1", xff: []string{"192.0.2.1", "198.51.100.7, 10.2.3.4"}, want: "198.51.100.7"},
		{peer: "10.0.0.1:1", xff: []string{"10.9.9.9, 10.2.3.4"}, want: "10.9.9.9"},
		{peer: "10.0.0.1:1", xff: []string{"198.51.100.7, unknown"}, want: "10.0.0.1"},
		{peer: "10.0.0.1:1", xff: []string{"198.51.100.7, garbage, 10.2.3.4"}, want: "10.2.3.4"},
		{peer: "10.0.0.1:1", xff: []string{""}, want: "10.0.0.1"},
		{peer: "10.0.0.1:1", xff: []string{"198.51.100.7:4711"}, want: "198.51.100.7"},
		{peer: "[fd00::1]:1", xff: []string{"2001:db8::7"}, want: "2001:db8::7"},
		{peer: "10.0.0.1:1", forwarded: []string{`for=192.0.2.1;proto=https, For="[2001:db8::7]:4711";by=10.0.0.1`}, want: "2001:db8::7"},
		{peer: "10.0.0.1:1", forwarded: []string{"for=198.51.100.7, for=10.2.3.4"}, want: "198.51.100.7"},
		{peer: "10.0.0.1:1", forwarded: []string{"for=198.51.100.7, proto=https"}, want: "10.0.0.1"},
		{peer: "10.0.0.1:1", forwarded: []string{"for=_hidden"}, want: "10.0.0.1"},
		// The proxy writes one header; the client sent the other.
		{peer: "10.0.0.1:1", forwarded: []string{"for=192.0.2.1"}, xff: []string{"198.51.100.7"}, want: "10.0.0.1"},
		{peer: "10.0.0.1:1", forwarded: []string{"for=198.51.100.7"}, xff: []string{"198.51.100.7"}, want: "198.51.100.7"},
		{peer: "@", want: "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		for _, value := range c.forwarded {
			r.Header.Add("Forwarded", value)
		}
		for _, value := range c.xff {
			r.Header.Add("X-Forwarded-For", value)
		}
		if got := api.ClientAddress(r, trusted).String(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestFailures(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fail := api.NewFailures(func() time.Time { return now })
	for i := range 10 {
		if wait := fail("ada"); wait != 0 {
			t.Fatalf("failure %d: wait %s", i, wait)
		}
	}
	for range 3 { // refused tries are not counted
		if wait := fail("ada"); wait != time.Minute {
			t.Errorf("after ten: wait %s", wait)
		}
	}
	if wait := fail("bob"); wait != 0 {
		t.Errorf("somebody else: wait %s", wait)
	}
	now = now.Add(59 * time.Second)
	if wait := fail("ada"); wait != time.Second {
		t.Errorf("after 59 s: wait %s", wait)
	}
	now = now.Add(time.Second)
	if wait := fail("ada"); wait != 0 {
		t.Errorf("after a minute: wait %s", wait)
	}
	// Many other names push out only those that have not failed for long.
	for i := range api.MaxNames - 1 {
		fail(strconv.Itoa(i))
	}
	if wait := fail("ada"); wait == 0 {
		t.Error("forgotten too early")
	}
}

// guess returns a recovery code that belongs to nobody.
func guess(account, i int) string { return fmt.Sprintf("%08d-%016d", account, i) }

// TestRecoveryCodesCannotBeGuessed checks that guesses are limited, and that other people's guesses block neither a passkey
// nor another network.
func TestRecoveryCodesCannotBeGuessed(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	ada := w.browser()
	ada.register("Ada")
	code := ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "").member("codes").([]any)[0].(string)
	try := func(code, address string) answer {
		return w.browser().do("POST", "/v1/recovery/options", map[string]string{"code": code}, "X-Forwarded-For", address)
	}
	// For one code, from any network.
	lookup := code[:9]
	var limited int
	for i := range 14 {
		got := try(lookup+fmt.Sprintf("%016d", i), fmt.Sprintf("198.51.%d.1", i))
		if got.StatusCode == 429 {
			limited++
			if seconds, err := strconv.Atoi(got.want(t, 429, "rate_limited").Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("Retry-After: %q", got.Header.Get("Retry-After"))
			}
			continue
		}
		got.want(t, 400, "ceremony_invalid")
	}
	if limited != 4 {
		t.Errorf("%d of 14 guesses were held up, want 4", limited)
	}
	try(code, "203.0.113.1").want(t, 429, "rate_limited") // even the right code: there are nine others

	// From one network, for any account.
	limited = 0
	for i := range 34 {
		if try(guess(i, i), fmt.Sprintf("192.0.2.%d", i)).StatusCode == 429 {
			limited++
		}
	}
	if limited != 4 {
		t.Errorf("%d of 34 guesses were held up, want 4", limited)
	}
	try(guess(99, 0), "2001:db8:1::1").want(t, 400, "ceremony_invalid")

	// A passkey still works, even from that network.
	in := ada.do("POST", "/v1/authentication", ada.assert(ada.do("POST", "/v1/authentication/options", nil)), "X-Forwarded-For", "192.0.2.1")
	in.want(t, 200, "")
	w.clock.forward(10 * time.Minute)
	try(code, "192.0.2.1").want(t, 200, "")
	if log := w.log.String(); strings.Contains(log, "192.0.2") || strings.Contains(log, "198.51") {
		t.Error("the log holds addresses")
	}
}

// TestOnlyFailuresCount checks that many successful sign-ins behind one address are never limited, and that a good passkey
// is not blocked by the failures of others who share, or pretend to share, its network.
func TestOnlyFailuresCount(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	for range 50 {
		ada.signIn()
	}
	limited := 0
	for range 14 {
		spoilt := strings.Replace(ada.assert(ada.do("POST", "/v1/authentication/options", nil)), `"signature":"`, `"signature":"AAAA`, 1)
		got := ada.do("POST", "/v1/authentication", spoilt)
		if got.StatusCode == 429 {
			if wait := got.want(t, 429, "rate_limited").Header.Get("Retry-After"); wait == "" || wait == "0" {
				t.Errorf("Retry-After: %q", wait)
			}
			limited++
			continue
		}
		got.want(t, 400, "credential_rejected")
	}
	if limited != 4 {
		t.Errorf("%d of 14 failures were held up, want 4", limited)
	}
	ada.signIn()
	// Ten failures of the network have been counted so far; twenty more are allowed.
	for i := range 24 {
		got := w.browser().do("POST", "/v1/authentication", `{"ceremony":"x","credential":{}}`)
		if want := i >= 20; (got.StatusCode == 429) != want {
			t.Errorf("failure %d of the network: %d", i, got.StatusCode)
		}
	}
	ada.signIn()
	w.browser().register("Bob")
	w.clock.forward(time.Hour)
	w.browser().do("POST", "/v1/authentication", `{"ceremony":"x","credential":{}}`).want(t, 400, "ceremony_invalid")
}

// TestFailuresCountPerPasskeyAndAccount checks that failures count for their passkey and account, however these are spelled
// and from whichever network they come.
func TestFailuresCountPerPasskeyAndAccount(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	ada := w.browser()
	ada.register("Ada")
	id := base64.RawURLEncoding.EncodeToString(ada.credential.ID)
	handle := `"userHandle":"`
	spellings := []func(try int, answer string) string{
		func(_ int, answer string) string { return answer },
		// A different passkey of the account each time.
		func(try int, answer string) string { return strings.ReplaceAll(answer, id, fmt.Sprintf("%043d", try)) },
		// The passkey and its account, spelled differently in each try.
		func(try int, answer string) string {
			answer = strings.Replace(answer, `"id":"`+id, fmt.Sprintf(`"id":"%04d`, try), 1) // beside rawId
			return strings.Replace(answer, handle, `"UserHandle":"`, 1)
		},
		func(try int, answer string) string {
			answer = strings.ReplaceAll(answer, id+`"`, id+strings.Repeat("=", try+1)+`"`)
			return strings.Replace(answer, handle, handle+strings.Repeat(`\n`, try), 1)
		},
	}
	for n, spell := range spellings {
		w.clock.forward(time.Hour)
		limited := 0
		for try := range 14 {
			spoilt := strings.Replace(ada.assert(ada.do("POST", "/v1/authentication/options", nil)), `"signature":"`, `"signature":"AAAA`, 1)
			spelt := spell(try, spoilt)
			if n > 0 && spelt == spoilt {
				t.Fatalf("spelling %d changes nothing of %s", n, spoilt)
			}
			got := ada.do("POST", "/v1/authentication", spelt, "X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", try, n))
			if got.StatusCode == 429 {
				limited++
				continue
			}
			got.want(t, 400, "credential_rejected")
		}
		if limited != 4 {
			t.Errorf("spelling %d: %d of 14 failures were held up, want 4", n, limited)
		}
	}
	ada.signIn()
}

// TestTrustedProxyDecidesClientAddress checks that a client counts under the address that our proxy has added, whatever the
// client sends.
func TestTrustedProxyDecidesClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	pieces := []string{
		"for=", "For=", "by=", ";", ",", `"`, "=", "[", "]", ":", "\\", " ", "\t", "10.0.0.1", "fd00::1", "192.0.2.1", "::ffff:10.0.0.1", "2001:db8::1", "unknown",
		"_x", "%eth0", "010.0.0.1", "10.0.0.1:80", `"[fd00::1]:80"`, "\x00", "é",
	}
	random := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		var made strings.Builder
		for range random.IntN(12) {
			made.WriteString(pieces[random.IntN(len(pieces))])
		}
		for header, added := range map[string][2]string{
			"X-Forwarded-For": {"203.0.113.7", "2001:db8:7::7"},
			"Forwarded":       {"for=203.0.113.7;proto=https", `proto=https;For="[2001:db8:7::7]:4711"`},
		} {
			for i, want := range []string{"203.0.113.7", "2001:db8:7::7"} {
				// Proxies append to the value, or add another header line.
				for _, values := range [][]string{{made.String() + ", " + added[i]}, {made.String(), added[i]}, {made.String(), added[i] + ", " + strings.Replace(added[0], "203.0.113.7", "10.1.2.3", 1)}} {
					r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: values}}
					if got := api.ClientAddress(r, trusted).String(); got != want {
						t.Fatalf("%s %q: %s, want %s", header, values, got, want)
					}
				}
			}
		}
		r := &http.Request{RemoteAddr: "203.0.113.9:1", Header: http.Header{"Forwarded": {made.String()}, "X-Forwarded-For": {made.String()}}}
		if got := api.ClientAddress(r, trusted).String(); got != "203.0.113.9" {
			t.Fatalf("%q, past our proxies: %s", made.String(), got)
		}
	}
}

// TestUntrustedProxyIsReported checks that the log warns once, without an address, about a proxy that is not trusted: all
// of its users count as one network.
func TestUntrustedProxyIsReported(t *testing.T) {
	const warning = "level=WARN msg=\"proxy is not in --trusted-proxies: its users count as one network\""
	for header, value := range map[string]string{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"} {
		w := newWorld(t)
		w.browser().do("POST", "/v1/registration/options", `{"name":"Ada"}`).want(t, 200, "")
		if strings.Contains(w.log.String(), "proxy") {
			t.Errorf("without a proxy: %s", w.log)
		}
		for range 3 {
			w.browser().do("POST", "/v1/registration/options", `{"name":"Ada"}`, header, value).want(t, 200, "")
		}
		if log := w.log.String(); strings.Count(log, warning) != 1 || strings.Contains(log, "203.0.113") || strings.Contains(log, "127.0.0.1") {
			t.Errorf("by %s: %s", header, log)
		}
		trusting := newWorld(t, behind("127.0.0.1/32"))
		trusting.browser().do("POST", "/v1/registration/options", `{"name":"Ada"}`, header, value).want(t, 200, "")
		if strings.Contains(trusting.log.String(), "proxy") {
			t.Errorf("from a trusted proxy: %s", trusting.log)
		}
	}
}

// TestRecoveryCodesAreLimited checks that an account makes five sets at once and one more every ten minutes: a set takes
// ten slow hashes.
func TestRecoveryCodesAreLimited(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.browser(), w.browser()
	ada.register("Ada")
	bob.register("Bob")
	for range 5 {
		ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "")
	}
	if wait := ada.do("POST", "/v1/recovery-codes", nil).want(t, 429, "rate_limited").Header.Get("Retry-After"); wait != "600" {
		t.Errorf("Retry-After %q, want 600", wait)
	}
	bob.do("POST", "/v1/recovery-codes", nil).want(t, 201, "")
	w.clock.forward(10 * time.Minute)
	ada.signIn()
	ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "")
}

// count returns how many of the tries from that network are answered with the status.
func (b *browser) count(tries, status int, path, body, network string) (times int) {
	for i := range tries {
		if b.do("POST", path, body, "X-Forwarded-For", fmt.Sprintf(network, i%250)).StatusCode == status {
			times++
		}
	}
	return times
}

// TestRegistrationsAreLimited checks that a network creates 500 accounts at once and one more every six seconds. Only
// created accounts count, and only against further ones.
func TestRegistrationsAreLimited(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	register := func(b *browser, network string) answer {
		begun := b.do("POST", "/v1/registration/options", map[string]string{"name": "Ada"}, "X-Forwarded-For", network)
		if begun.StatusCode != 200 {
			return begun
		}
		return b.do("POST", "/v1/registration", b.attest(begun), "X-Forwarded-For", network)
	}
	ada := w.browser()
	if failed := ada.count(20, 400, "/v1/registration", `{"ceremony":"x","credential":{}}`, "192.0.2.%d"); failed != 20 {
		t.Errorf("%d of 20 registrations failed", failed)
	}
	late := w.browser()
	begun := late.do("POST", "/v1/registration/options", map[string]string{"name": "Eve"}, "X-Forwarded-For", "192.0.2.1")
	begun.want(t, 200, "")
	for i := range 500 {
		b := w.browser()
		if i == 0 {
			b = ada
		}
		register(b, fmt.Sprintf("192.0.2.%d", i%250)).want(t, 201, "")
	}
	w.clock.forward(time.Second)
	refused := register(w.browser(), "192.0.2.9") // before a passkey is created
	if wait := refused.want(t, 429, "rate_limited").Header.Get("Retry-After"); wait != "5" {
		t.Errorf("Retry-After %q, want 5", wait)
	}
	late.do("POST", "/v1/registration", late.attest(begun), "X-Forwarded-For", "192.0.2.1").want(t, 429, "rate_limited")

	register(w.browser(), "203.0.113.1").want(t, 201, "")
	in := ada.do("POST", "/v1/authentication", ada.assert(ada.do("POST", "/v1/authentication/options", nil)), "X-Forwarded-For", "192.0.2.1")
	in.want(t, 200, "")
	ada.do("POST", "/v1/registration/options", nil, "X-Forwarded-For", "192.0.2.1").want(t, 200, "") // another passkey
	w.clock.forward(5 * time.Second)
	register(w.browser(), "192.0.2.9").want(t, 201, "")
	register(w.browser(), "192.0.2.9").want(t, 429, "rate_limited")
	if log := w.log.String(); strings.Contains(log, "192.0.2") {
		t.Error("the log holds addresses")
	}
}

// TestSignInsAreLimited checks that an account gets 300 sessions at once and one more every minute. Other people's tries in
// its name do not count.
func TestSignInsAreLimited(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	ada, bob := w.browser(), w.browser()
	ada.register("Ada")
	bob.register("Bob")
	answerOf := func(b *browser) string { return b.assert(b.do("POST", "/v1/authentication/options", nil)) }
	for i := range 5 {
		spoilt := strings.Replace(answerOf(ada), `"signature":"`, `"signature":"AAAA`, 1)
		w.browser().do("POST", "/v1/authentication", spoilt, "X-Forwarded-For", fmt.Sprintf("198.51.%d.1", i)).want(t, 400, "credential_rejected")
	}
	for range 300 {
		ada.signIn()
	}
	if wait := ada.do("POST", "/v1/authentication", answerOf(ada)).want(t, 429, "rate_limited").Header.Get("Retry-After"); wait != "60" {
		t.Errorf("Retry-After %q, want 60", wait)
	}
	ada.do("POST", "/v1/registration/options", nil).want(t, 429, "rate_limited") // adding a passkey signs in, too
	bob.signIn()
	ada.do("GET", "/v1/session", nil).want(t, 200, "")
	w.clock.forward(time.Minute)
	ada.signIn()
	ada.do("POST", "/v1/authentication", answerOf(ada)).want(t, 429, "rate_limited")
}

// TestBeginCeremonyIsNotLimited checks that beginning a ceremony, which stores nothing, is not limited.
func TestBeginCeremonyIsNotLimited(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	eve := w.browser()
	for path, body := range map[string]string{"/v1/authentication/options": `{}`, "/v1/registration/options": `{"name":"Eve"}`} {
		if begun := eve.count(1100, 200, path, body, "192.0.2.%d"); begun != 1100 {
			t.Errorf("%s: %d of 1100 ceremonies were begun", path, begun)
		}
	}
}

// TestSpentCeremoniesAreLimited checks that a network spends 1,000 ceremonies at once, and ten more every second, by failed
// tries. Successful tries do not count, nor does beginning.
func TestSpentCeremoniesAreLimited(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	ada := w.browser()
	ada.register("Ada")
	for range 5 {
		begun := ada.do("POST", "/v1/authentication/options", nil, "X-Forwarded-For", "192.0.2.1")
		ada.do("POST", "/v1/authentication", ada.assert(begun), "X-Forwarded-For", "192.0.2.1").want(t, 200, "")
	}
	before := w.count("spent")
	eve := w.browser()
	paths := []string{"/v1/authentication", "/v1/registration", "/v1/recovery"}
	fail := func(i int) {
		begun := eve.do("POST", "/v1/authentication/options", nil)
		eve.do("POST", paths[i%3], map[string]any{"ceremony": begun.text("ceremony"), "credential": struct{}{}}, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%250))
	}
	for i := range 1005 {
		fail(i)
	}
	if n := w.count("spent") - before; n != 1000 {
		t.Errorf("%d ceremonies were spent, want 1000", n)
	}
	late := ada.assert(ada.do("POST", "/v1/authentication/options", nil))
	if wait := ada.do("POST", "/v1/authentication", late, "X-Forwarded-For", "192.0.2.77").want(t, 429, "rate_limited").Header.Get("Retry-After"); wait != "1" {
		t.Errorf("Retry-After %q, want 1", wait)
	}
	ada.do("POST", "/v1/authentication", late, "X-Forwarded-For", "192.0.3.1").want(t, 200, "") // not spent by waiting
	w.clock.forward(time.Second)
	for i := range 20 {
		fail(i)
	}
	if n := w.count("spent") - before; n != 1000+1+10 {
		t.Errorf("%d ceremonies were spent, want ten more in a second", n)
	}
}

// TestGoodRecoveryCodesAreLimited checks that good codes are limited, too: checking one takes a slow hash.
func TestGoodRecoveryCodesAreLimited(t *testing.T) {
	w := newWorld(t, behind("127.0.0.0/8"))
	ada := w.browser()
	ada.register("Ada")
	codes := ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "").member("codes").([]any)
	begin := func(code any) int {
		return ada.count(12, 200, "/v1/recovery/options", fmt.Sprintf(`{"code":%q}`, code), "192.0.2.%d")
	}
	if begun := begin(codes[0]); begun != 10 {
		t.Errorf("%d recoveries were begun with one code, want 10", begun)
	}
	if begun := begin(codes[1]); begun != 10 {
		t.Errorf("%d recoveries were begun with another code, want 10", begun)
	}
}
