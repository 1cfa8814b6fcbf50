package passkey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// SessionIdleLife is how long a session lasts after its last use.
const SessionIdleLife = 14 * 24 * time.Hour

const (
	sessionLife  = 90 * 24 * time.Hour // from authentication to the absolute end
	sessionTouch = time.Hour           // precision of the last use: it is written at most this often
	recentLife   = 10 * time.Minute    // how long an authentication counts as recent
	tokenSecret  = 32                  // random bytes in a session token
)

// Session is one signed-in browser. It ends 90 days after its authentication or 14 days after its last use.
type Session struct {
	ID     string // UUID; names the session in lists and grants no access
	User   User
	Role   Role   // of the user, as of when the session was read; "" = none, or Foreign
	Origin string // of the page whose ceremony began it, as signed by the authenticator; "" = unknown
	// Foreign marks a staff member's session at an origin other than the server's own: it gives no role and adds nothing
	// to the account.
	Foreign         bool
	UserAgent       string // in words ("Chrome on Windows"); "" = unknown
	AuthenticatedAt time.Time
	LastActiveAt    time.Time // true to the hour
	ExpiresAt       time.Time // absolute end; idleness may end it earlier
	Passkey         []byte    // credential id of the passkey that opened it; nil = unknown
	// ToldFrom is the previous use of the passkey: notices report the events since then. Nil: no notices.
	ToldFrom *time.Time
}

// Recent reports whether the session's authentication is younger than 10 minutes. Operations that take something from
// the user or add a way in require that; the API's table of routes names them.
func (s Session) Recent(now time.Time) bool {
	return now.Sub(s.AuthenticatedAt) < recentLife
}

// MayAdd returns ErrForeignOrigin if this session must not add a passkey, recovery codes or a device to the account.
func (s Session) MayAdd() error {
	if s.Foreign {
		return ErrForeignOrigin
	}
	return nil
}

// confined returns the session, without its role if it began at an origin other than the server's own.
func (s *Service) confined(session Session) Session {
	if session.Role != "" && session.Origin != s.config.Origin {
		session.Role, session.Foreign = "", true
	}
	return session
}

// SessionToken opens a session: base64url of the user's 16 bytes and 32 random ones. It is a secret, stored as a hash.
type SessionToken string

// NewSession is a session to store, with the hash of the token that opens it.
type NewSession struct {
	Session
	TokenHash []byte
}

// TokenKey locates the session of a token in the store.
type TokenKey struct {
	User UserID
	Hash []byte // SHA-256 of the token's bytes
}

// key parses a token; ok is false for text that cannot be a token.
func (t SessionToken) key() (key TokenKey, ok bool) {
	b, err := decode(string(t))
	if err != nil || len(b) != 16+tokenSecret {
		return TokenKey{}, false
	}
	user, _ := userOf(b[:16])
	hash := sha256.Sum256(b)
	return TokenKey{User: user, Hash: hash[:]}, true
}

// keyOf returns the key of the token's session; nil if no session can have it.
func keyOf(token SessionToken) *TokenKey {
	if key, ok := token.key(); ok {
		return &key
	}
	return nil
}

// newSession makes a session that begins now, opened by that passkey at that origin, and its token.
func (s *Service) newSession(user User, passkey []byte, origin, userAgent string, now time.Time) (NewSession, SessionToken, error) {
	id, err := s.newID()
	if err != nil {
		return NewSession{}, "", err
	}
	secret, err := s.random(tokenSecret)
	if err != nil {
		return NewSession{}, "", err
	}
	token := append(user.ID.handle(), secret...)
	hash := sha256.Sum256(token)
	session := Session{
		ID:              id,
		User:            user,
		Origin:          origin,
		UserAgent:       describeUserAgent(userAgent),
		AuthenticatedAt: now,
		LastActiveAt:    now,
		ExpiresAt:       now.Add(sessionLife),
		Passkey:         passkey,
	}
	return NewSession{Session: session, TokenHash: hash[:]}, SessionToken(encode(token)), nil
}

// Session returns the live session that the token opens and records its use, or returns ErrUnauthenticated.
func (s *Service) Session(ctx context.Context, token SessionToken) (Session, error) {
	key, ok := token.key()
	if !ok {
		return Session{}, ErrUnauthenticated
	}
	now := s.now()
	session, err := s.store.UseSession(ctx, key, SessionUse{
		At:         now,
		IdleSince:  now.Add(-SessionIdleLife),
		TouchSince: now.Add(-sessionTouch),
	})
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	if !session.LastActiveAt.After(now.Add(-sessionTouch)) {
		session.LastActiveAt = now // as stored
	}
	return s.confined(session), nil
}

// end returns when the session ends if it is not used again.
func (s Session) end() time.Time {
	if idle := s.LastActiveAt.Add(SessionIdleLife); idle.Before(s.ExpiresAt) {
		return idle
	}
	return s.ExpiresAt
}

// Sessions lists the user's live sessions, most recently used first.
func (s *Service) Sessions(ctx context.Context, user UserID) ([]Session, error) {
	if !isID(string(user)) {
		return nil, nil
	}
	now := s.now()
	sessions, err := s.store.Sessions(ctx, user, now, now.Add(-SessionIdleLife))
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return sessions, nil
}

// EndSession ends one of the user's sessions, or returns ErrNotFound.
func (s *Service) EndSession(ctx context.Context, user UserID, id string) error {
	if !isID(string(user)) || !isID(id) {
		return ErrNotFound
	}
	if err := s.store.EndSession(ctx, user, id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndOtherSessions ends all sessions of the session's user except this one.
func (s *Service) EndOtherSessions(ctx context.Context, session Session) error {
	if err := s.store.EndOtherSessions(ctx, session.User.ID, session.ID); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// SignOutUser ends all sessions of a user. It is audited. It returns ErrNotFound, ErrStaffAccount unless the agent is an
// admin, or ErrInvalid for the reason.
func (s *Service) SignOutUser(ctx context.Context, agent Agent, user UserID) error {
	if !isID(string(user)) {
		return ErrNotFound
	}
	if err := agent.check(); err != nil {
		return err
	}
	if err := s.store.SignOutUser(ctx, user, agent.mayChange, agent.entry(s.now(), "user.signed_out", user)); err != nil {
		return fmt.Errorf("sign out user: %w", err)
	}
	return nil
}

// SignOut ends the session. Ending it again is no error.
func (s *Service) SignOut(ctx context.Context, session Session) error {
	err := s.EndSession(ctx, session.User.ID, session.ID)
	if isNotFound(err) {
		return nil
	}
	return err
}
