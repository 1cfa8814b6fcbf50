package jose

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var (
	// ErrMalformed says that a text is no compact JWS in its one spelling.
	ErrMalformed = errors.New("malformed message")
	// ErrSignature says that a message was not signed by the key.
	ErrSignature = errors.New("signature does not verify")
)

// Algorithm is the only one there is (RFC 7518 §3.4).
const Algorithm = "ES256"

// Message is a compact JWS taken apart. Nothing in it is believed yet.
type Message struct {
	// Header is the decoded JSON text of the protected header: an object without duplicate members.
	Header []byte
	// Payload is the decoded payload, of whatever form.
	Payload []byte
	compact string
}

// Parse takes a compact JWS apart. It fails with [ErrMalformed].
func Parse(compact string) (Message, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return Message{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	header, err := DecodeBase64(parts[0])
	if err != nil {
		return Message{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	payload, err := DecodeBase64(parts[1])
	if err != nil {
		return Message{}, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if _, err := DecodeBase64(parts[2]); err != nil {
		return Message{}, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	var object map[string]any
	if err := json.Unmarshal(header, &object); err != nil || object == nil {
		return Message{}, fmt.Errorf("%w: header is no JSON object", ErrMalformed)
	}
	return Message{Header: header, Payload: payload, compact: compact}, nil
}

// Verify checks the signature over header and payload. It fails with [ErrSignature].
func (m Message) Verify(key PublicKey) error {
	if key.key == nil {
		return fmt.Errorf("%w: no key", ErrSignature)
	}
	_, err := jws.Verify([]byte(m.compact), jws.WithKey(jwa.ES256, key.key), jws.WithCompact())
	if err != nil {
		return ErrSignature
	}
	return nil
}

// Sign marshals claims and signs these very bytes, under a header of exactly alg, kid and typ.
func Sign(key PrivateKey, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	headers := jws.NewHeaders()
	for name, value := range map[string]string{jws.KeyIDKey: key.kid, jws.TypeKey: typ} {
		if err := headers.Set(name, value); err != nil {
			return "", fmt.Errorf("sign %s: %w", typ, err)
		}
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.ES256, key.key, jws.WithProtectedHeaders(headers)), jws.WithCompact())
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	return string(signed), nil
}
