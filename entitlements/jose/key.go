package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// ErrKey is returned for a JWK that is not a P-256 key of the expected kind.
var ErrKey = errors.New("not a P-256 key")

// JWK is the JSON form of a public P-256 key (RFC 7518 §6.2.1): exactly the members that define the key.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// PublicKey is a P-256 public key. The zero value holds no key.
type PublicKey struct {
	key *ecdsa.PublicKey
	jwk JWK
	kid string
}

// PrivateKey is a P-256 key pair. The zero value holds no key.
type PrivateKey struct {
	key *ecdsa.PrivateKey
	PublicKey
}

// GenerateKey makes a key pair from rand.
func GenerateKey(rand io.Reader) (PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate key: %w", err)
	}
	return newPrivateKey(key)
}

// ParsePublicKey reads a public JWK. It ignores members that describe the key (kid, alg, use, key_ops, ext). It fails
// with [ErrKey] for a private member and for anything but a point on P-256.
func ParsePublicKey(data []byte) (PublicKey, error) {
	var shape struct {
		JWK
		D jsontext.Value `json:"d"`
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if shape.D != nil { // null too: the member marks a private key
		return PublicKey{}, fmt.Errorf("%w: a private key where a public one is expected", ErrKey)
	}
	return shape.JWK.PublicKey()
}

// PublicKey reads the key. RFC 7518 §6.2.1.2 fixes the length of a coordinate at 32 bytes.
func (j JWK) PublicKey() (PublicKey, error) {
	if j.Kty != "EC" || j.Crv != "P-256" {
		return PublicKey{}, fmt.Errorf("%w: kty %q, crv %q", ErrKey, j.Kty, j.Crv)
	}
	point := []byte{4} // SEC 1 §2.3.3: uncompressed
	for _, coordinate := range []string{j.X, j.Y} {
		b, err := DecodeBase64(coordinate)
		if err != nil || len(b) != 32 {
			return PublicKey{}, fmt.Errorf("%w: malformed coordinate", ErrKey)
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return PublicKey{key: key, jwk: j, kid: j.thumbprint()}, nil // each coordinate has only this spelling
}

// ParsePrivateKey reads a private JWK, as [PrivateKey.Marshal] writes it.
func ParsePrivateKey(data []byte) (PrivateKey, error) {
	parsed, err := jwk.ParseKey(data)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var key ecdsa.PrivateKey
	if err := parsed.Raw(&key); err != nil || key.Curve != elliptic.P256() {
		return PrivateKey{}, ErrKey
	}
	// A scalar that does not belong to the point would make signatures that nobody can verify.
	d, err := key.Bytes()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	own, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil || !own.PublicKey.Equal(&key.PublicKey) {
		return PrivateKey{}, fmt.Errorf("%w: private and public part differ", ErrKey)
	}
	return newPrivateKey(own)
}

// Marshal writes the private JWK, with the thumbprint as its kid.
func (k PrivateKey) Marshal() ([]byte, error) {
	key, err := jwk.FromRaw(k.key)
	if err != nil {
		return nil, fmt.Errorf("marshal key: %w", err)
	}
	if err := key.Set(jwk.KeyIDKey, k.kid); err != nil {
		return nil, fmt.Errorf("marshal key: %w", err)
	}
	return json.Marshal(key, json.Deterministic(true))
}

// ID returns the key's RFC 7638 thumbprint (SHA-256, base64url without padding, 43 characters).
func (k PublicKey) ID() string { return k.kid }

// JWK returns the key's JSON form.
func (k PublicKey) JWK() JWK { return k.jwk }

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

func newPublicKey(key *ecdsa.PublicKey) (PublicKey, error) {
	point, err := key.Bytes()
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	j := JWK{Kty: "EC", Crv: "P-256", X: EncodeBase64(point[1:33]), Y: EncodeBase64(point[33:])}
	return PublicKey{key: key, jwk: j, kid: j.thumbprint()}, nil
}

// thumbprint returns the RFC 7638 thumbprint: §3 wants these members in this order, without white space. None of their
// characters needs an escape.
func (j JWK) thumbprint() string {
	sum := sha256.Sum256([]byte(`{"crv":"` + j.Crv + `","kty":"` + j.Kty + `","x":"` + j.X + `","y":"` + j.Y + `"}`))
	return EncodeBase64(sum[:])
}

func newPrivateKey(key *ecdsa.PrivateKey) (PrivateKey, error) {
	public, err := newPublicKey(&key.PublicKey)
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{key: key, PublicKey: public}, nil
}

var strict = base64.RawURLEncoding.Strict()

// DecodeBase64 reads base64url without padding, line breaks or trailing bits (RFC 7515 §2, RFC 4648 §3.5): each sequence
// of bytes has exactly one spelling.
func DecodeBase64(s string) ([]byte, error) {
	if strings.IndexByte(s, '\r') >= 0 || strings.IndexByte(s, '\n') >= 0 { // encoding/base64 would skip them
		return nil, base64.CorruptInputError(strings.IndexAny(s, "\r\n"))
	}
	return strict.DecodeString(s)
}

// EncodeBase64 is the inverse of [DecodeBase64].
func EncodeBase64(b []byte) string { return strict.EncodeToString(b) }
