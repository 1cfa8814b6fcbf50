package entitlements

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/vault"
)

// Config configures a [Service]. All members are required, except TrialLength, ExpiringLead and Vault.
type Config struct {
	// Issuer is the server's origin, without a trailing slash. It is also the audience, and the prefix of a proof's htu.
	Issuer string
	// RPID is the WebAuthn relying party whose passkeys the passkeys documents list.
	RPID string
	// Keys are the initial keys; [Service.TakeKeys] replaces them.
	Keys Keys
	// OfflineWindow is the longest life of a document.
	OfflineWindow time.Duration
	// TrialLength is how long the self-service trial of TrialPlan lasts; 0 offers no trial.
	TrialLength time.Duration
	TrialPlan   PlanID
	// ExpiringLead is how long before the end of its paid time a subscription is told as expiring; 0 for never.
	ExpiringLead time.Duration
	// ExternalIDs puts the user's external id into documents.
	ExternalIDs bool
	// Vault wraps content keys; nil if the server has no vault.
	Vault vault.Wrapper
	Now   func() time.Time
	Rand  io.Reader // cryptographically secure
}

// Service implements the package's operations. It is safe for concurrent use.
type Service struct {
	config         Config
	store          Store
	nonces         *dpop.Nonces
	sealer         sealer
	documentSecret []byte
	status         statusLists
	watches        watches
	overview       overviewCache
	clock          atomic.Pointer[clockReading] // nil until the first check

	taking sync.Mutex // held while keys are taken
	keys   atomic.Pointer[servedKeys]
}

// servedKeys is immutable, so that one request uses the same keys throughout.
type servedKeys struct {
	Keys
	jwks []byte
}

// New reads the secrets that all replicas share from the store and creates the missing ones. It takes the keys as
// [Service.TakeKeys] does, and publishes the current status lists; [Service.PublishStatusLists] keeps them current.
func New(ctx context.Context, config Config, store Store) (*Service, error) {
	if config.Issuer == "" || strings.HasSuffix(config.Issuer, "/") || config.RPID == "" || config.OfflineWindow < time.Minute ||
		config.Now == nil || config.Rand == nil || len(config.Keys.Keyset.Keys) == 0 {
		return nil, errors.New("entitlements: incomplete configuration")
	}
	s := &Service{config: config, store: store}
	s.config.Keys = Keys{} // s.keys holds the ones in use
	if err := s.TakeKeys(ctx, config.Keys); err != nil {
		return nil, err
	}
	var err error
	secrets := map[string][]byte{}
	for _, name := range []string{"nonce", "lineage", "document"} {
		candidate := make([]byte, 32)
		if _, err := io.ReadFull(config.Rand, candidate); err != nil {
			return nil, fmt.Errorf("entitlements: %w", err)
		}
		if secrets[name], err = store.Secret(ctx, name, candidate); err != nil {
			return nil, fmt.Errorf("entitlements: %w", err)
		}
	}
	if s.nonces, err = dpop.NewNonces(secrets["nonce"], config.Now, config.Rand); err != nil {
		return nil, fmt.Errorf("entitlements: %w", err)
	}
	s.sealer = sealer{secret: secrets["lineage"], rand: config.Rand}
	s.documentSecret = secrets["document"]
	if err := s.refreshStatusLists(ctx); err != nil {
		return nil, fmt.Errorf("entitlements: %w", err)
	}
	return s, nil
}

// TakeKeys makes this replica sign with keys and publish them from now on. Their keyset must have been verified: see
// [LoadKeys]. The store first records permanently that the keyset is served. Requests under way finish with the keys
// that they began with. TakeKeys fails, and changes nothing, with [IssuerMismatch], with the error of
// [ServedKeyset.Follows] if this keyset may not follow one that any replica has served, and with the store's own error.
func (s *Service) TakeKeys(ctx context.Context, keys Keys) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	if keys.Keyset.Issuer != s.config.Issuer {
		return fmt.Errorf("take keys: %w", IssuerMismatch)
	}
	jwks, err := keys.Keyset.jwks()
	if err != nil {
		return fmt.Errorf("take keys: %w", err)
	}
	if err := s.store.MarkKeyset(ctx, keys.Keyset.Served(), keys.Roots); err != nil {
		return fmt.Errorf("take keys: %w", err)
	}
	s.keys.Store(&servedKeys{Keys: keys, jwks: jwks})
	return nil
}

// signer returns the key that signs at now, which the caller must just have read. It fails with [ErrClockOff],
// [ErrKeysetEnded] or [ErrBeforeKeys], or if the key's private half is missing.
func (s *Service) signer(keys Keys, now time.Time) (SigningKey, error) {
	if err := s.ClockOff(); err != nil {
		return SigningKey{}, err
	}
	if !now.Before(keys.Keyset.End()) {
		return SigningKey{}, ErrKeysetEnded
	}
	key, ok := keys.Signer(now)
	if !ok {
		return SigningKey{}, keys.noSigner(now)
	}
	return key, nil
}

// JWKS returns the signing keys as a JWK Set.
func (s *Service) JWKS() []byte { return s.keys.Load().jwks }

// Keyset returns the signed keyset, a compact JWS.
func (s *Service) Keyset() string { return s.keys.Load().Compact }

// KeysetVersion returns the version of the keyset.
func (s *Service) KeysetVersion() int64 { return s.keys.Load().Keyset.Version }

// KeysetEnd returns the end of the keyset, from which on no document can be issued.
func (s *Service) KeysetEnd() time.Time { return s.keys.Load().Keyset.End() }

// OfflineWindow returns the longest life of a document.
func (s *Service) OfflineWindow() time.Duration { return s.config.OfflineWindow }

// Account returns, in one snapshot, everything that a decision about the user depends on now. It fails with
// [ErrNotFound] if the user does not exist.
func (s *Service) Account(ctx context.Context, user UserID) (Account, error) {
	account, err := s.store.Account(ctx, user, s.instant())
	if err != nil {
		return Account{}, fmt.Errorf("account: %w", err)
	}
	return account, nil
}

// instant returns the current time in PostgreSQL's precision: microseconds.
func (s *Service) instant() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }
