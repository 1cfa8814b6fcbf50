package passkey

import (
	"crypto/ed25519"
	"slices"
	"testing"
)

// Under each of these keys there is a signature of anything, made without a private key: R is the identity and S is 0, so
// that the equation S·B = R + k·A holds wherever k·A is the identity: for one message in eight at least.
func TestSmallOrderKeysAreRefused(t *testing.T) {
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1
	dangerous := 0
	for _, y := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := slices.Clone(y)
			key[31] |= sign
			if !isSmallOrder(key) {
				t.Errorf("%x passes", key)
			}
			if _, err := publicJWK(cose(t, map[int]any{1: 1, 3: -8, -1: 6, -2: key})); err == nil {
				t.Errorf("%x is taken as a public key", key)
			}
			for i := range 200 {
				if ed25519.Verify(key, []byte{byte(i)}, forged) {
					dangerous++
					break
				}
			}
		}
	}
	if dangerous < 7 { // the canonical ones at least; encodings of y above p are read by some only
		t.Errorf("only %d of them verify a forgery: are they the right ones?", dangerous)
	}
	key, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if isSmallOrder(key) {
		t.Errorf("%x, a good key, is refused", key)
	}
}
