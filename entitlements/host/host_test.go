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
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/host"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/statuslist"
)

const origin = "https://api.example.com"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world holds a server's keys and what it publishes, a device, and a guarded back end.
type world struct {
	mu      sync.Mutex
	now     time.Time
	down    bool
	asked   map[string]int
	keyset  string
	status  entitlements.Status // of every index
	listTTL time.Duration

	issuer  string
	keys    entitlements.Keys
	roots   []byte
	device  jose.PrivateKey
	nonces  *dpop.Nonces
	guard   *host.Guard
	passed  int
	handler http.Handler
}

var secret = bytes.Repeat([]byte{7}, 32)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: noon, device: newKey(t), asked: map[string]int{}, listTTL: entitlements.StatusListTTL}
	server := httptest.NewServer(http.HandlerFunc(w.publish))
	t.Cleanup(server.Close)
	w.issuer = server.URL
	var err error
	if w.keys, err = entitlements.GenerateKeys(rand.Reader, w.issuer, noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.keyset = w.keys.Compact
	if w.roots, err = w.keys.Roots.Marshal(); err != nil {
		t.Fatal(err)
	}
	if w.nonces, err = dpop.NewNonces(secret, w.clock, rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.guard = w.newGuard(t, w.roots)
	w.handler = w.guard.Require("export", http.HandlerFunc(w.export(t)))
	return w
}

func (w *world) newGuard(t testing.TB, roots []byte, options ...host.Option) *host.Guard {
	t.Helper()
	options = append([]host.Option{host.Origin(origin), host.NonceSecret(secret), host.Clock(w.clock)}, options...)
	guard, err := host.New(t.Context(), w.issuer, roots, options...)
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

func (w *world) export(t testing.TB) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w.passed++
		grant, ok := host.From(r.Context())
		if !ok || grant.Document.Subject != "ada" {
			t.Errorf("grant %+v, %v", grant, ok)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || grant.Proof.CheckBody(body) != nil {
			rw.WriteHeader(http.StatusTeapot)
		}
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// set changes what the server publishes, or the time.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// publish is the server's public part.
func (w *world) publish(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.URL.Path]++
	switch {
	case w.down:
		rw.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/.well-known/holdfast-keyset":
		_, _ = io.WriteString(rw, w.keyset)
	case r.URL.Path == "/.well-known/jwks.json":
		key := w.keys.Signing[0]
		_ = json.NewEncoder(rw).Encode(object{"keys": []object{
			{"kty": "RSA", "n": "AQAB", "e": "AQAB"},
			{"kty": "EC", "crv": "P-256", "x": key.JWK().X, "y": key.JWK().Y, "kid": key.ID(), "alg": "ES256", "use": "sig"},
		}})
	case r.URL.Path == "/v1/status-lists/0":
		list := statuslist.New(16)
		for i := range 16 {
			_ = list.Set(i, w.status)
		}
		text, _ := jose.Sign(w.keys.Signing[0], "statuslist+jwt", object{
			"sub": w.issuer + r.URL.Path, "iat": w.now.Unix(), "exp": w.now.Add(24 * time.Hour).Unix(), "ttl": int(w.listTTL / time.Second),
			"status_list": list.Encode(),
		})
		_, _ = io.WriteString(rw, text)
	case r.URL.Path == "/v1/status-lists/1":
		http.Redirect(rw, r, "/v1/status-lists/0", http.StatusFound)
	default:
		rw.WriteHeader(http.StatusNotFound)
	}
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
		"iss": w.issuer, "aud": w.issuer, "sub": "ada", "jti": "id", "iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Unix() + 3600,
		"refresh_after": noon.Unix() + 1800, "rev": 7, "state": "active", "reason": nil, "paid_through": nil, "plans": []string{"premium"},
		"features": object{"export": object{}}, "device": "device", "cnf": object{"jkt": w.device.ID()}, "proof": "proof",
		"status": object{"status_list": object{"idx": 12, "uri": w.issuer + "/v1/status-lists/0"}},
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
	return object{"jti": rand.Text(), "htm": "POST", "htu": origin + "/export/1%2F2", "iat": 1, "nonce": nonce, "ath": hash(document)}
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
	w.set(func() { w.now = noon.Add(dpop.NonceLife + time.Second) })
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
		"two documents in one":      {[]string{"DPoP " + good + ", DPoP " + good}, by(w.claims(t, good)), 401, "unauthenticated"},
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

func TestProofPassesOnce(t *testing.T) {
	w := newWorld(t)
	shared := host.MemoryReplays(w.clock)
	for name, guards := range map[string][2]*host.Guard{
		"one guard":                     {w.guard, w.guard},
		"two replicas with one store":   {w.newGuard(t, w.roots, host.Replays(shared)), w.newGuard(t, w.roots, host.Replays(shared))},
		"a failing store, then another": {w.newGuard(t, w.roots, host.Replays(brokenStore{})), w.guard},
	} {
		good := w.document(t, nil)
		proofs := []string{proof(t, w.device, w.claims(t, good))}
		var got []int
		for _, guard := range guards {
			w.handler = guard.Require("export", http.HandlerFunc(w.export(t)))
			response := w.send([]string{"DPoP " + good}, proofs, "")
			got = append(got, response.StatusCode)
			if response.StatusCode == 401 && code(t, response) != "invalid_dpop_proof" {
				t.Errorf("%s: not invalid_dpop_proof", name)
			}
		}
		want := []int{200, 401}
		if strings.HasPrefix(name, "a failing store") {
			want = []int{503, 200}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

type brokenStore struct{}

func (brokenStore) Add(context.Context, string, time.Duration) (bool, error) {
	return false, errors.New("connection lost")
}

// idStore records ids, and knows none.
type idStore struct{ ids []string }

func (s *idStore) Add(_ context.Context, id string, _ time.Duration) (bool, error) {
	s.ids = append(s.ids, id)
	return true, nil
}

func TestReplayStoreGetsOnlySoundProofs(t *testing.T) {
	w, store := newWorld(t), &idStore{}
	w.guard = w.newGuard(t, w.roots, host.Replays(store))
	w.handler = w.guard.Require("export", http.HandlerFunc(w.export(t)))
	good := w.document(t, nil)
	for _, key := range []jose.PrivateKey{newKey(t), w.device} {
		claims := w.claims(t, good)
		claims["jti"] = "one"
		w.send([]string{"DPoP " + good}, []string{proof(t, key, claims)}, "")
	}
	if want := []string{hash(w.device.ID() + "one")}; !slices.Equal(store.ids, want) {
		t.Errorf("%v, want %v", store.ids, want)
	}
}

// TestReplayVectors runs the steps that the Node guard's memory runs too.
func TestReplayVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/replays.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Life  int64
		Steps []struct {
			At    int64
			ID    string
			Added bool
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Steps) < 10 {
		t.Fatalf("%d steps, %v", len(vectors.Steps), err)
	}
	var now time.Time
	store := host.MemoryReplays(func() time.Time { return now })
	for i, step := range vectors.Steps {
		now = time.UnixMilli(step.At)
		if added, err := store.Add(t.Context(), step.ID, time.Duration(vectors.Life)*time.Millisecond); err != nil || added != step.Added {
			t.Errorf("step %d, %s at %d: added %v, %v", i, step.ID, step.At, added, err)
		}
	}
}

func TestBody(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	for body, want := range map[string]int{"signed": 200, "changed": http.StatusTeapot} {
		claims := w.claims(t, good)
		claims["body"] = hash("signed")
		if got := w.send([]string{"DPoP " + good}, []string{proof(t, w.device, claims)}, body).StatusCode; got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
}

// good sends a good request for a document, and returns the answer's code; "" for one that has passed.
func (w *world) good(t testing.TB, document string) string {
	t.Helper()
	w.passed = 0
	response := w.send([]string{"DPoP " + document}, []string{proof(t, w.device, w.claims(t, document))}, "")
	if w.passed == 1 {
		return ""
	}
	return code(t, response)
}

func TestStatus(t *testing.T) {
	for status, want := range map[entitlements.Status]string{0: "", 1: "revoked", 2: "suspended", 3: "revoked"} {
		w := newWorld(t)
		w.set(func() { w.status = status })
		if got := w.good(t, w.document(t, nil)); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
	w := newWorld(t)
	for name, test := range map[string]struct {
		idx  int
		uri  string
		want string
	}{
		"an index outside the list":   {16, w.issuer + "/v1/status-lists/0", "claims_invalid"},
		"a list of another origin":    {12, "http://127.0.0.1:1/v1/status-lists/0", "claims_invalid"},
		"a list that redirects":       {12, w.issuer + "/v1/status-lists/1", "unavailable"},
		"a list that does not exist":  {12, w.issuer + "/v1/status-lists/2", "unavailable"},
		"another path of the issuer":  {12, w.issuer + "/.well-known/jwks.json", "claims_invalid"},
		"a list that exists":          {12, w.issuer + "/v1/status-lists/0", ""},
		"the origin as a user's name": {12, strings.Replace(w.issuer, "://", "://x@", 1) + "/v1/status-lists/0", "claims_invalid"},
	} {
		document := w.document(t, object{"status": object{"status_list": object{"idx": test.idx, "uri": test.uri}}})
		if got := w.good(t, document); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestRevocationCountsAfterTTL(t *testing.T) {
	w := newWorld(t)
	document := w.document(t, nil)
	for range 3 {
		if got := w.good(t, document); got != "" {
			t.Fatal(got)
		}
	}
	if n := w.asked["/v1/status-lists/0"]; n != 1 {
		t.Errorf("the list was fetched %d times within its ttl", n)
	}
	w.set(func() { w.status, w.now = entitlements.StatusInvalid, w.now.Add(w.listTTL) })
	if got := w.good(t, document); got != "revoked" {
		t.Errorf("after the ttl: %q", got)
	}
}

// TestIssuerOutOfReach: the guard works on, for five minutes and no longer, and recovers.
func TestIssuerOutOfReach(t *testing.T) {
	w := newWorld(t)
	document := w.document(t, nil)
	if got := w.good(t, document); got != "" {
		t.Fatal(got)
	}
	began := w.now
	w.set(func() { w.down = true })
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{11 * time.Second, ""}, {2 * time.Minute, ""}, {5*time.Minute - time.Second, ""}, {5 * time.Minute, "unavailable"}, {time.Hour / 2, "unavailable"}} {
		w.set(func() { w.now = began.Add(step.after) })
		if got := w.good(t, document); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
	w.set(func() { w.down = false })
	// A try in the background, which began while it was out of reach, may fail only now: the next one comes a second later.
	got := "unavailable"
	for tries := 0; got != "" && tries < 3; tries++ {
		w.set(func() { w.now = w.now.Add(time.Second) })
		got = w.good(t, document)
	}
	if got != "" {
		t.Errorf("within reach again: %q", got)
	}

	w = newWorld(t)
	var reported []string
	guard := w.newGuard(t, w.roots, host.Report(func(err error) { reported = append(reported, err.Error()) }))
	w.handler = guard.Require("export", w.export(t))
	w.set(func() { w.down = true })
	if got := w.good(t, w.document(t, nil)); got != "unavailable" {
		t.Errorf("with keys, but without ever a status list: %q", got)
	}
	if len(reported) != 1 || reported[0] != "GET /v1/status-lists/0: 502 Bad Gateway" {
		t.Errorf("reported %q", reported)
	}
}

// TestKeysAreFetchedAgain: a new keyset counts within a minute, or as soon as a document needs it, and an old one never.
func TestKeysAreFetchedAgain(t *testing.T) {
	w := newWorld(t)
	first, old := w.keys, w.document(t, object{"iat": noon.Unix() - 60, "nbf": noon.Unix() - 60})
	proposal, key, err := first.Rotate(rand.Reader, noon, 0, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	text, err := proposal.Sign(first.Root)
	if err != nil {
		t.Fatal(err)
	}
	w.set(func() { w.keyset, w.now = text, noon.Add(11*time.Second) })
	w.keys.Signing = []jose.PrivateKey{key}
	fresh := w.document(t, object{"iat": noon.Unix() + 10, "nbf": noon.Unix() + 10})
	if got := w.good(t, fresh); got != "" {
		t.Errorf("a document under a key published just now: %q", got)
	}
	w.set(func() { w.keyset, w.now = first.Compact, noon.Add(2*time.Minute) })
	if got := w.good(t, fresh); got != "" {
		t.Errorf("the old keyset again: %q", got)
	}
	if got := w.good(t, old); got != "" {
		t.Errorf("a document under the key before: %q", got)
	}
	w.set(func() { w.now = noon.Add(6 * time.Minute) })
	if got := w.good(t, fresh); got != "unavailable" {
		t.Errorf("the old keyset for longer than five minutes: %q", got)
	}
}

// TestAuthenticate: who somebody is needs no feature, but a device that still belongs to them.
func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.handler = w.guard.Authenticate(w.export(t))
	for name, test := range map[string]struct {
		claims object
		want   string
	}{
		"with features":  {nil, ""},
		"nothing bought": {object{"state": "none", "features": object{}}, ""},
		"revoked":        {object{"state": "revoked", "reason": "revoked", "features": object{}}, ""},
		"removed":        {object{"state": "none", "reason": "device_removed", "features": object{}}, "device_removed"},
		"copied":         {object{"state": "none", "reason": "device_forked", "features": object{}}, "device_forked"},
	} {
		if got := w.good(t, w.document(t, test.claims)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	w.set(func() { w.status, w.now = entitlements.StatusInvalid, w.now.Add(time.Minute) })
	if got := w.good(t, w.document(t, nil)); got != "revoked" {
		t.Errorf("a withdrawn document: %q", got)
	}
}

func TestWithoutRoots(t *testing.T) {
	w := newWorld(t)
	w.handler = w.newGuard(t, nil).Require("export", w.export(t))
	if got := w.good(t, w.document(t, nil)); got != "" {
		t.Error(got)
	}
	w.keys.Signing = []jose.PrivateKey{newKey(t)}
	if got := w.good(t, w.document(t, nil)); got != "key_unknown" {
		t.Errorf("under a key of its own: %q", got)
	}
}

// TestGuardConcurrentUse exercises concurrent use under the race detector.
func TestGuardConcurrentUse(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, nil)
	handler := w.guard.Require("export", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
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

// TestNew: what can never work is an error at start that says what is wrong.
func TestNew(t *testing.T) {
	w := newWorld(t)
	other, err := entitlements.GenerateKeys(rand.Reader, w.issuer, noon)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Roots.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		issuer string
		roots  []byte
		option host.Option
		want   string
	}{
		"an issuer with a slash":      {w.issuer + "/", w.roots, host.Origin(origin), "slash at the end"},
		"an issuer by another name":   {strings.Replace(w.issuer, "127.0.0.1", "localhost", 1), w.roots, host.Origin(origin), "--origin"},
		"an issuer without a scheme":  {"app.example.com", w.roots, host.Origin(origin), "scheme://host"},
		"an issuer without TLS":       {"http://app.example.com", w.roots, host.Origin(origin), "neither https"},
		"an issuer that is not there": {"http://127.0.0.1:1", w.roots, host.Origin(origin), "127.0.0.1:1"},
		"roots that are no JSON":      {w.issuer, []byte("roots.json"), host.Origin(origin), "roots"},
		"another server's roots":      {w.issuer, foreign, host.Origin(origin), "keys roots"},
		"no origin":                   {w.issuer, w.roots, host.Origin(""), "scheme://host"},
		"an origin with a path":       {w.issuer, w.roots, host.Origin(origin + "/v1"), "scheme://host"},
		"a short secret":              {w.issuer, w.roots, host.NonceSecret(secret[1:]), "31 bytes"},
	} {
		_, err := host.New(t.Context(), test.issuer, test.roots, host.Clock(w.clock), test.option)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := host.New(t.Context(), w.issuer, w.roots, host.Clock(w.clock)); err != nil {
		t.Error(err)
	}
}

// TestDependencies: a back end that imports the guard gets neither a database nor WebAuthn with it.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if or (not .Standard) (eq .ImportPath "database/sql")}}{{.ImportPath}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	may := []string{
		"holdfast/entitlements", "holdfast/passkey/names", "holdfast/passkey/reasons", "github.com/lestrrat-go/",
		"github.com/go-json-experiment/json", "github.com/google/uuid", "golang.org/x/crypto/", "golang.org/x/sync/singleflight", "golang.org/x/text/",
	}
	seen := 0
	for _, path := range strings.Fields(string(out)) {
		seen++
		if !slices.ContainsFunc(may, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			t.Errorf("depends on %s", path)
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages", seen)
	}
}
