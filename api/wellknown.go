package api

import (
	_ "embed"
	"net/http"
	"strings"
	"time"
)

//go:embed openapi.yaml
var openAPI []byte

// isPublic says whether pages of any origin may read what is at path.
func isPublic(path string) bool {
	switch path {
	case "/.well-known/jwks.json", "/.well-known/holdfast-keyset", "/openapi.yaml":
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
