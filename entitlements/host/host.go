// Package host lets a host's own back end require a feature for a request, or just know who sent it.
//
// The device sends its entitlement document as a DPoP-bound access token (RFC 9449 §7.1): the document in
// "Authorization: DPoP", and in "DPoP" a proof by the device's key for this method, URL and document. The back end
// shares no secret with the server that signed: it fetches the public keyset, and verifies.
//
// Freshness comes from the back end's own nonces, not from anybody's clock: the answer to a proof without one carries
// one in DPoP-Nonce, and the device tries again (RFC 9449 §9). The package promises: no request passes without a
// document that is valid now and not withdrawn, and without a signature for this very request, made in the last five
// minutes by the key that the document is bound to. No signature passes twice, on all replicas that share a [ReplayStore].
// One risk remains: an attacker on the way can change the body. Where that matters, the handler must check it against the
// proof ([Grant]).
//
// A revocation reaches the back end within the status list's ttl, ten seconds. While the issuer is out of reach, the
// guard uses what it fetched before for [MaxStale] at most, and then refuses every request with 503: it fails closed.
package host

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
)

// Guard authenticates requests and requires features. It is safe for concurrent use.
type Guard struct {
	issuer  *issuer
	origin  string
	secret  []byte
	nonces  *dpop.Nonces
	replays ReplayStore
	now     func() time.Time
	report  func(error)
}

// Option changes a setting of a [Guard].
type Option func(*Guard)

// Origin sets the back end's public origin, "https://api.example.com"; by default, it is the issuer's. Proofs are
// compared with it, never with the Host header.
func Origin(origin string) Option { return func(g *Guard) { g.origin = origin } }

// NonceSecret sets the secret of the nonces, at least 32 bytes. By default each process makes its own. Replicas that
// share a secret accept each other's nonces, so that no device has to try again when it reaches another replica.
func NonceSecret(secret []byte) Option { return func(g *Guard) { g.secret = secret } }

// MaxStale sets how long the guard works without the issuer, by default five minutes. It bounds how late a revocation or
// a withdrawn signing key can reach the guard while the issuer is out of reach.
func MaxStale(limit time.Duration) Option { return func(g *Guard) { g.issuer.maxStale = limit } }

// Report sets a function that gets the reason each time that a request is answered 503.
func Report(report func(error)) Option { return func(g *Guard) { g.report = report } }

// Client sets the HTTP client for requests to the issuer.
func Client(client *http.Client) Option { return func(g *Guard) { g.issuer.client = *client } }

// Clock sets the clock.
func Clock(now func() time.Time) Option { return func(g *Guard) { g.now = now } }

// New returns a guard for documents of issuer, the server's --origin. Roots is the content of roots.json, written by
// "holdfast keys roots", which must reach the back end as part of its own build. Without roots (nil), the guard trusts
// the keys that the issuer publishes in its JWK Set, and so the connection to it.
//
// New fetches the keys once, so that a wrong root or issuer is an error at start; so is an issuer out of reach.
func New(ctx context.Context, server string, roots []byte, options ...Option) (*Guard, error) {
	g := &Guard{issuer: newIssuer(server), origin: server, now: time.Now, report: func(error) {}, secret: make([]byte, 32)}
	_, _ = rand.Read(g.secret) // never fails
	for _, option := range options {
		option(g)
	}
	for _, origin := range []string{server, g.origin} {
		if err := checkOrigin(origin); err != nil {
			return nil, err
		}
	}
	if g.replays == nil {
		g.replays = MemoryReplays(g.now)
	}
	var err error
	if g.nonces, err = dpop.NewNonces(g.secret, g.now, rand.Reader); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	if err := g.issuer.begin(ctx, roots, g.now); err != nil {
		return nil, fmt.Errorf("host: issuer %s: %w", server, err)
	}
	return g, nil
}

// checkOrigin requires scheme://host, and https except on this machine.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("host: origin %q is not scheme://host, without a path or slash at the end", origin)
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("host: origin %q is neither https nor on this machine", origin)
	}
	return nil
}

// Grant holds the credentials of a request that has passed.
type Grant struct {
	Document entitlements.Document
	// Proof lets the handler check the body that it has read: Proof.CheckBody.
	Proof dpop.Proof
}

type grantKey struct{}

// From returns the grant of a request that has passed a [Guard].
func From(ctx context.Context) (Grant, bool) {
	grant, ok := ctx.Value(grantKey{}).(Grant)
	return grant, ok
}

// Authenticate passes on to next only requests of a linked device: [From] says whose, whatever they have paid for. A
// device that was removed or copied does not pass. Each answer carries the nonce for the next proof. A refusal is
// application/problem+json with a stable code, and the challenge of RFC 9449 §7.1.
//
// The path must be the one that the device signed, so place the guard outside anything that strips a prefix. Pages of
// another origin need DPoP-Nonce and WWW-Authenticate among the exposed headers (CORS).
func (g *Guard) Authenticate(next http.Handler) http.Handler {
	return g.handler(next, func(entitlements.Document) bool { return true })
}

// Require is [Guard.Authenticate] for requests whose document has the feature.
func (g *Guard) Require(feature string, next http.Handler) http.Handler {
	return g.handler(next, func(d entitlements.Document) bool {
		_, ok := d.Features[feature]
		return ok
	})
}

func (g *Guard) handler(next http.Handler, allowed func(entitlements.Document) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce, err := g.nonces.Issue(nil)
		if err != nil {
			unavailable.write(w)
			return
		}
		w.Header().Set("DPoP-Nonce", nonce)
		grant, refusal := g.judge(r, allowed)
		if refusal != nil {
			refusal.write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

// judge makes the checks in this order: proof, nonce, document, device, feature, status, replay.
func (g *Guard) judge(r *http.Request, allowed func(entitlements.Document) bool) (Grant, *refusal) {
	document, ok := accessToken(r.Header.Values("Authorization"))
	if !ok {
		return Grant{}, &unauthenticated
	}
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 { // RFC 9449 §4.3, number 1
		return Grant{}, &invalidProof
	}
	proof, err := dpop.Parse(proofs[0], r.Method, g.origin+r.URL.EscapedPath())
	if err != nil || proof.CheckToken(document) != nil {
		return Grant{}, &invalidProof
	}
	if proof, err = g.nonces.Check(proof); err != nil {
		return Grant{}, &useNonce
	}
	d, err := g.issuer.verify(r.Context(), document, proof.JKT)
	code := entitlements.VerificationError("")
	switch {
	case errors.As(err, &code):
		return Grant{}, invalidToken(string(code))
	case err != nil:
		g.report(err)
		return Grant{}, &unavailable
	}
	if d.Reason != nil && (*d.Reason == entitlements.ReasonDeviceRemoved || *d.Reason == entitlements.ReasonDeviceForked) {
		return Grant{}, invalidToken(string(*d.Reason))
	}
	if !allowed(d) {
		return Grant{}, &refusal{status: http.StatusForbidden, code: "forbidden", challenge: "insufficient_scope"}
	}
	switch status, err := g.issuer.status(r.Context(), d.Status.StatusList); {
	case errors.As(err, &code):
		return Grant{}, invalidToken(string(code))
	case err != nil:
		g.report(err)
		return Grant{}, &unavailable
	case status == entitlements.StatusSuspended:
		return Grant{}, invalidToken(string(entitlements.ReasonSuspended))
	case status != entitlements.StatusValid:
		return Grant{}, invalidToken(string(entitlements.ReasonRevoked))
	}
	// Only a sound request is remembered, so that strangers fill no store.
	switch added, err := g.replays.Add(r.Context(), replayID(proof), dpop.ProofLife); {
	case err != nil:
		g.report(fmt.Errorf("replay store: %w", err))
		return Grant{}, &unavailable
	case !added:
		return Grant{}, &invalidProof
	}
	return Grant{Document: d, Proof: proof}, nil
}

// accessToken returns the token of the one Authorization header with the scheme DPoP, which is case-insensitive.
func accessToken(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return token, strings.EqualFold(scheme, "DPoP") && token != "" && !strings.ContainsAny(token, " ,")
}

// refusal is a negative answer. An empty challenge sends no WWW-Authenticate error (RFC 6750 §3.1).
type refusal struct {
	status    int
	code      string
	challenge string
}

var (
	unauthenticated = refusal{status: http.StatusUnauthorized, code: "unauthenticated"}
	invalidProof    = refusal{status: http.StatusUnauthorized, code: "invalid_dpop_proof", challenge: "invalid_dpop_proof"}
	useNonce        = refusal{status: http.StatusUnauthorized, code: "use_dpop_nonce", challenge: "use_dpop_nonce"}
	unavailable     = refusal{status: http.StatusServiceUnavailable, code: "unavailable"}
)

func invalidToken(code string) *refusal {
	return &refusal{status: http.StatusUnauthorized, code: code, challenge: "invalid_token"}
}

func (r *refusal) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	switch {
	case r.status == http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	case r.challenge == "":
		header.Set("WWW-Authenticate", `DPoP algs="ES256"`)
	default:
		header.Set("WWW-Authenticate", fmt.Sprintf(`DPoP error="%s", algs="ES256"`, r.challenge))
	}
	w.WriteHeader(r.status)
	body := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(r.status), r.status, r.code}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
