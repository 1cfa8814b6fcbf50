package passkey

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// TestAttestationIsNotVerified: the server requests no attestation, so it neither computes with one nor refuses because
// of one.
func TestAttestationIsNotVerified(t *testing.T) {
	modulus := func(bits uint) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.Add(n, big.NewInt(1)).Bytes()
	}
	rsa := func(bits uint) map[int]any { return map[int]any{1: 3, 3: -257, -1: modulus(bits), -2: []byte{1, 0, 1}} }
	ec, _, _ := ecKey(t, elliptic.P256(), -7, 1)
	junk := []byte("neither a signature nor a certificate")
	for name, c := range map[string]struct {
		key       map[int]any
		format    string
		statement any
		refused   string
	}{
		"none":                           {ec, "none", map[string]any{}, ""},
		"none, with a statement":         {ec, "none", map[string]any{"sig": junk}, ""},
		"packed, by a bad signature":     {ec, "packed", map[string]any{"alg": -7, "sig": junk}, ""},
		"packed, with no certificate":    {ec, "packed", map[string]any{"alg": -7, "sig": junk, "x5c": []any{junk}}, ""},
		"packed, RSA of 4,096 bits":      {rsa(4096), "packed", map[string]any{"alg": -257, "sig": junk}, ""},
		"a format that nobody knows":     {ec, "android-safetynet-2", map[string]any{"ver": "1"}, ""},
		"compound":                       {ec, "compound", []any{map[string]any{"fmt": "packed", "attStmt": map[string]any{"sig": junk}}}, ""},
		"packed, RSA of 170,000 bits":    {rsa(170_000), "packed", map[string]any{"alg": -257, "sig": modulus(170_000)}, "170000 bits"},
		"none, RSA of 170,000 bits":      {rsa(170_000), "none", map[string]any{}, "170000 bits"},
		"none, a long exponent":          {map[int]any{1: 3, 3: -257, -1: modulus(2048), -2: []byte(strings.Repeat("\xff", 8))}, "none", map[string]any{}, "exponent"},
		"none, an EC coordinate of 9 kB": {map[int]any{1: 2, 3: -7, -1: 1, -2: modulus(72_000), -3: modulus(72_000)}, "none", map[string]any{}, "public key"},
	} {
		v := vectors(t)[0]
		rpID := sha256.Sum256([]byte("example.org"))
		id := v.Registration.CredentialID
		data := slices.Concat(rpID[:], []byte{0x45}, make([]byte, 4+16), binary.BigEndian.AppendUint16(nil, uint16(len(id))), id, cose(t, c.key))
		object, err := webauthncbor.Marshal(map[string]any{"fmt": c.format, "attStmt": c.statement, "authData": data})
		if err != nil {
			t.Fatal(err)
		}
		err = newBench(t).register(v, object, protocol.VerificationRequired)
		if c.refused == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.refused != "" && (!errors.Is(err, ErrCredentialRejected) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: got %v, want a rejection for %q", name, err, c.refused)
		}
	}
}
