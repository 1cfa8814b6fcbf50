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
)

// Config is what the service needs to know. All members are required, but for TrialLength.
type Config struct {
	// Issuer is the server's origin, without a trailing slash. It is the audience too, and what a proof's htu begins
	// with.
	Issuer string
	// RPID is the WebAuthn relying party whose passkeys go into passkeys documents.
	RPID string
	// Keys are those to begin with; see [Service.TakeKeys].
	Keys Keys
	// OfflineWindow is the longest life of a document.
	OfflineWindow time.Duration
	// TrialLength is how long the self-service trial of TrialPlan lasts; 0 is no trial.
	TrialLength time.Duration
	TrialPlan   PlanID
	Now         func() time.Time
	Rand        io.Reader // cryptographically secure
}

// Service is the package's front door. It is safe for concurrent use.
type Service struct {
	config         Config
	store          Store
	nonces         *dpop.Nonces
	sealer         sealer
	documentSecret []byte
	status         statusLists
	watches        watches
	clock          atomic.Pointer[clockReading] // nil until the clock was checked

	taking sync.Mutex // held while keys are taken
	keys   atomic.Pointer[servedKeys]
}

// servedKeys never change: what one request does with keys, it does with the same ones.
type servedKeys struct {
	Keys
	jwks []byte
}

// New reads the secrets that all replicas share from the store, making them where there are none, takes the keys as
// [Service.TakeKeys] does, and publishes the status lists as they are; [Service.PublishStatusLists] keeps them so.
func New(ctx context.Context, config Config, store Store) (*Service, error) {
	if config.Issuer == "" || strings.HasSuffix(config.Issuer, "/") || config.RPID == "" || config.OfflineWindow < time.Minute ||
		config.Now == nil || config.Rand == nil || len(config.Keys.Keyset.Keys) == 0 {
		return nil, errors.New("entitlements: incomplete configuration")
	}
	s := &Service{config: config, store: store}
	s.config.Keys = Keys{} // those in use are in s.keys
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

// TakeKeys makes keys the ones that sign and are published from now on, on this replica. Their keyset must have been
// verified: see [LoadKeys]. That it is served is remembered in the store first, for good. Requests under way finish
// with the keys that they began with. It fails, and nothing changes, with [IssuerMismatch], with the error of
// [ServedKeyset.Follows] where this keyset may not follow what any replica has served, and with the store's own error.
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

// signer returns the key that signs at now, which must just have been read. It fails with [ErrClockOff], with
// [ErrKeysetEnded] and [ErrBeforeKeys], and where the key's private half is missing.
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

// JWKS is the signing keys as a JWK Set.
func (s *Service) JWKS() []byte { return s.keys.Load().jwks }

// Keyset is the signed keyset, a compact JWS.
func (s *Service) Keyset() string { return s.keys.Load().Compact }

// KeysetVersion is its version, KeysetEnd its end.
func (s *Service) KeysetVersion() int64 { return s.keys.Load().Keyset.Version }

// KeysetEnd is when no document can be given any more.
func (s *Service) KeysetEnd() time.Time { return s.keys.Load().Keyset.End() }

// OfflineWindow is the longest life of a document.
func (s *Service) OfflineWindow() time.Duration { return s.config.OfflineWindow }

// Account is everything that a decision about the user depends on now, in one snapshot. [ErrNotFound] without the user.
func (s *Service) Account(ctx context.Context, user UserID) (Account, error) {
	account, err := s.store.Account(ctx, user, s.instant())
	if err != nil {
		return Account{}, fmt.Errorf("account: %w", err)
	}
	return account, nil
}

// instant is now, as PostgreSQL keeps it: in microseconds.
func (s *Service) instant() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }
