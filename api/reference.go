package api

import (
	"embed"
	"net/http"
	"path"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

//go:embed reference
var referenceFiles embed.FS

// referenceCSP is the policy of the API reference, which Swagger UI keeps.
const referenceCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// newReference serves openapi.yaml below /docs/ for people to read, with Swagger UI, and needs no other host.
func newReference() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /docs/openapi.yaml", newAsset(openAPI, "application/yaml"))
	for pattern, name := range map[string]string{"GET /docs/{$}": "index.html", "GET /docs/start.js": "start.js"} {
		body, err := referenceFiles.ReadFile("reference/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		mux.Handle(pattern, newAsset(body, mediaTypes[path.Ext(name)]))
	}
	mux.Handle("GET /docs/", http.StripPrefix("/docs", statigz.FileServer(static.FS)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", referenceCSP)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}
