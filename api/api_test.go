package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/entitlements/vault"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

const (
	origin      = "http://localhost:8080"
	allowed     = "http://app.localhost:8080"
	adminSecret = "bootstrap-0123456789abcdef0123456789abcdef"
)

// clock is a clock that tests move.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	works int // how many more calls it answers before it panics; negative: no limit
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.works == 0 {
		panic("the clock is broken")
	}
	c.works--
	return c.at
}

func (c *clock) breakAfter(answers int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.works = answers
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a whole server with its own database.
type world struct {
	t        *testing.T
	clock    *clock
	log      *logBuffer
	metrics  *api.Metrics
	passkeys *passkey.Service
	roots    []byte
	origin   string
	url      string
	owner    string // the address of the database for its owner
	db       *sqlx.DB
	rights   *entitlements.Service
	runtime  string // the address of the database for the server's login
	keys     entitlements.Keys
	server   *httptest.Server
	webhooks outbox.Config
}

type option func(*api.Config, *passkey.Config, *entitlements.Config)

func at(origin string) option {
	return func(a *api.Config, p *passkey.Config, e *entitlements.Config) {
		host := strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://")
		a.Origin, e.Issuer, p.Origin, p.AllowOrigins, p.RPID, e.RPID = origin, origin, origin, nil, host, host
	}
}

func behind(proxies ...string) option {
	return func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		for _, proxy := range proxies {
			a.TrustedProxies = append(a.TrustedProxies, netip.MustParsePrefix(proxy))
		}
	}
}

func serving(files fs.FS) option {
	return func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		a.App = files
		if files == nil {
			a.AppURL = ""
		}
	}
}

var builtConsole = fstest.MapFS{
	"index.html":               {Data: []byte("<!doctype html><title>Holdfast support</title>" + strings.Repeat("<p>padding</p>", 200))},
	"icon.svg":                 {Data: []byte("<svg/>")},
	"assets/index-Xy3dEf9h.js": {Data: []byte("console.log(1)")},
	".gitkeep":                 {},
}

var builtApp = fstest.MapFS{
	"index.html":                 {Data: []byte("<!doctype html><title>Fieldbook</title>" + strings.Repeat("<p>padding</p>", 200))},
	"sw.js":                      {Data: []byte(`precache([{url:"/roots.json",revision:"__ROOTS_REVISION__",integrity:"__ROOTS_INTEGRITY__"}])`)},
	"manifest.webmanifest":       {Data: []byte(`{"name":"Fieldbook"}`)},
	"assets/index-Ab3dEf9h.js":   {Data: []byte("console.log(1)")},
	"assets/font-Ab3dEf9h.woff2": {Data: []byte("wOF2")},
	"icon.svg":                   {Data: []byte("<svg/>")},
	".gitkeep":                   {Data: []byte("")},
}

func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	owner, runtime := sqltest.Database(t)
	db, err := sql.Open(t.Context(), runtime+"&lock_timeout=200") // ms
	must(t, err)
	t.Cleanup(func() { db.Close() })
	w := &world{
		owner: owner, runtime: runtime, db: db, t: t, clock: &clock{at: time.Now().UTC().Truncate(time.Second), works: -1}, log: &logBuffer{}, metrics: api.NewMetrics(),
	}

	keys, err := entitlements.GenerateKeys(rand.Reader, w.issuer(options), w.clock.now())
	must(t, err)
	w.keys = keys
	secret, err := outbox.ParseSecret("whsec_" + strings.Repeat("AAAA", 10))
	must(t, err)
	w.webhooks = outbox.Config{Now: w.clock.now, Secrets: []outbox.Secret{secret}, Endpoints: []outbox.Endpoint{
		{URL: "https://crm.example.org/", Shown: "https://crm.example.org/"},
	}}
	t.Cleanup(func() { w.checkWebhooks(t) })
	w.start(api.New, options...)
	return w
}

// start starts a server with the world's database and keys.
func (w *world) start(build func(api.Config) (http.Handler, error), options ...option) {
	t := w.t
	t.Helper()
	a := api.Config{
		Origin: origin, AllowOrigins: []string{allowed}, BootstrapToken: sha256.Sum256([]byte(adminSecret)), App: builtApp, AppURL: origin + "/", Console: builtConsole,
		Stripe: stripeReceiver(t, nil), BillingWebhook: must1(api.NewWebhookReceiver([]string{webhookSecret}))(t),
		Places:  w.db.Stats().MaxOpenConnections,
		Metrics: w.metrics, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: w.clock.now,
	}
	p := passkey.Config{RPID: "localhost", RPName: "Holdfast", Origin: origin, AllowOrigins: []string{allowed}, HashMemory: 64, Now: w.clock.now, Rand: rand.Reader}
	e := entitlements.Config{
		Issuer: origin, RPID: "localhost", OfflineWindow: 7 * 24 * time.Hour, TrialLength: 14 * 24 * time.Hour, TrialPlan: "premium",
		ExpiringLead: 3 * 24 * time.Hour, Vault: must1(vault.Keyring{}.Add(rand.Reader))(t), Now: w.clock.now, Rand: rand.Reader,
	}
	for _, o := range options {
		o(&a, &p, &e)
	}
	w.origin = a.Origin
	var err error
	w.roots, err = w.keys.Roots.Marshal()
	must(t, err)
	e.Keys, a.Roots = w.keys, w.roots
	accounts, err := sql.NewPasskeys(t.Context(), w.db)
	must(t, err)
	w.passkeys, err = passkey.New(t.Context(), p, accounts)
	must(t, err)
	a.Passkeys = w.passkeys
	store, err := sql.NewEntitlements(t.Context(), w.db)
	must(t, err)
	a.Answers = sql.NewAnswers(w.db)
	a.Entitlements, err = entitlements.New(t.Context(), e, store)
	must(t, err)
	w.rights = a.Entitlements
	a.Webhooks, err = outbox.New(t.Context(), w.webhooks, sql.NewOutbox(w.db), nil)
	must(t, err)
	handler, err := build(a)
	must(t, err)
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)
	w.url = w.server.URL
}

// issuer returns the origin that the options choose.
func (w *world) issuer(options []option) string {
	e := entitlements.Config{Issuer: origin}
	for _, o := range options {
		o(&api.Config{}, &passkey.Config{}, &e)
	}
	return e.Issuer
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is an HTTP answer whose body was read to the end.
type answer struct {
	*http.Response
	body []byte
}

// member returns a member of the JSON body by its path, such as "subscription.id".
func (a answer) member(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

func (a answer) text(path string) string {
	text, _ := a.member(path).(string)
	return text
}

func (a answer) code() string { return a.text("code") }

func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.StatusCode != status || a.code() != code {
		t.Fatalf("%s %s: %d %q, want %d %q: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.code(), status, code, a.body)
	}
	return a
}

// browser is a client with cookies, an authenticator and a device key.
type browser struct {
	w             *world
	client        *http.Client
	rp            virtualwebauthn.RelyingParty
	authenticator virtualwebauthn.Authenticator
	credential    virtualwebauthn.Credential
	key           *ecdsa.PrivateKey
	nonce         string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	return &browser{
		w: w, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		rp:            virtualwebauthn.RelyingParty{ID: "localhost", Name: "Holdfast", Origin: w.origin},
		authenticator: virtualwebauthn.NewAuthenticator(), credential: newCredential(), key: key,
	}
}

// newCredential makes a P-256 credential. The virtual authenticator drops a coordinate's leading zeros, which makes one key
// in 128 invalid; newCredential skips those.
func newCredential() virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE_Key on P-256
	for {
		if credential := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(credential.Key.AttestationData()) == whole {
			return credential
		}
	}
}

// do sends body (nil, a string or []byte unchanged, or any other value as JSON) with further headers as name, value pairs.
// A name that begins with "-" removes that header.
func (b *browser) do(method, path string, body any, headers ...string) answer {
	b.w.t.Helper()
	var payload []byte
	switch body := body.(type) {
	case nil:
	case string:
		payload = []byte(body)
	case []byte:
		payload = body
	default:
		payload = must1(json.Marshal(body))(b.w.t)
	}
	request, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.url+path, bytes.NewReader(payload))
	must(b.w.t, err)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if name, drop := strings.CutPrefix(headers[i], "-"); drop {
			request.Header.Del(name)
			continue
		}
		if headers[i] == "Content-Type" {
			request.Header.Set(headers[i], headers[i+1])
			continue
		}
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := b.client.Do(request)
	must(b.w.t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	must(b.w.t, err)
	if nonce := response.Header.Get("DPoP-Nonce"); nonce != "" {
		b.nonce = nonce
	}
	got := answer{response, read}
	got.checkDescribed(b.w.t)
	return got
}

func must1[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func (b *browser) admin(method, path string, body any) answer {
	b.w.t.Helper()
	return b.do(method, path, body, "Authorization", "Bearer "+adminSecret)
}

func (b *browser) attest(options answer) string {
	b.w.t.Helper()
	options.want(b.w.t, http.StatusOK, "")
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(options.body))
	must(b.w.t, err)
	b.authenticator.Options.UserHandle = []byte(parsed.UserID)
	return finishBody(options, virtualwebauthn.CreateAttestationResponse(b.rp, b.authenticator, b.credential, *parsed))
}

func (b *browser) assert(options answer) string {
	b.w.t.Helper()
	options.want(b.w.t, http.StatusOK, "")
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(options.body))
	must(b.w.t, err)
	return finishBody(options, virtualwebauthn.CreateAssertionResponse(b.rp, b.authenticator, b.credential, *parsed))
}

func finishBody(options answer, credential string) string {
	return fmt.Sprintf(`{"ceremony":%q,"credential":%s}`, options.text("ceremony"), credential)
}

// register creates an account.
func (b *browser) register(name string) (user string) {
	b.w.t.Helper()
	options := b.do("POST", "/v1/registration/options", map[string]string{"name": name})
	in := b.do("POST", "/v1/registration", b.attest(options)).want(b.w.t, http.StatusCreated, "")
	return in.text("user.id")
}

func (b *browser) signIn() answer {
	b.w.t.Helper()
	return b.do("POST", "/v1/authentication", b.assert(b.do("POST", "/v1/authentication/options", "{}"))).want(b.w.t, http.StatusOK, "")
}

// proof makes a DPoP proof; change, if not nil, alters its claims or header.
func (b *browser) proof(method, path string, body []byte, change func(header, claims map[string]any)) string {
	point := must1(b.key.PublicKey.Bytes())(b.w.t)
	encode := base64.RawURLEncoding.EncodeToString
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]),
	}}
	sum := sha256.Sum256(body)
	claims := map[string]any{
		"jti": uuid.NewString(), "htm": method, "htu": b.w.origin + path, "iat": 0, "nonce": b.nonce, "body": encode(sum[:]),
	}
	if change != nil {
		change(header, claims)
	}
	signed := encode(must1(json.Marshal(header))(b.w.t)) + "." + encode(must1(json.Marshal(claims))(b.w.t))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, b.key, digest[:])
	must(b.w.t, err)
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// prove sends body with a proof that uses the browser's current nonce.
func (b *browser) prove(method, path string, body any) answer {
	b.w.t.Helper()
	var payload []byte
	if body != nil {
		payload = must1(json.Marshal(body))(b.w.t)
		return b.do(method, path, payload, "DPoP", b.proof(method, path, payload, nil))
	}
	return b.do(method, path, nil, "DPoP", b.proof(method, path, nil, nil))
}

// fetchNonce requests a nonce as a device does: with a proof that has no valid one.
func (b *browser) fetchNonce() {
	b.w.t.Helper()
	b.nonce = "none"
	b.prove("GET", "/v1/entitlements", nil).want(b.w.t, http.StatusUnauthorized, "use_dpop_nonce")
}

// link links the browser's key as a device.
func (b *browser) link() (device, lineage string) {
	b.w.t.Helper()
	b.fetchNonce()
	linked := b.prove("POST", "/v1/devices", map[string]string{"name": "Laptop"}).want(b.w.t, http.StatusCreated, "")
	return linked.text("device"), linked.text("lineage")
}

func (b *browser) reconcile(device, lineage string) answer {
	b.w.t.Helper()
	return b.prove("POST", "/v1/reconcile", map[string]any{"device": device, "lineage": lineage, "keyset_version": 0})
}

// claims returns the claims of a JWS without verifying it.
func claims(t *testing.T, compact string) map[string]any {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS: %q", compact)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var v map[string]any
	must(t, json.Unmarshal(payload, &v))
	return v
}
