package passkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
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
	rs256 := func(n []byte, e ...byte) map[int]any { return map[int]any{1: 3, 3: -257, -1: n, -2: e} }
	for name, key := range map[string]map[int]any{
		"point off the curve":     with(-2, off),
		"short coordinate":        with(-2, x[1:]),
		"curve of another alg":    with(-1, 2),
		"secp256k1":               with(3, -47),
		"no key type":             with(1, 0),
		"symmetric":               {1: 4, 3: 5, -1: make([]byte, 32)},
		"Ed25519, no point":       {1: 1, 3: -8, -1: 6, -2: append([]byte{2}, make([]byte, 31)...)},
		"Ed25519 of wrong length": {1: 1, 3: -8, -1: 6, -2: make([]byte, 31)},
		"X25519":                  {1: 1, 3: -8, -1: 4, -2: make([]byte, 32)},
		"RSA of 1024 bits":        {1: 3, 3: -257, -1: modulus(1024), -2: []byte{1, 0, 1}},
		"RSA of 8192 bits":        {1: 3, 3: -257, -1: modulus(8192), -2: []byte{1, 0, 1}},
		"RSA with SHA-1":          {1: 3, 3: -65535, -1: modulus(2048), -2: []byte{1, 0, 1}},
		"RSA without exponent":    {1: 3, 3: -257, -1: modulus(2048)},
		"RSA of 2047 bits":        rs256(modulus(2047), 1, 0, 1),
		"RSA of 4097 bits":        rs256(modulus(4097), 1, 0, 1),
		"RSA with even modulus":   rs256(new(big.Int).Lsh(big.NewInt(1), 2047).Bytes(), 1, 0, 1),
		"RSA with exponent 1":     rs256(modulus(2048), 1),
		"RSA with even exponent":  rs256(modulus(2048), 1, 0, 0),
		"RSA with exponent 5":     rs256(modulus(2048), 5),
		"RSA, exponent too long":  rs256(modulus(2048), 0xff, 0xff, 0xff, 0xff),
	} {
		if text, err := publicJWK(cose(t, key)); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// All encodings of the points of small order, and second spellings of other points: "Taming the many EdDSAs" (2020),
// RFC 8032 §5.1.3.
func TestPublicJWKRefusesUnsafeEd25519(t *testing.T) {
	zeros, ones := strings.Repeat("00", 30), strings.Repeat("ff", 30)
	for _, y := range []string{
		"00" + zeros + "00", "00" + zeros + "80",
		"01" + zeros + "00", "01" + zeros + "80",
		"ec" + ones + "7f", "ec" + ones + "ff",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ed" + ones + "7f", "ed" + ones + "ff", "ee" + ones + "7f", "ee" + ones + "ff", // 0 and 1, again
		"f0" + ones + "7f", "ff" + ones + "7f",
	} {
		key, err := hex.DecodeString(y)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := publicJWK(cose(t, map[int]any{1: 1, 3: -8, -1: 6, -2: key})); err == nil {
			t.Errorf("%s: %s", y, text)
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
