// Command guarded is a host's own back end for the browser tests: POST /export requires the feature, and pages of one
// origin may call it. It prints its origin once it listens.
//
//	guarded ISSUER PAGES < roots.json
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/go-chi/cors"

	"holdfast/entitlements/host"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, issuer, pages string) error {
	roots, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	origin := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	guard, err := host.New(ctx, issuer, roots, host.Origin(origin))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /export/{name}", guard.Require("export", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, _ := host.From(r.Context())
		body, err := io.ReadAll(r.Body)
		if err != nil || grant.Proof.CheckBody(body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s: %s", r.PathValue("name"), body)
	})))
	mux.Handle("GET /away", http.RedirectHandler(pages, http.StatusFound))
	allow := cors.Handler(cors.Options{
		AllowedOrigins: []string{pages},
		AllowedMethods: []string{"POST"},
		AllowedHeaders: []string{"Authorization", "DPoP", "Content-Type"},
		ExposedHeaders: []string{"DPoP-Nonce", "WWW-Authenticate"},
	})
	fmt.Println(origin)
	return http.Serve(listener, allow(mux))
}
