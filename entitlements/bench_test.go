package entitlements_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"holdfast/entitlements"
)

// BenchmarkVerify compares the verification of a document with that of a bare signature over as many bytes. Both
// alternate in one run, so that the ratio holds on any machine.
func BenchmarkVerify(b *testing.B) {
	keys := generateKeys(b)
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: issuer}
	document := signed(b, keys.Signing[0], "entitlement+jwt", documentClaims())
	bare, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte(document))
	signature, err := ecdsa.SignASN1(rand.Reader, bare, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	var whole, raw time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := verifier.Verify(document, noon); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		digest := sha256.Sum256([]byte(document))
		if !ecdsa.VerifyASN1(&bare.PublicKey, digest[:], signature) {
			b.Fatal("refused")
		}
		whole, raw = whole+middle.Sub(start), raw+time.Since(middle)
	}
	b.ReportMetric(float64(whole)/float64(raw), "raw-verifications/op")
}
