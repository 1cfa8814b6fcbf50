package jose

import (
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
)

// ErrDecrypt is returned for a message that the key does not open.
var ErrDecrypt = errors.New("message does not open")

// Encrypt encrypts a payload to a public key: a JWE in compact serialization (RFC 7516 §7.1) with ECDH-ES+A256KW and A256GCM
// (RFC 7518 §4.6, §5.3), whose kid is the key's thumbprint and whose cty is contentType. Nothing in it says who made it: the
// payload should be signed.
func Encrypt(key PublicKey, contentType string, payload []byte) (string, error) {
	header := jwe.NewHeaders()
	if err := errors.Join(header.Set(jwe.KeyIDKey, key.kid), header.Set(jwe.ContentTypeKey, contentType)); err != nil {
		return "", fmt.Errorf("encrypt: %w", err)
	}
	text, err := jwe.Encrypt(payload, jwe.WithKey(jwa.ECDH_ES_A256KW, key.key), jwe.WithContentEncryption(jwa.A256GCM),
		jwe.WithProtectedHeaders(header))
	if err != nil {
		return "", fmt.Errorf("encrypt: %w", err)
	}
	return string(text), nil
}

// Decrypt opens what [Encrypt] has made for the key. It fails with [ErrDecrypt].
func Decrypt(key PrivateKey, text string) ([]byte, error) {
	payload, err := jwe.Decrypt([]byte(text), jwe.WithKey(jwa.ECDH_ES_A256KW, key.key))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecrypt, err)
	}
	return payload, nil
}
