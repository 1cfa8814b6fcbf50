package host_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"

	"holdfast/entitlements/jose"
)

// signProof makes a DPoP proof as a device does: the header holds the public key.
func signProof(key jose.PrivateKey, claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": key.JWK()})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := jose.EncodeBase64(header) + "." + jose.EncodeBase64(payload)
	raw, err := scalar(key)
	if err != nil {
		return "", err
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + jose.EncodeBase64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)), nil
}

func scalar(key jose.PrivateKey) ([]byte, error) {
	text, err := key.Marshal()
	if err != nil {
		return nil, err
	}
	var jwk struct {
		D string `json:"d"`
	}
	if err := json.Unmarshal(text, &jwk); err != nil {
		return nil, err
	}
	return jose.DecodeBase64(jwk.D)
}
