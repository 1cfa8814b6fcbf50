package passkey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// Config configures a [Service].
type Config struct {
	// RPID is the WebAuthn relying party id: a host name. Passkeys are bound to it permanently.
	RPID string
	// RPName is the service's name, as authenticators show it.
	RPName string
	// Origin is the server's own web origin ("https://app.example.org"). Only a ceremony at it begins a session that
	// gives staff their role, and only there is a passkey added to their accounts.
	Origin string
	// AllowOrigins are further origins whose ceremonies are accepted. Optional.
	AllowOrigins []string
	// InviteOnly refuses registrations without an enrolment link.
	InviteOnly bool
	// HashMemory is the memory, in KiB, for the slow hash of a recovery code's secret. Zero means 19 MiB. It applies to
	// new hashes; stored ones carry their own parameters.
	HashMemory uint32
	// Now is the clock.
	Now func() time.Time
	// Rand is the source of ids, challenges, tokens and codes; it must be cryptographically secure. Nil means
	// crypto/rand.
	Rand io.Reader
}

// Service holds the rules. It is safe for concurrent use. Its only state is the watches of sessions, the queue of slow
// hashes and the users whose codes are being made: any number of Services may use one Store.
type Service struct {
	config   Config
	store    Store
	webauthn *webauthn.WebAuthn
	decoy    webauthn.Credential
	sealer   sealer
	watches  sessionWatches
	hashes   slowHashes
	making   sync.Map // UserID: whose recovery codes are being made
}

// New returns a Service, or an error that names the missing or invalid member of config. It reads the secret that all
// replicas share from the store, and creates it if it does not exist.
func New(ctx context.Context, config Config, store Store) (*Service, error) {
	if config.RPID == "" {
		return nil, errors.New("passkey: RPID is missing")
	}
	if config.RPName == "" {
		return nil, errors.New("passkey: RPName is missing")
	}
	if config.Origin == "" {
		return nil, errors.New("passkey: Origin is missing")
	}
	if config.Now == nil {
		return nil, errors.New("passkey: Now is missing")
	}
	if config.HashMemory == 0 {
		config.HashMemory = argonMemory
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	timeout := webauthn.TimeoutConfig{Enforce: true, Timeout: CeremonyLife, TimeoutUVD: CeremonyLife}
	relyingParty, err := webauthn.New(&webauthn.Config{
		RPID:                  config.RPID,
		RPDisplayName:         config.RPName,
		RPOrigins:             append([]string{config.Origin}, config.AllowOrigins...),
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Browsers answer extensions that nobody requested (Safari: appid), and nothing here depends on the answers.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	decoy, err := newDecoy()
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	hashes, err := newSlowHashes(config.HashMemory, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	s := &Service{config: config, store: store, webauthn: relyingParty, decoy: decoy, hashes: hashes}
	candidate, err := s.random(ceremonySecret)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	secret, err := store.Secret(ctx, "ceremony", candidate)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	s.sealer = newSealer(secret, config.RPID, config.Origin)
	return s, nil
}

// now returns the time in PostgreSQL's precision, so that returned values equal those read back.
func (s *Service) now() time.Time {
	return s.config.Now().UTC().Truncate(time.Microsecond)
}

// random returns n random bytes.
func (s *Service) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.config.Rand, b); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return b, nil
}

// newID returns a random (version 4) UUID in its canonical text form.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.config.Rand)
	if err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return id.String(), nil
}

// isID reports whether s is a UUID in its canonical text form, the only form in which ids are stored and compared.
func isID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}
