package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
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

	signed    string // the signing input, as it was spelled (RFC 7515 §5.2, number 8)
	signature []byte
}

// Parse takes a compact JWS apart. It fails with [ErrMalformed].
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

// maxDepth is how many objects and arrays may stand one in another: more than any message of ours has, and little
// enough for any parser.
const maxDepth = 32

// CheckObject says whether data is exactly one JSON object that all parsers read alike (RFC 7493): UTF-8 without byte
// order mark and lone surrogates, no member twice in any object, nested at most 32 deep.
func CheckObject(data []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data)) // refuses duplicate names, and what is not Unicode
	if decoder.PeekKind() != '{' {
		return errors.New("not a JSON object")
	}
	for {
		if _, err := decoder.ReadToken(); err != nil {
			return err
		}
		switch depth := decoder.StackDepth(); {
		case depth > maxDepth:
			return errors.New("nested too deep")
		case depth == 0:
			if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
				return errors.New("more than one JSON value")
			}
			return nil
		}
	}
}

// Verify checks the signature over header and payload: r and s, 32 bytes each (RFC 7518 §3.4). It fails with
// [ErrSignature].
//
// The bytes that were signed are the ones that came. The JOSE library hashes the header as its JSON parser hands it on,
// without white space around it: two texts would then be one signed message.
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

// Unsigned is a message that lacks nothing but its signature. Equal keys, types and claims make equal ones.
type Unsigned struct {
	key   PrivateKey
	typ   string
	input string // RFC 7515 §5.1, number 8
}

// Compose marshals claims, under a header of exactly alg, kid and typ.
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

// Digest is base64url of SHA-256 over the signed message without its last dot and signature.
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

// signer computes signatures as JWS wants them (RFC 7518 §3.4).
var signer = func() jws.Signer {
	s, err := jws.NewSigner(jwa.ES256)
	if err != nil {
		panic(err)
	}
	return s
}()
