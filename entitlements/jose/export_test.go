package jose

import "github.com/lestrrat-go/jwx/v2/jwk"

// Thumbprint computes as [PublicKey.ID] does, for a JWK of any kind: RFC 7638's own example is an RSA key.
func Thumbprint(data []byte) (string, error) {
	key, err := jwk.ParseKey(data)
	if err != nil {
		return "", err
	}
	return thumbprint(key)
}
