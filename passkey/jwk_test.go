package passkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// cose encodes a COSE_Key from its labels (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4).
func cose(t *testing.T, labels map[int]any) []byte {
	t.Helper()
	encoded, err := webauthncbor.Marshal(labels)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func ecKey(t *testing.T, curve elliptic.Curve, algorithm, identifier int) (labels map[int]any, x, y []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y = point[1:1+len(point)/2], point[1+len(point)/2:]
	return map[int]any{1: 2, 3: algorithm, -1: identifier, -2: x, -3: y}, x, y
}

// wantMembers checks that the JWK has these members and no others.
func wantMembers(t *testing.T, cose []byte, members map[string]string) {
	t.Helper()
	text, err := publicJWK(cose)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(members) {
		t.Errorf("got %s, want the members of %v", text, members)
	}
	for name, value := range members {
		if got[name] != value {
			t.Errorf("member %s is %q, want %q", name, got[name], value)
		}
	}
}

func TestPublicJWKOfEC(t *testing.T) {
	for _, c := range []struct {
		curve                 elliptic.Curve
		algorithm, identifier int
		crv, alg              string
	}{
		{elliptic.P256(), -7, 1, "P-256", "ES256"},
		{elliptic.P384(), -35, 2, "P-384", "ES384"},
		{elliptic.P521(), -36, 3, "P-521", "ES512"},
	} {
		labels, x, y := ecKey(t, c.curve, c.algorithm, c.identifier)
		wantMembers(t, cose(t, labels), map[string]string{
			"kty": "EC", "crv": c.crv, "alg": c.alg, "x": encode(x), "y": encode(y),
		})
	}
}

func TestPublicJWKOfEd25519(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wantMembers(t, cose(t, map[int]any{1: 1, 3: -8, -1: 6, -2: []byte(public)}), map[string]string{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": encode(public),
	})
}

func TestPublicJWKOfRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]string{"kty": "RSA", "alg": "RS256", "n": encode(key.N.Bytes()), "e": "AQAB"}
	wantMembers(t, cose(t, map[int]any{1: 3, 3: -257, -1: key.N.Bytes(), -2: []byte{1, 0, 1}}), members)
	padded := append([]byte{0}, key.N.Bytes()...)
	wantMembers(t, cose(t, map[int]any{1: 3, 3: -257, -1: padded, -2: []byte{0, 1, 0, 1}}), members)
}

func TestPublicJWKRefuses(t *testing.T) {
	ec, x, _ := ecKey(t, elliptic.P256(), -7, 1)
	with := func(label int, value any) map[int]any {
		changed := map[int]any{}
		for l, v := range ec {
			changed[l] = v
		}
		changed[label] = value
		return changed
	}
	off := bytes.Clone(x)
	off[31] ^= 1
	modulus := func(bits uint) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.Add(n, big.NewInt(1)).Bytes()
	}
	for name, key := range map[string]map[int]any{
		"point off the curve":     with(-2, off),
		"short coordinate":        with(-2, x[1:]),
		"curve of another alg":    with(-1, 2),
		"secp256k1":               with(3, -47),
		"no key type":             with(1, 0),
		"symmetric":               {1: 4, 3: 5, -1: make([]byte, 32)},
		"Ed25519 of wrong length": {1: 1, 3: -8, -1: 6, -2: make([]byte, 31)},
		"X25519":                  {1: 1, 3: -8, -1: 4, -2: make([]byte, 32)},
		"RSA of 1024 bits":        {1: 3, 3: -257, -1: modulus(1024), -2: []byte{1, 0, 1}},
		"RSA of 8192 bits":        {1: 3, 3: -257, -1: modulus(8192), -2: []byte{1, 0, 1}},
		"RSA with SHA-1":          {1: 3, 3: -65535, -1: modulus(2048), -2: []byte{1, 0, 1}},
		"RSA without exponent":    {1: 3, 3: -257, -1: modulus(2048)},
	} {
		if text, err := publicJWK(cose(t, key)); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func FuzzPublicJWK(f *testing.F) {
	requireSeeds(f)
	f.Add([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01})
	f.Fuzz(func(t *testing.T, key []byte) {
		text, err := publicJWK(key)
		if err != nil {
			return
		}
		var members jwk
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains([]string{"ES256", "ES384", "ES512", "EdDSA", "RS256"}, members.Alg) {
			t.Errorf("algorithm %q", members.Alg)
		}
	})
}
