// Command go is a back end with a route that only devices with the feature may call.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"holdfast/entitlements/host"
)

func main() {
	port, issuer := cmp.Or(os.Getenv("PORT"), "3000"), cmp.Or(os.Getenv("HOLDFAST_ORIGIN"), "http://localhost:8080")
	roots, err := os.ReadFile("holdfast-roots.json")
	if err != nil {
		log.Fatal(err)
	}
	guard, err := host.New(context.Background(), issuer, roots, host.Origin("http://localhost:"+port))
	if err != nil {
		log.Fatal(err)
	}
	greet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, _ := host.From(r.Context())
		fmt.Fprintf(w, "user %s", grant.Document.Subject)
	})
	http.Handle("POST /export", guard.Require("export", greet))
	http.Handle("GET /me", guard.Authenticate(greet))
	http.Handle("/", http.FileServer(http.Dir("dist")))
	log.Fatal(http.ListenAndServe("localhost:"+port, nil))
}
