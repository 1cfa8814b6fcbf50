package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

const (
	minModulus = 2048 / 8 // bytes; RFC 7518 §3.3
	maxModulus = 4096 / 8 // bytes; larger keys would only make verification slow
)

// jwk is a public key for WebCrypto, with no member that importKey does not need.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Alg string `json:"alg"`
}

// publicJWK converts a COSE_Key (RFC 9052 §7) to a JWK (RFC 7517). It takes the keys of ES256, ES384, ES512, EdDSA
// with Ed25519, and RS256 with 2048 to 4096 bits. The library has checked that points are on their curve and that
// coordinates have their full length; it has not checked that Ed25519 keys are not of small order.
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
		if isSmallOrder(k.XCoord) {
			return nil, errors.New("Ed25519 key of small order")
		}
		key = jwk{Kty: "OKP", Crv: "Ed25519", X: encode(k.XCoord), Alg: "EdDSA"}
	case webauthncose.RSAPublicKeyData:
		if webauthncose.COSEAlgorithmIdentifier(k.Algorithm) != webauthncose.AlgRS256 {
			return nil, fmt.Errorf("RSA algorithm %d is not supported", k.Algorithm)
		}
		// RFC 7518 §6.3.1: no leading zero octets.
		n, e := bytes.TrimLeft(k.Modulus, "\x00"), bytes.TrimLeft(k.Exponent, "\x00")
		if len(n) < minModulus || len(n) > maxModulus {
			return nil, fmt.Errorf("RSA modulus of %d bytes", len(n))
		}
		key = jwk{Kty: "RSA", N: encode(n), E: encode(e), Alg: "RS256"}
	default:
		return nil, errors.New("key type is not supported")
	}
	return json.Marshal(key)
}
