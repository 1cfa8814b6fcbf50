package host_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/host"
	"holdfast/entitlements/jose"
)

const (
	issuer = "https://app.example.com"
	origin = "https://api.example.com"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world holds a server's keys, a device, and a guarded back end.
type world struct {
	now     time.Time
	keys    entitlements.Keys
	device  jose.PrivateKey
	nonces  *dpop.Nonces
	status  host.Status
	passed  int
	handler http.Handler
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: noon}
	var err error
	if w.keys, err = entitlements.GenerateKeys(rand.Reader, issuer, noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if w.keys.Keyset, err = w.keys.Roots.VerifyKeyset(w.keys.Compact, issuer, noon); err != nil {
		t.Fatal(err)
	}
	w.device = newKey(t)
	clock := func() time.Time { return w.now }
	if w.nonces, err = dpop.NewNonces(bytes.Repeat([]byte{7}, 32), clock, rand.Reader); err != nil {
		t.Fatal(err)
	}
	guard, err := host.New(host.Config{
		Origin: origin, Nonces: w.nonces, Now: clock,
		Verifier: func() entitlements.Verifier { return entitlements.Verifier{Keyset: w.keys.Keyset, Issuer: issuer} },
		Status: func(ctx context.Context, reference entitlements.StatusReference) (uint8, error) {
			if w.status == nil {
				return 0, nil
			}
			return w.status(ctx, reference)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = guard.Require("export", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.passed++
		grant, ok := host.From(r.Context())
		if !ok || grant.Document.Subject != "ada" {
			t.Errorf("grant %+v, %v", grant, ok)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || grant.Proof.CheckBody(body) != nil {
			rw.WriteHeader(http.StatusTeapot)
		}
	}))
	return w
}

func newKey(t testing.TB) jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type object = map[string]any

func (w *world) document(t testing.TB, changes object) string {
	t.Helper()
	claims := object{
		"iss": issuer, "aud": issuer, "sub": "ada", "jti": "id", "iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Unix() + 3600,
		"refresh_after": noon.Unix() + 1800, "rev": 7, "state": "active", "reason": nil, "paid_through": nil, "plans": []string{"premium"},
		"features": object{"export": object{}}, "device": "device", "cnf": object{"jkt": w.device.ID()}, "proof": "proof",
		"status": object{"status_list": object{"idx": 12, "uri": issuer + "/v1/status-lists/0"}},
	}
	maps.Copy(claims, changes)
	text, err := jose.Sign(w.keys.Signing[0], "entitlement+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proof signs a proof with its jwk in place of a kid, which jose.Sign does not do.
func proof(t testing.TB, key jose.PrivateKey, claims object) string {
	t.Helper()
	text, err := signProof(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return jose.EncodeBase64(sum[:])
}

func (w *world) claims(t testing.TB, document string) object {
	t.Helper()
	nonce, err := w.nonces.Issue(nil)
	if err != nil {
		t.Fatal(err)
	}
	return object{"jti": "one", "htm": "POST", "htu": origin + "/export/1%2F2", "iat": 1, "nonce": nonce, "ath": hash(document)}
}

func (w *world) send(authorization, proofs []string, body string) *http.Response {
	request := httptest.NewRequest("POST", "https://elsewhere.example.com/export/1%2F2?page=2", strings.NewReader(body))
	request.Header["Authorization"], request.Header["Dpop"] = authorization, proofs
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func code(t testing.TB, response *http.Response) string {
	t.Helper()
	var problem struct {
		Status int
		Code   string
	}
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || problem.Status != response.StatusCode {
		t.Errorf("problem %+v, %v", problem, err)
	}
	return problem.Code
}

func TestRequire(t *testing.T) {
	w := newWorld(t)
	good, thief := w.document(t, nil), newKey(t)
	stale := w.claims(t, good)
	w.now = noon.Add(dpop.NonceLife + time.Second)
	with := func(name string, value any) object {
		claims := w.claims(t, good)
		claims[name] = value
		return claims
	}
	without := func(name string) object {
		claims := w.claims(t, good)
		delete(claims, name)
		return claims
	}
	by := func(claims object) []string { return []string{proof(t, w.device, claims)} }
	of := func(document string) []string { return []string{"DPoP " + document} }
	presented := func(document string) ([]string, []string) { return of(document), by(w.claims(t, document)) }
	expired, expiredProof := presented(w.document(t, object{"exp": noon.Unix() + 60, "refresh_after": noon.Unix()}))
	poor, poorProof := presented(w.document(t, object{"features": object{"notes": object{}}}))
	foreign, foreignProof := presented(w.document(t, object{"iss": "https://evil.example.com"}))
	bound, boundProof := presented(w.document(t, object{"cnf": object{"jkt": thief.ID()}}))
	cut, cutProof := presented(good[:len(good)-1])

	for name, test := range map[string]struct {
		authorization, proofs []string
		status                int
		code                  string
	}{
		"good":                      {of(good), by(w.claims(t, good)), 200, ""},
		"the scheme in lower case":  {[]string{"dpop " + good}, by(w.claims(t, good)), 200, ""},
		"no document":               {nil, by(w.claims(t, good)), 401, "unauthenticated"},
		"as a bearer token":         {[]string{"Bearer " + good}, by(w.claims(t, good)), 401, "unauthenticated"},
		"only a scheme":             {[]string{"DPoP "}, by(w.claims(t, good)), 401, "unauthenticated"},
		"two documents":             {[]string{"DPoP " + good, "DPoP " + good}, by(w.claims(t, good)), 401, "unauthenticated"},
		"no proof":                  {of(good), nil, 401, "invalid_dpop_proof"},
		"two proofs":                {of(good), append(by(w.claims(t, good)), by(w.claims(t, good))...), 401, "invalid_dpop_proof"},
		"no ath":                    {of(good), by(without("ath")), 401, "invalid_dpop_proof"},
		"ath of another document":   {of(good), by(with("ath", hash(good+"x"))), 401, "invalid_dpop_proof"},
		"for another method":        {of(good), by(with("htm", "GET")), 401, "invalid_dpop_proof"},
		"for another path":          {of(good), by(with("htu", origin+"/export/1/2")), 401, "invalid_dpop_proof"},
		"for the Host header":       {of(good), by(with("htu", "https://elsewhere.example.com/export/1%2F2")), 401, "invalid_dpop_proof"},
		"no nonce":                  {of(good), by(without("nonce")), 401, "use_dpop_nonce"},
		"a nonce made up":           {of(good), by(with("nonce", strings.Repeat("A", 43))), 401, "use_dpop_nonce"},
		"a nonce that has ended":    {of(good), by(stale), 401, "use_dpop_nonce"},
		"by a thief's key":          {of(good), []string{proof(t, thief, w.claims(t, good))}, 401, "device_mismatch"},
		"bound to another's key":    {bound, boundProof, 401, "device_mismatch"},
		"an expired document":       {expired, expiredProof, 401, "expired"},
		"another issuer's document": {foreign, foreignProof, 401, "issuer_mismatch"},
		"half a document":           {cut, cutProof, 401, "malformed"},
		"without the feature":       {poor, poorProof, 403, "forbidden"},
	} {
		w.passed = 0
		response := w.send(test.authorization, test.proofs, "")
		if response.StatusCode != test.status || (w.passed == 1) != (test.status == 200) {
			t.Errorf("%s: %d, passed %d", name, response.StatusCode, w.passed)
		}
		if nonce := response.Header.Get("DPoP-Nonce"); nonce == "" {
			t.Errorf("%s: no nonce", name)
		}
		if test.code == "" {
			continue
		}
		if got := code(t, response); got != test.code {
			t.Errorf("%s: %s, want %s", name, got, test.code)
		}
		if !strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: challenge %q", name, response.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestRefusalCarriesUsableNonce(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	claims := w.claims(t, good)
	delete(claims, "nonce")
	refused := w.send([]string{"DPoP " + good}, []string{proof(t, w.device, claims)}, "")
	claims["nonce"] = refused.Header.Get("DPoP-Nonce")
	if again := w.send([]string{"DPoP " + good}, []string{proof(t, w.device, claims)}, ""); again.StatusCode != 200 {
		t.Errorf("with the nonce of the refusal: %d", again.StatusCode)
	}
}

func TestBody(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	claims := w.claims(t, good)
	claims["body"] = hash("signed")
	for body, want := range map[string]int{"signed": 200, "changed": http.StatusTeapot} {
		if got := w.send([]string{"DPoP " + good}, []string{proof(t, w.device, claims)}, body).StatusCode; got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	for name, test := range map[string]struct {
		value  uint8
		err    error
		status int
		code   string
	}{
		"valid":     {0, nil, 200, ""},
		"invalid":   {1, nil, 401, "revoked"},
		"suspended": {2, nil, 401, "suspended"},
		"unknown":   {3, nil, 401, "revoked"},
		"no answer": {0, errors.New("no list"), 503, "unavailable"},
	} {
		w.passed = 0
		w.status = func(_ context.Context, reference entitlements.StatusReference) (uint8, error) {
			if reference.Index != 12 || reference.URI != issuer+"/v1/status-lists/0" {
				t.Errorf("asked for %+v", reference)
			}
			return test.value, test.err
		}
		response := w.send([]string{"DPoP " + good}, []string{proof(t, w.device, w.claims(t, good))}, "")
		if response.StatusCode != test.status || (w.passed == 1) != (test.status == 200) {
			t.Errorf("%s: %d, passed %d", name, response.StatusCode, w.passed)
		}
		if test.code != "" {
			if got := code(t, response); got != test.code {
				t.Errorf("%s: %s, want %s", name, got, test.code)
			}
		}
	}
}

// TestGuardConcurrentUse exercises concurrent use under the race detector.
func TestGuardConcurrentUse(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	verifier := entitlements.Verifier{Keyset: w.keys.Keyset, Issuer: issuer}
	guard, err := host.New(host.Config{Origin: origin, Nonces: w.nonces, Now: func() time.Time { return noon }, Verifier: func() entitlements.Verifier { return verifier }})
	if err != nil {
		t.Fatal(err)
	}
	handler := guard.Require("export", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	var group sync.WaitGroup
	for range 8 {
		signed := proof(t, w.device, w.claims(t, good))
		group.Go(func() {
			request := httptest.NewRequest("POST", "/export/1%2F2", nil)
			request.Header["Authorization"], request.Header["Dpop"] = []string{"DPoP " + good}, []string{signed}
			recorder := httptest.NewRecorder()
			if handler.ServeHTTP(recorder, request); recorder.Code != 200 {
				t.Errorf("%d: %s", recorder.Code, recorder.Body)
			}
		})
	}
	group.Wait()
}

func TestNew(t *testing.T) {
	w := newWorld(t)
	good := host.Config{Origin: origin, Nonces: w.nonces, Now: time.Now, Verifier: func() entitlements.Verifier { return entitlements.Verifier{} }}
	for name, change := range map[string]func(*host.Config){
		"no origin":           func(c *host.Config) { c.Origin = "" },
		"origin with a slash": func(c *host.Config) { c.Origin += "/" },
		"origin with a path":  func(c *host.Config) { c.Origin += "/v1" },
		"a bare host":         func(c *host.Config) { c.Origin = "api.example.com" },
		"no verifier":         func(c *host.Config) { c.Verifier = nil },
		"no nonces":           func(c *host.Config) { c.Nonces = nil },
		"no clock":            func(c *host.Config) { c.Now = nil },
	} {
		config := good
		change(&config)
		if _, err := host.New(config); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := host.New(good); err != nil {
		t.Error(err)
	}
}
