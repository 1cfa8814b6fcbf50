package entitlements_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"holdfast/entitlements"
)

// fuzzed is the world of the vectors with fixed keys, so that a finding means the same in every run.
type fuzzed struct {
	vectorWorld
	roots    entitlements.Roots
	verifier entitlements.Verifier
	now      time.Time
}

func newFuzzed(f *testing.F) fuzzed {
	f.Helper()
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	w := fuzzed{vectorWorld: newVectorWorld(f), now: time.Unix(begin+60, 0)}
	var err error
	if w.roots, err = entitlements.ParseRoots(w.vectorWorld.roots["both"]); err != nil {
		f.Fatal(err)
	}
	keyset, err := w.roots.VerifyKeyset(w.keysets["usual"], issuer, w.now)
	if err != nil {
		f.Fatal(err)
	}
	w.verifier = entitlements.Verifier{Keyset: keyset, Issuer: issuer}
	return w
}

func mustBeVerificationError(t *testing.T, err error) {
	t.Helper()
	if !errors.As(err, new(entitlements.VerificationError)) {
		t.Errorf("unexpected kind of error: %v", err)
	}
}

// FuzzDocument gives the verifier any text: it accepts only signed documents.
func FuzzDocument(f *testing.F) {
	w := newFuzzed(f)
	known := vectorInputs(f, "document")
	for _, input := range known {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.verifier.Verify(text, w.now); err != nil {
			mustBeVerificationError(t, err)
		} else if !slices.Contains(known, text) {
			t.Errorf("forged input accepted: %q", text)
		}
	})
}

// FuzzDocumentClaims signs its input: an accepted document survives a round trip.
func FuzzDocumentClaims(f *testing.F) {
	w := newFuzzed(f)
	f.Add(jsonText(usualClaims()))
	f.Add(jsonText(changed("state", "revoked", "reason", "revoked", "features", object{}, "plans", []string{}, "paid_through", nil)))
	head := w.signing.header("entitlement+jwt")
	f.Fuzz(func(t *testing.T, payload string) {
		document, err := w.verifier.Verify(w.signing.sign(head, payload), w.now)
		if err != nil {
			mustBeVerificationError(t, err)
			return
		}
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.verifier.Verify(w.signing.sign(head, string(text)), w.now); err != nil || !reflect.DeepEqual(document, again) {
			t.Errorf("%+v, re-encoded %+v, %v", document, again, err)
		}
	})
}

// FuzzKeyset is FuzzDocument for keysets.
func FuzzKeyset(f *testing.F) {
	w := newFuzzed(f)
	known := append(vectorInputs(f, "keyset"), w.keysets["usual"], w.keysets["brief"])
	for _, input := range known {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.roots.VerifyKeyset(text, issuer, w.now); err != nil {
			mustBeVerificationError(t, err)
		} else if !slices.Contains(known, text) {
			t.Errorf("forged input accepted: %q", text)
		}
	})
}

// FuzzKeysetClaims is FuzzDocumentClaims for keysets.
func FuzzKeysetClaims(f *testing.F) {
	w := newFuzzed(f)
	f.Add(jsonText(w.keysetClaims()))
	head := w.current.header("keyset+jwt")
	f.Fuzz(func(t *testing.T, payload string) {
		keyset, err := w.roots.VerifyKeyset(w.current.sign(head, payload), issuer, w.now)
		if err != nil {
			mustBeVerificationError(t, err)
			return
		}
		text, err := json.Marshal(keyset)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.roots.VerifyKeyset(w.current.sign(head, string(text)), issuer, w.now)
		if err != nil || !reflect.DeepEqual(keyset.Keys, again.Keys) || keyset.Mark().Version != again.Mark().Version || keyset.End() != again.End() {
			t.Errorf("%+v, re-encoded %+v, %v", keyset, again, err)
		}
	})
}

// FuzzPasskeysClaims is FuzzDocumentClaims for passkeys documents.
func FuzzPasskeysClaims(f *testing.F) {
	w := newFuzzed(f)
	f.Add(jsonText(passkeysClaims(begin)))
	head := w.signing.header("passkeys+jwt")
	f.Fuzz(func(t *testing.T, payload string) {
		document, err := w.verifier.VerifyPasskeys(w.signing.sign(head, payload), w.now)
		if err != nil {
			mustBeVerificationError(t, err)
			return
		}
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.verifier.VerifyPasskeys(w.signing.sign(head, string(text)), w.now)
		if err != nil {
			t.Fatalf("%s, re-encoded: %v", text, err)
		}
		if textAgain, err := json.Marshal(again); err != nil || string(text) != string(textAgain) { // a JWK loses its white space
			t.Errorf("%s, re-encoded %s, %v", text, textAgain, err)
		}
	})
}
