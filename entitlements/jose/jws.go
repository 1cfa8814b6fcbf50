package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var (
	// ErrMalformed is returned for text that is not a compact JWS in its one canonical spelling.
	ErrMalformed = errors.New("malformed message")
	// ErrSignature is returned if the key has not signed the message.
	ErrSignature = errors.New("signature does not verify")
)

// Algorithm is the only supported algorithm (RFC 7518 §3.4).
const Algorithm = "ES256"

// Message is a parsed compact JWS. Its content is untrusted until Verify has returned nil.
type Message struct {
	// Header is the decoded JSON text of the protected header: an object without duplicate members.
	Header []byte
	// Payload is the decoded payload, in any format.
	Payload []byte

	signed    string // the signing input, as it was spelled (RFC 7515 §5.2, number 8)
	signature []byte
}

// Parse parses a compact JWS. It fails with [ErrMalformed].
func Parse(compact string) (Message, error) {
	parts := strings.SplitN(compact, ".", 4)
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
	signature, err := DecodeBase64(parts[2])
	if err != nil {
		return Message{}, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if err := CheckObject(header); err != nil {
		return Message{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	signed := compact[:len(compact)-len(parts[2])-1]
	return Message{Header: header, Payload: payload, signed: signed, signature: signature}, nil
}

// maxDepth is the deepest nesting of objects and arrays: more than any Holdfast message has, and little enough for any
// parser.
const maxDepth = 32

// CheckObject returns nil if data is exactly one JSON object that all parsers read alike (RFC 7493): UTF-8 without byte
// order mark and lone surrogates, no duplicate member in any object, nested at most 32 deep.
func CheckObject(data []byte) error {
	if text := jsontext.Value(data); text.Kind() != '{' || !text.IsValid() { // refuses duplicate names and invalid Unicode
		return errors.New("not a JSON object")
	}
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) <= maxDepth {
		return nil
	}
	for decoder := jsontext.NewDecoder(bytes.NewBuffer(data)); ; {
		switch _, err := decoder.ReadToken(); {
		case err != nil:
			return err
		case decoder.StackDepth() > maxDepth:
			return errors.New("nested too deep")
		case decoder.StackDepth() == 0:
			return nil
		}
	}
}

// Verify checks the signature over header and payload: r and s, 32 bytes each (RFC 7518 §3.4). It fails with
// [ErrSignature].
//
// It verifies the bytes as received. The JOSE library would hash the header as its JSON parser returns it, without white
// space around it: two texts would then be one signed message.
func (m Message) Verify(key PublicKey) error {
	if key.key == nil {
		return fmt.Errorf("%w: no key", ErrSignature)
	}
	if len(m.signature) != 64 {
		return fmt.Errorf("%w: %d bytes", ErrSignature, len(m.signature))
	}
	sum := sha256.Sum256([]byte(m.signed))
	r, s := new(big.Int).SetBytes(m.signature[:32]), new(big.Int).SetBytes(m.signature[32:])
	if !ecdsa.Verify(key.key, sum[:], r, s) {
		return ErrSignature
	}
	return nil
}

// Unsigned is a message without its signature. Equal keys, types and claims make equal messages.
type Unsigned struct {
	key   PrivateKey
	typ   string
	input string // RFC 7515 §5.1, number 8
}

// Compose marshals claims under a header of exactly alg, kid and typ.
func Compose(key PrivateKey, typ string, claims any) (Unsigned, error) {
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{Algorithm, key.kid, typ})
	if err != nil {
		return Unsigned{}, fmt.Errorf("compose %s: %w", typ, err)
	}
	payload, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return Unsigned{}, fmt.Errorf("compose %s: %w", typ, err)
	}
	return Unsigned{key: key, typ: typ, input: EncodeBase64(header) + "." + EncodeBase64(payload)}, nil
}

// Digest returns base64url of SHA-256 over the signed message without its last dot and signature.
func (u Unsigned) Digest() string {
	sum := sha256.Sum256([]byte(u.input))
	return EncodeBase64(sum[:])
}

// Sign completes the message.
func (u Unsigned) Sign() (string, error) {
	signature, err := signer.Sign([]byte(u.input), u.key.key)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", u.typ, err)
	}
	return u.input + "." + EncodeBase64(signature), nil
}

// Sign composes and signs a message.
func Sign(key PrivateKey, typ string, claims any) (string, error) {
	u, err := Compose(key, typ, claims)
	if err != nil {
		return "", err
	}
	return u.Sign()
}

// signer computes signatures in the form that JWS requires (RFC 7518 §3.4).
var signer = func() jws.Signer {
	s, err := jws.NewSigner(jwa.ES256)
	if err != nil {
		panic(err)
	}
	return s
}()
