package passkey

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// CeremonyLife is the time limit for finishing a ceremony.
const CeremonyLife = 5 * time.Minute

const challengeSize = 32 // random bytes; at least 16 by §13.4.3, Cryptographic Challenges

// CeremonyKind is the purpose of a ceremony. A ceremony is finished by its own kind only.
type CeremonyKind string

const (
	KindRegistration   CeremonyKind = "registration"
	KindAuthentication CeremonyKind = "authentication"
	KindEnrolment      CeremonyKind = "enrolment" // adds a passkey to the account that a one-time code opens
)

// Options begin a ceremony in a browser.
type Options struct {
	Ceremony  string          // opaque; the client returns it with the answer
	PublicKey json.RawMessage // for parseCreationOptionsFromJSON or parseRequestOptionsFromJSON
}

// ceremony is the state of a ceremony between its two steps. The client keeps it, sealed.
type ceremony struct {
	id       uuid.UUID
	Kind     CeremonyKind         `json:"kind"`
	User     UserID               `json:"user,omitempty"` // gets the passkey; "" for a new account or authentication
	Ends     time.Time            `json:"ends"`
	WebAuthn webauthn.SessionData `json:"webauthn"` // the library's state
	Name     string               `json:"name,omitempty"`
	Code     *CodeKey             `json:"code,omitempty"` // spent with the ceremony
}

// begin seals a ceremony that begins now and returns the options for the browser. Nothing is stored.
func (s *Service) begin(c ceremony, publicKey any) (Options, error) {
	options, err := json.Marshal(publicKey)
	if err != nil {
		return Options{}, fmt.Errorf("encode options: %w", err)
	}
	if c.id, err = uuid.NewRandomFromReader(s.config.Rand); err != nil {
		return Options{}, fmt.Errorf("read random bytes: %w", err)
	}
	c.Ends = s.now().Add(CeremonyLife)
	sealed, err := s.sealer.seal(c)
	if err != nil {
		return Options{}, fmt.Errorf("seal ceremony: %w", err)
	}
	return Options{Ceremony: sealed, PublicKey: options}, nil
}

// open returns a ceremony that must then be spent. It returns ErrCeremony, and leaves no trace in the store, for text
// that this service's replicas have not sealed and for a ceremony that has ended.
func (s *Service) open(sealed string) (ceremony, error) {
	c, err := s.sealer.open(sealed)
	if err != nil {
		return ceremony{}, err
	}
	if !s.now().Before(c.Ends) {
		return ceremony{}, fmt.Errorf("%w: ended at %s", ErrCeremony, c.Ends)
	}
	return c, nil
}

// check returns ErrCeremony if a spent ceremony is of another kind.
func (c ceremony) check(kind CeremonyKind) error {
	if c.Kind != kind {
		return fmt.Errorf("%w: kind is %s", ErrCeremony, c.Kind)
	}
	return nil
}

// take opens and spends a ceremony, whatever follows, and returns it if it is of that kind.
func (s *Service) take(ctx context.Context, sealed string, kind CeremonyKind) (ceremony, error) {
	c, err := s.open(sealed)
	if err != nil {
		return ceremony{}, err
	}
	if err := s.store.Spend(ctx, c.id.String(), c.Ends); err != nil {
		return ceremony{}, fmt.Errorf("spend ceremony: %w", err)
	}
	return c, c.check(kind)
}

// ceremonyFormat is the first byte of a sealed ceremony. It must be raised with every change of the sealing or of the
// type ceremony, and with every release of the WebAuthn library that changes SessionData: a ceremony begun by the
// version before then counts as ended.
const ceremonyFormat = 1

// ceremonySecret is the number of random bytes in the secret that ceremonies are sealed under.
const ceremonySecret = 32

// sealer encrypts and authenticates ceremonies, for one relying party at one origin.
//
// Anybody may request any number of ceremonies, so each has its own key, derived from the secret and the ceremony's
// random id: however many there are, no key is ever used with two nonces, or twice with one.
type sealer struct {
	secret []byte // shared by all replicas
	bound  []byte // additional data: the format, the relying party id and the server's own origin
}

func newSealer(secret []byte, rpID, origin string) sealer {
	return sealer{secret, []byte(string([]byte{ceremonyFormat}) + rpID + "\x00" + origin)}
}

// seal returns base64url of the format, the id and the ciphertext.
func (s sealer) seal(c ceremony) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return s.sealPlain(c.id, plain)
}

func (s sealer) sealPlain(id uuid.UUID, plain []byte) (string, error) {
	aead, err := s.cipher(id)
	if err != nil {
		return "", err
	}
	sealed := append([]byte{ceremonyFormat}, id[:]...)
	return encode(aead.Seal(sealed, make([]byte, aead.NonceSize()), plain, s.bound)), nil
}

// open returns the sealed ceremony, or ErrCeremony.
func (s sealer) open(text string) (ceremony, error) {
	sealed, err := decode(text)
	if err != nil || len(sealed) <= 1+len(uuid.UUID{}) || sealed[0] != ceremonyFormat {
		return ceremony{}, fmt.Errorf("%w: not a sealed ceremony of format %d", ErrCeremony, ceremonyFormat)
	}
	id, ciphertext := uuid.UUID(sealed[1:1+len(uuid.UUID{})]), sealed[1+len(uuid.UUID{}):]
	aead, err := s.cipher(id)
	if err != nil {
		return ceremony{}, fmt.Errorf("open ceremony: %w", err)
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), ciphertext, s.bound)
	if err != nil {
		return ceremony{}, fmt.Errorf("%w: not sealed here", ErrCeremony)
	}
	c := ceremony{id: id}
	if err := json.Unmarshal(plain, &c); err != nil {
		return ceremony{}, fmt.Errorf("%w: sealed by another version: %w", ErrCeremony, err)
	}
	return c, nil
}

// cipher returns AES-256-GCM under the key of one ceremony.
func (s sealer) cipher(id uuid.UUID) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.secret, id[:], "holdfast ceremony", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
