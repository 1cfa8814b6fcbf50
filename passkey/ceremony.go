package passkey

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
)

// CeremonyLife is how long a ceremony can be finished.
const CeremonyLife = 5 * time.Minute

const (
	ceremonyID    = 16 // random bytes
	challengeSize = 32 // random bytes; at least 16 by §13.4.3, Cryptographic Challenges
)

// CeremonyKind tells what a ceremony is for. A ceremony is finished by its own kind only.
type CeremonyKind string

const (
	KindRegistration   CeremonyKind = "registration"
	KindAuthentication CeremonyKind = "authentication"
	KindEnrolment      CeremonyKind = "enrolment" // adds a passkey to the account that a one-time code opens
)

// Ceremony is what is kept of a ceremony between its two steps.
type Ceremony struct {
	ID        string
	Kind      CeremonyKind
	User      UserID // whose account a passkey is added to; "" where the account comes with it, and for authentication
	Data      []byte // opaque to the store
	ExpiresAt time.Time
}

// Options begin a ceremony in a browser.
type Options struct {
	Ceremony  string          // to be given back with the answer
	PublicKey json.RawMessage // what parseCreationOptionsFromJSON or parseRequestOptionsFromJSON takes
}

// ceremonyFormat is raised with every change of ceremonyData, and with every release of the WebAuthn library that
// changes SessionData: a ceremony begun by the version before then has simply ended.
const ceremonyFormat = 2

// ceremonyData is the content of Ceremony.Data.
type ceremonyData struct {
	Format   int                  `json:"format"`
	WebAuthn webauthn.SessionData `json:"webauthn"` // the library's, as a whole
	Name     string               `json:"name,omitempty"`
	Code     *CodeKey             `json:"code,omitempty"` // to be spent
}

// begin stores a ceremony and returns the options for the browser.
func (s *Service) begin(ctx context.Context, kind CeremonyKind, user UserID, data ceremonyData, publicKey any) (Options, error) {
	data.Format = ceremonyFormat
	blob, err := json.Marshal(data)
	if err != nil {
		return Options{}, fmt.Errorf("encode ceremony: %w", err)
	}
	options, err := json.Marshal(publicKey)
	if err != nil {
		return Options{}, fmt.Errorf("encode options: %w", err)
	}
	random, err := s.random(ceremonyID)
	if err != nil {
		return Options{}, err
	}
	now := s.now()
	ceremony := Ceremony{
		ID:        encode(random),
		Kind:      kind,
		User:      user,
		Data:      blob,
		ExpiresAt: now.Add(CeremonyLife),
	}
	if err := s.store.CreateCeremony(ctx, ceremony); err != nil {
		return Options{}, fmt.Errorf("store ceremony: %w", err)
	}
	return Options{Ceremony: ceremony.ID, PublicKey: options}, nil
}

// take spends a ceremony, whatever comes of it, and returns it if it is of that kind and has not ended.
func (s *Service) take(ctx context.Context, id string, kind CeremonyKind) (Ceremony, ceremonyData, error) {
	if b, err := decode(id); err != nil || len(b) != ceremonyID {
		return Ceremony{}, ceremonyData{}, ErrCeremony
	}
	ceremony, err := s.store.TakeCeremony(ctx, id)
	if err != nil {
		return Ceremony{}, ceremonyData{}, fmt.Errorf("take ceremony: %w", err)
	}
	if ceremony.Kind != kind {
		return Ceremony{}, ceremonyData{}, fmt.Errorf("%w: kind is %s", ErrCeremony, ceremony.Kind)
	}
	if !s.now().Before(ceremony.ExpiresAt) {
		return Ceremony{}, ceremonyData{}, fmt.Errorf("%w: ended at %s", ErrCeremony, ceremony.ExpiresAt)
	}
	data, err := decodeCeremony(ceremony.Data)
	if err != nil {
		return Ceremony{}, ceremonyData{}, err
	}
	return ceremony, data, nil
}

// decodeCeremony reads what begin wrote. Anything else is from another version of the program: ErrCeremony, since the
// client can begin again and nothing is broken.
func decodeCeremony(blob []byte) (ceremonyData, error) {
	var data ceremonyData
	decoder := json.NewDecoder(bytes.NewReader(blob))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		return ceremonyData{}, fmt.Errorf("%w: written by another version: %w", ErrCeremony, err)
	}
	if data.Format != ceremonyFormat {
		return ceremonyData{}, fmt.Errorf("%w: written in format %d", ErrCeremony, data.Format)
	}
	return data, nil
}
