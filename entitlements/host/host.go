// Package host lets a host's own back end require a feature for a request.
//
// The device sends its entitlement document as a DPoP-bound access token (RFC 9449 §7.1): the document in
// "Authorization: DPoP", and in "DPoP" a proof by the device's key for this method, URL and document. The back end
// shares nothing with the server that signed: it holds the keyset, and verifies.
//
// Freshness comes from the back end's own nonces, not from anybody's clock: the answer to a proof without one carries
// one in DPoP-Nonce, and the device tries again (RFC 9449 §9). The package promises: no request passes without a
// document that is valid now and has the feature, and without a signature for this very request, made in the last five
// minutes by the key that the document is bound to. One risk remains: an attacker who reads the traffic can repeat the
// same request until its nonce ends. Where that matters, the handler must check the body against the proof ([Grant]) and
// be idempotent, or bind the action to a single-use value.
//
// A revocation reaches the back end when the document ends, or at once with a [Config.Status].
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
)

// Config configures a [Guard].
type Config struct {
	// Origin is the back end's public origin, "https://api.example.com". Proofs are compared with it, never with the
	// Host header.
	Origin string
	// Verifier is called for each request, so that a newer keyset counts as soon as it is taken.
	Verifier func() entitlements.Verifier
	// Nonces are the back end's own, under a secret that all its replicas share.
	Nonces *dpop.Nonces
	// Now is the clock.
	Now func() time.Time
	// Status looks up a document's status; nil leaves revocation to the document's end.
	Status Status
}

// Status returns the value at an index of a status list (draft-ietf-oauth-status-list §7): 0 is valid, 1 invalid, 2
// suspended. An error means that it is not known now; the request is then refused with 503.
type Status func(ctx context.Context, reference entitlements.StatusReference) (uint8, error)

// Guard requires features. It is safe for concurrent use.
type Guard struct{ config Config }

// New checks the configuration.
func New(config Config) (*Guard, error) {
	origin, err := url.Parse(config.Origin)
	switch {
	case err != nil || origin.Host == "" || origin.Scheme+"://"+origin.Host != config.Origin:
		return nil, fmt.Errorf("host: origin %q is not scheme://host", config.Origin)
	case config.Verifier == nil || config.Nonces == nil || config.Now == nil:
		return nil, errors.New("host: verifier, nonces and clock are needed")
	}
	return &Guard{config}, nil
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

// Require passes on to next only requests whose document has the feature. Each answer carries the nonce for the next
// proof. A refusal is application/problem+json with a stable code, and the challenge of RFC 9449 §7.1.
//
// The path must be the one that the device signed, so place Require outside anything that strips a prefix. Pages of
// another origin need DPoP-Nonce and WWW-Authenticate among the exposed headers (CORS).
func (g *Guard) Require(feature string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce, err := g.config.Nonces.Issue(nil)
		if err != nil {
			unavailable.write(w)
			return
		}
		w.Header().Set("DPoP-Nonce", nonce)
		grant, refusal := g.judge(r, feature)
		if refusal != nil {
			refusal.write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

// judge makes the checks in this order: proof, nonce, document, feature, status.
func (g *Guard) judge(r *http.Request, feature string) (Grant, *refusal) {
	document, ok := accessToken(r.Header.Values("Authorization"))
	if !ok {
		return Grant{}, &unauthenticated
	}
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 { // RFC 9449 §4.3, number 1
		return Grant{}, &invalidProof
	}
	proof, err := dpop.Parse(proofs[0], r.Method, g.config.Origin+r.URL.EscapedPath())
	if err != nil || proof.CheckToken(document) != nil {
		return Grant{}, &invalidProof
	}
	if proof, err = g.config.Nonces.Check(proof); err != nil {
		return Grant{}, &useNonce
	}
	d, err := g.config.Verifier().Verify(document, g.config.Now(), entitlements.BoundTo(proof.JKT))
	if err != nil {
		return Grant{}, invalidToken(err.Error()) // a VerificationError, whose text is its code
	}
	if _, ok := d.Features[feature]; !ok {
		return Grant{}, &refusal{status: http.StatusForbidden, code: "forbidden", challenge: "insufficient_scope"}
	}
	if g.config.Status != nil {
		switch status, err := g.config.Status(r.Context(), d.Status.StatusList); {
		case err != nil:
			return Grant{}, &unavailable
		case status == 2:
			return Grant{}, invalidToken(string(entitlements.ReasonSuspended))
		case status != 0:
			return Grant{}, invalidToken(string(entitlements.ReasonRevoked))
		}
	}
	return Grant{Document: d, Proof: proof}, nil
}

// accessToken returns the token of the one Authorization header with the scheme DPoP, which is case-insensitive.
func accessToken(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return token, strings.EqualFold(scheme, "DPoP") && token != ""
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
