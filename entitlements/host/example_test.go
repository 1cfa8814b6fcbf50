package host_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/entitlements/host"
)

// A back end that offers an export only to users whose document has the feature. It gets the roots once, out of band,
// and each keyset from /.well-known/holdfast-keyset; its marks refuse an old keyset.
func ExampleGuard_Require() {
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	const issuer = "https://app.example.com"
	given, err := entitlements.GenerateKeys(rand.Reader, issuer, now()) // in a real back end: roots and keyset as files
	if err != nil {
		panic(err)
	}

	var (
		marks   entitlements.KeysetMarks // to be kept on disk
		current atomic.Pointer[entitlements.Keyset]
	)
	take := func(roots entitlements.Roots, compact string) error {
		keyset, err := roots.VerifyKeyset(compact, issuer, now())
		if err != nil {
			return err
		}
		if marks, err = marks.Take(keyset, roots); err != nil {
			return err
		}
		current.Store(&keyset)
		return nil
	}
	if err := take(given.Roots, given.Compact); err != nil {
		panic(err)
	}

	secret := bytes.Repeat([]byte{7}, 32) // in a real back end: random, and the same on every replica
	nonces, err := dpop.NewNonces(secret, now, rand.Reader)
	if err != nil {
		panic(err)
	}
	guard, err := host.New(host.Config{
		Origin: "https://api.example.com",
		Verifier: func() entitlements.Verifier {
			return entitlements.Verifier{Keyset: *current.Load(), Issuer: issuer}
		},
		Nonces: nonces,
		Now:    now,
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /export", guard.Require("export", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, _ := host.From(r.Context())
		fmt.Fprintf(w, "exporting for %s", grant.Document.Subject)
	})))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("POST", "/export", nil))
	fmt.Println(answer.Code, answer.Header().Get("WWW-Authenticate"))
	// Output: 401 DPoP algs="ES256"
}
