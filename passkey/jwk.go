package passkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

const (
	minModulus = 2048 // bits; RFC 7518 §3.3
	maxModulus = 4096 // bits; larger keys would only make verification slow
)

// jwk is a public key for WebCrypto, with only the members that importKey needs.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Alg string `json:"alg"`
}

// publicJWK converts a COSE_Key (RFC 9052 §7) to a JWK (RFC 7517). It accepts keys of ES256, ES384, ES512, EdDSA with
// Ed25519, and RS256 with 2048 to 4096 bits and an exponent that authenticators use (TPM 2.0 has only 65537), and no key
// that a page would refuse to verify against offline. The library checks the length of points and then that they are on
// their curve, and does no arithmetic with RSA keys here. A registration verifies no signature, so no key is used before
// it has passed this check.
func publicJWK(cose []byte) (json.RawMessage, error) {
	parsed, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return nil, err
	}
	var key jwk
	switch k := parsed.(type) {
	case webauthncose.EC2PublicKeyData:
		key = jwk{Kty: "EC", X: encode(k.XCoord), Y: encode(k.YCoord)}
		switch webauthncose.COSEAlgorithmIdentifier(k.Algorithm) {
		case webauthncose.AlgES256:
			key.Crv, key.Alg = "P-256", "ES256"
		case webauthncose.AlgES384:
			key.Crv, key.Alg = "P-384", "ES384"
		case webauthncose.AlgES512:
			key.Crv, key.Alg = "P-521", "ES512"
		default:
			return nil, fmt.Errorf("EC algorithm %d is not supported", k.Algorithm)
		}
	case webauthncose.OKPPublicKeyData:
		if webauthncose.COSEAlgorithmIdentifier(k.Algorithm) != webauthncose.AlgEdDSA {
			return nil, fmt.Errorf("OKP algorithm %d is not supported", k.Algorithm)
		}
		if !isSafeEd25519(k.XCoord) {
			return nil, errors.New("not a point of the curve, of small order, or not in its canonical encoding")
		}
		key = jwk{Kty: "OKP", Crv: "Ed25519", X: encode(k.XCoord), Alg: "EdDSA"}
	case webauthncose.RSAPublicKeyData:
		if webauthncose.COSEAlgorithmIdentifier(k.Algorithm) != webauthncose.AlgRS256 {
			return nil, fmt.Errorf("RSA algorithm %d is not supported", k.Algorithm)
		}
		n, e := new(big.Int).SetBytes(k.Modulus), new(big.Int).SetBytes(k.Exponent)
		if bits := n.BitLen(); bits < minModulus || bits > maxModulus || n.Bit(0) == 0 {
			return nil, fmt.Errorf("RSA modulus of %d bits, or even", bits)
		}
		if !e.IsUint64() || e.Uint64() != 3 && e.Uint64() != 65537 {
			return nil, fmt.Errorf("RSA exponent of %d bits, neither 3 nor 65537", e.BitLen())
		}
		// RFC 7518 §6.3.1: no leading zero octets.
		key = jwk{Kty: "RSA", N: encode(n.Bytes()), E: encode(e.Bytes()), Alg: "RS256"}
	default:
		return nil, errors.New("key type is not supported")
	}
	return json.Marshal(key)
}
