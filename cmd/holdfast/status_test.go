package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/statuslist"
)

// TestVerifyStatus verifies documents whose status list a test server returns.
func TestVerifyStatus(t *testing.T) {
	t.Parallel()
	var answer func(http.ResponseWriter, *http.Request)
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; answer(w, r) }))
	defer server.Close()
	origin := server.URL
	dir := filepath.Join(t.TempDir(), "keys")
	keys, err := makeKeys(dir, origin, "", time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := jose.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list := statuslist.New(16)
	for index, status := range []statuslist.Status{statuslist.Valid, statuslist.Invalid, statuslist.Suspended, 3} {
		if err := list.Set(index, status); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Unix()
	token := func(key jose.PrivateKey, sub string) string {
		text, err := jose.Sign(key, "statuslist+jwt", map[string]any{"sub": sub, "iat": now, "exp": now + 3600, "ttl": 10, "status_list": list.Encode()})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	document := func(index int, uri string) string {
		text, err := jose.Sign(keys.Signing[0], "entitlement+jwt", entitlements.Document{
			Issuer: origin, Audience: origin, Subject: "user", ID: "id", IssuedAt: now, NotBefore: now, ExpiresAt: now + 3600,
			RefreshAfter: now + 60, Revision: 1, State: entitlements.StateNone, Plans: []entitlements.PlanID{},
			Features: map[string]entitlements.DocumentFeature{}, Device: "device", Proof: "proof",
			Confirmation: entitlements.Confirmation{JKT: "jkt"},
			Status:       entitlements.StatusClaim{StatusList: entitlements.StatusReference{Index: index, URI: uri}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	uri := origin + "/v1/status-lists/0"
	say := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	good := say(token(keys.Signing[0], uri))
	to := func(address string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved" {
				good(w, r)
				return
			}
			http.Redirect(w, r, address, http.StatusFound)
		}
	}
	for name, test := range map[string]struct {
		index  int
		uri    string
		answer func(http.ResponseWriter, *http.Request)
		out    string // "" if it fails
		err    string
	}{
		"valid":               {0, uri, good, "\nstatus: valid, says the list", ""},
		"invalid":             {1, uri, good, "\nstatus: invalid, says the list", ": invalid: the document does not count any more"},
		"suspended":           {2, uri, good, "\nstatus: suspended, says the list", ": suspended: the document does not count until"},
		"another status":      {3, uri, good, "", "status 3"},
		"outside":             {16, uri, good, "", "outside the status list"},
		"moved":               {1, uri, to("/moved"), "\nstatus: invalid, says the list", ": invalid: the document does not count any more"},
		"moved round":         {0, uri, to("/round"), "", "too many redirects"},
		"moved in the clear":  {0, uri, to("http://example.org/"), "", "neither https nor on this machine"},
		"moved into a file":   {0, uri, to("file:///etc/hostname"), "", "neither https nor on this machine"},
		"in the clear":        {0, "http://example.org/v1/status-lists/0", good, "", "neither https nor on this machine"},
		"a file":              {0, "file:///etc/hostname", good, "", "neither https nor on this machine"},
		"no address":          {0, "https://", good, "", "neither https nor on this machine"},
		"not there":           {0, uri, http.NotFound, "", "404"},
		"a portal":            {0, uri, say("<html>pay"), "", "malformed"},
		"a stranger's":        {0, uri, say(token(stranger, uri)), "", "key_unknown"},
		"another":             {0, uri, say(token(keys.Signing[0], origin+"/v1/status-lists/1")), "", "subject_mismatch"},
		"larger than allowed": {0, uri, say(strings.Repeat("a", maxStatusList+1)), "", "larger than"},
	} {
		answer = test.answer
		file := filepath.Join(t.TempDir(), "document.jws")
		if err := os.WriteFile(file, []byte(document(test.index, test.uri)), 0o600); err != nil {
			t.Fatal(err)
		}
		verify := func(args ...string) (code int, out, errs string) {
			var o, e bytes.Buffer
			code = execute(t.Context(), append([]string{"verify", file, "--keys", dir}, args...), console{nil, &o, &e})
			return code, o.String(), e.String()
		}
		before := asked
		if code, out, errs := verify(); code != 0 || !strings.Contains(out, "\n  device       device\n") || asked != before {
			t.Fatalf("%s, without --status: %d, asked %d times: %s", name, code, asked-before, errs)
		}
		code, out, errs := verify("--status")
		if want := 1; test.err == "" && code != 0 || test.err != "" && code != want {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
		if !strings.Contains(out, test.out) || test.out == "" && strings.Contains(out, "\nstatus: ") || !strings.Contains(errs, test.err) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%s: %s %s", name, out, errs)
		}
	}
}

// TestPublishedList checks that the program publishes, from its start, a list that any reader can verify.
func TestPublishedList(t *testing.T) {
	t.Parallel()
	s := serve(t, configure(t, "--data", filepath.Join(folder(t), "data")))
	status, body := ask(t, "GET", s.origin+"/v1/status-lists/0", "", "")
	if status != 200 || strings.Count(body, ".") != 2 {
		t.Errorf("%d %.100s", status, body)
	}
	s.stop(t)
	if log := s.log.String(); strings.Contains(log, "status lists not published") {
		t.Errorf("publishing failed:\n%s", log)
	}
}
