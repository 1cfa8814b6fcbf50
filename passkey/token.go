package passkey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// Scope is a permission of a bearer token.
type Scope string

const (
	SupportRead  Scope = "support:read"
	SupportWrite Scope = "support:write"
	BillingWrite Scope = "billing:write"
	Admin        Scope = "admin" // everything
)

// Scopes returns all scopes.
func Scopes() []Scope { return []Scope{SupportRead, SupportWrite, BillingWrite, Admin} }

// secretPrefix lets scanners for leaked secrets recognise one.
const secretPrefix = "holdfast_"

// Token is a bearer token of the admin API, without its secret.
type Token struct {
	ID        string // UUID
	Name      string
	Scopes    []Scope
	CreatedAt time.Time
	ExpiresAt *time.Time // nil: no end
	RevokedAt *time.Time // nil: not revoked
}

// Allows reports whether the token includes the scope.
func (t Token) Allows(scope Scope) bool {
	return slices.Contains(t.Scopes, scope) || slices.Contains(t.Scopes, Admin)
}

// CreateToken makes a token that is valid for life, or without end if life is 0, and returns its secret: only this once,
// because only a hash is stored. It is audited with actor. It returns ErrInvalidName, or ErrInvalid for invalid scopes
// or an invalid life.
func (s *Service) CreateToken(ctx context.Context, actor, name string, scopes []Scope, life time.Duration) (Token, string, error) {
	name, err := cleanName(name)
	if err != nil {
		return Token{}, "", err
	}
	if life < 0 {
		return Token{}, "", fmt.Errorf("%w life: must not be negative", ErrInvalid)
	}
	if len(scopes) == 0 {
		return Token{}, "", fmt.Errorf("%w scopes: at least one of %q", ErrInvalid, Scopes())
	}
	for _, scope := range scopes {
		if !slices.Contains(Scopes(), scope) {
			return Token{}, "", fmt.Errorf("%w scope: must be one of %q", ErrInvalid, Scopes())
		}
	}
	id, err := s.newID()
	if err != nil {
		return Token{}, "", err
	}
	random, err := s.random(tokenSecret)
	if err != nil {
		return Token{}, "", err
	}
	secret := secretPrefix + encode(random)
	now := s.now()
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	token := Token{ID: id, Name: name, Scopes: slices.Compact(scopes), CreatedAt: now}
	if life > 0 {
		end := now.Add(life)
		token.ExpiresAt = &end
	}
	entry, err := AuditEntry{At: now, Actor: actor, Action: "token.created", Object: "token:" + id}.with(struct {
		Scopes    []Scope    `json:"scopes"`
		ExpiresAt *time.Time `json:"expires_at"`
	}{token.Scopes, token.ExpiresAt})
	if err != nil {
		return Token{}, "", err
	}
	if err := s.store.CreateToken(ctx, token, hashSecret(secret), entry); err != nil {
		return Token{}, "", fmt.Errorf("create token: %w", err)
	}
	return token, secret, nil
}

// Tokens lists all tokens, including revoked and ended ones, oldest first.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) {
	tokens, err := s.store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return tokens, nil
}

// RevokeToken permanently revokes a token, or returns ErrNotFound. It is audited with actor. Revoking it again changes
// nothing.
func (s *Service) RevokeToken(ctx context.Context, actor, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	entry := AuditEntry{At: s.now(), Actor: actor, Action: "token.revoked", Object: "token:" + id}
	if err := s.store.RevokeToken(ctx, id, entry); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// Token returns the token of the secret, or ErrUnauthenticated if there is none, it is revoked or has ended.
func (s *Service) Token(ctx context.Context, secret string) (Token, error) {
	token, err := s.store.Token(ctx, hashSecret(secret), s.now())
	if err != nil {
		return Token{}, fmt.Errorf("read token: %w", err)
	}
	return token, nil
}

// hashSecret returns the stored hash of a secret. The secret has 256 random bits, so a slow hash would gain nothing.
func hashSecret(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}
