// Package vault encrypts content keys at rest.
//
// A content key is 32 random bytes that encrypt content on devices (see the vault in package entitlements). The server stores
// it only wrapped: encrypted under a key that the database does not hold. A [Keyring] is such keys, from a file; a [Wrapper]
// may also ask a key management service.
package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"

	"holdfast/entitlements/jose"
)

// KeySize is the size of a content key and of a wrapping key, in bytes.
const KeySize = 32

// ErrUnwrap is returned for a content key that was wrapped for another purpose, or that has been changed.
var ErrUnwrap = errors.New("the content key does not unwrap")

// UnknownKeyError is returned for a content key that was wrapped under a key that is not here.
type UnknownKeyError struct{ KeyID string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("the wrapping key %q is not here", e.KeyID)
}

// Wrapped is a wrapped content key.
type Wrapped struct {
	KeyID string // of the wrapping key
	Text  []byte
}

// Wrapper wraps and unwraps content keys. Purpose says whose key it is and of which epoch: a wrapped key opens for the same
// purpose only.
type Wrapper interface {
	Wrap(ctx context.Context, key []byte, purpose string) (Wrapped, error)
	// Unwrap fails with [ErrUnwrap] or [*UnknownKeyError].
	Unwrap(ctx context.Context, wrapped Wrapped, purpose string) ([]byte, error)
}

// Keyring is wrapping keys: the first one wraps, all unwrap. As a file it is a JWK Set of AES keys (RFC 7517 §5, RFC 7518
// §6.4).
type Keyring struct{ keys []ringKey }

type ringKey struct {
	id     string
	secret []byte
	aead   cipher.AEAD
}

// Add returns the keyring with a new first key from rand.
func (r Keyring) Add(rand io.Reader) (Keyring, error) {
	random := make([]byte, KeySize+9)
	if _, err := io.ReadFull(rand, random); err != nil {
		return Keyring{}, fmt.Errorf("make a wrapping key: %w", err)
	}
	// The letter lets the id be an argument of a command: a hyphen in front would make it a flag.
	key, err := newRingKey("k"+jose.EncodeBase64(random[KeySize:]), random[:KeySize])
	if err != nil {
		return Keyring{}, err
	}
	return Keyring{append([]ringKey{key}, r.keys...)}, nil
}

// Without returns the keyring without a key that does not wrap; false if there is none of that id.
func (r Keyring) Without(id string) (Keyring, bool) {
	i := slices.IndexFunc(r.keys, func(k ringKey) bool { return k.id == id })
	if i < 1 {
		return r, false
	}
	return Keyring{slices.Delete(slices.Clone(r.keys), i, i+1)}, true
}

// IDs returns the ids of the keys, the wrapping one first.
func (r Keyring) IDs() []string {
	ids := make([]string, len(r.keys))
	for i, key := range r.keys {
		ids[i] = key.id
	}
	return ids
}

func newRingKey(id string, secret []byte) (ringKey, error) {
	if id == "" || len(secret) != KeySize {
		return ringKey{}, fmt.Errorf("a wrapping key must have an id and %d bytes", KeySize)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return ringKey{}, fmt.Errorf("wrapping key %s: %w", id, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return ringKey{}, fmt.Errorf("wrapping key %s: %w", id, err)
	}
	return ringKey{id, secret, aead}, nil
}

type jwk struct {
	Kty string `json:"kty"`
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	K   string `json:"k"`
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// ParseKeyring reads a keyring, as [Keyring.Marshal] writes it.
func ParseKeyring(text []byte) (Keyring, error) {
	var set jwkSet
	if err := json.Unmarshal(text, &set, json.RejectUnknownMembers(true)); err != nil {
		return Keyring{}, fmt.Errorf("wrapping keys: %w", err)
	}
	var ring Keyring
	for _, each := range set.Keys {
		secret, err := jose.DecodeBase64(each.K)
		if err != nil || each.Kty != "oct" || each.Alg != "A256GCM" {
			return Keyring{}, errors.New("wrapping keys: not a JWK Set of keys for A256GCM")
		}
		if slices.Contains(ring.IDs(), each.Kid) {
			return Keyring{}, fmt.Errorf("wrapping keys: %q is there twice", each.Kid)
		}
		key, err := newRingKey(each.Kid, secret)
		if err != nil {
			return Keyring{}, fmt.Errorf("wrapping keys: %w", err)
		}
		ring.keys = append(ring.keys, key)
	}
	if len(ring.keys) == 0 {
		return Keyring{}, errors.New("wrapping keys: there are none")
	}
	return ring, nil
}

// Marshal writes the keyring as a JWK Set.
func (r Keyring) Marshal() ([]byte, error) {
	set := jwkSet{}
	for _, key := range r.keys {
		set.Keys = append(set.Keys, jwk{"oct", "A256GCM", key.id, jose.EncodeBase64(key.secret)})
	}
	return json.Marshal(set)
}

// Wrap implements [Wrapper].
func (r Keyring) Wrap(_ context.Context, key []byte, purpose string) (Wrapped, error) {
	if len(r.keys) == 0 {
		return Wrapped{}, errors.New("there is no wrapping key")
	}
	return Wrapped{r.keys[0].id, r.keys[0].aead.Seal(nil, nil, key, []byte(purpose))}, nil
}

// Unwrap implements [Wrapper].
func (r Keyring) Unwrap(_ context.Context, wrapped Wrapped, purpose string) ([]byte, error) {
	for _, key := range r.keys {
		if key.id != wrapped.KeyID {
			continue
		}
		opened, err := key.aead.Open(nil, nil, wrapped.Text, []byte(purpose))
		if err != nil || len(opened) != KeySize {
			return nil, ErrUnwrap
		}
		return opened, nil
	}
	return nil, &UnknownKeyError{wrapped.KeyID}
}
