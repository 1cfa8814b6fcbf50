package api

import (
	_ "embed"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

//go:embed openapi.yaml
var openAPI []byte

// isPublic reports whether pages of any origin may read the document at path.
func isPublic(path string) bool {
	switch path {
	case "/.well-known/jwks.json", "/.well-known/holdfast-keyset", "/.well-known/webauthn", "/.well-known/passkey-endpoints", "/openapi.yaml":
		return true
	}
	return strings.HasPrefix(path, "/v1/status-lists/")
}

// keysAge is how long a cache may keep the keys. A signing key is published long before it is used.
const keysAge = 5 * time.Minute

func (s *server) showJWKS(w http.ResponseWriter, r *http.Request, _ caller) error {
	publicDocument(s.entitlements.JWKS(), "application/jwk-set+json", keysAge).ServeHTTP(w, r)
	return nil
}

func (s *server) showKeyset(w http.ResponseWriter, r *http.Request, _ caller) error {
	publicDocument([]byte(s.entitlements.Keyset()), "application/jose", keysAge).ServeHTTP(w, r)
	return nil
}

// passkeysAge is how long a cache may keep the documents for password managers and browsers.
const passkeysAge = time.Hour

// relatedOrigins returns the document that lists the origins whose pages may use the relying party's passkeys. Browsers
// request it from the relying party's own host, and only for origins that are not below that host.
//
// Specification: WebAuthn Level 3, §5.11, Using Web Authentication across related origins
func relatedOrigins(origin string, allowed []string) asset {
	return passkeyDocument(struct {
		Origins []string `json:"origins"`
	}{append([]string{origin}, allowed...)})
}

// passkeyEndpoints returns the document that tells password managers where passkeys are created and managed: in the app, if
// there is one.
//
// Specification: A Well-Known URL for Relying Party Passkey Endpoints (https://www.w3.org/TR/passkey-endpoints-1/)
func passkeyEndpoints(app string) asset {
	var account string
	if app != "" {
		account = app + "#/security"
	}
	return passkeyDocument(struct {
		Enroll string `json:"enroll,omitempty"`
		Manage string `json:"manage,omitempty"`
	}{account, account})
}

func passkeyDocument(v any) asset {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings always marshal
	}
	return publicDocument(append(body, '\n'), "application/json", passkeysAge)
}

func (s *server) showRelatedOrigins(w http.ResponseWriter, r *http.Request, _ caller) error {
	s.related.ServeHTTP(w, r)
	return nil
}

func (s *server) showPasskeyEndpoints(w http.ResponseWriter, r *http.Request, _ caller) error {
	s.endpoints.ServeHTTP(w, r)
	return nil
}

func (s *server) showOpenAPI(w http.ResponseWriter, r *http.Request, _ caller) error {
	s.openAPI.ServeHTTP(w, r)
	return nil
}

func (s *server) showRoots(w http.ResponseWriter, r *http.Request, _ caller) error {
	if len(s.roots.body) == 0 {
		return notFound
	}
	s.roots.ServeHTTP(w, r)
	return nil
}
