package jose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
	if err := CheckObject(header); err != nil {
		return Message{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	return Message{Header: header, Payload: payload, compact: compact}, nil
}

// maxDepth is how many objects and arrays may stand one in another: more than any message of ours has, and little
// enough for any parser.
const maxDepth = 32

// CheckObject says whether data is exactly one JSON object that all parsers read alike (RFC 7493): UTF-8 without byte
// order mark and lone surrogates, no member twice in any object, nested at most 32 deep.
func CheckObject(data []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data)) // refuses duplicate names, and what is not Unicode
	if decoder.PeekKind() != '{' {
		return errors.New("no JSON object")
	}
	for {
		if _, err := decoder.ReadToken(); err != nil {
			return err
		}
		switch depth := decoder.StackDepth(); {
		case depth > maxDepth:
			return errors.New("nested too deep")
		case depth == 0:
			if _, err := decoder.ReadToken(); err != io.EOF {
				return errors.New("more than one JSON value")
			}
			return nil
		}
	}
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
