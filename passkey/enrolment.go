package passkey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const enrolmentCode = 16 // random bytes

// Enrolment lets a user who has no passkey yet register one.
type Enrolment struct {
	Code      string // a secret, kept as a hash; good for one passkey
	ExpiresAt time.Time
}

// CreateUser makes an account, for a customer who exists elsewhere already, and a code to enrol with. An externalID
// of "" is none. It is audited as done by actor ("token:<uuid>" or "operator"). It returns ErrInvalidName, ErrInvalid
// for the external id, or ErrConflict if another user has it.
func (s *Service) CreateUser(ctx context.Context, actor, name, externalID string) (User, Enrolment, error) {
	name, err := cleanName(name)
	if err != nil {
		return User{}, Enrolment{}, err
	}
	if !isText(externalID) || utf8.RuneCountInString(externalID) > maxExternalID || strings.TrimSpace(externalID) != externalID {
		return User{}, Enrolment{}, fmt.Errorf(
			"%w external id: at most %d characters, without control characters or space around it", ErrInvalid, maxExternalID)
	}
	id, err := s.newID()
	if err != nil {
		return User{}, Enrolment{}, err
	}
	code, err := s.random(enrolmentCode)
	if err != nil {
		return User{}, Enrolment{}, err
	}
	now := s.now()
	user := User{ID: UserID(id), Name: name, ExternalID: externalID, CreatedAt: now}
	hash := sha256.Sum256(code)
	enrolment := NewEnrolment{CodeHash: hash[:], ExpiresAt: now.Add(s.config.EnrolmentLife)}
	entry := AuditEntry{At: now, Actor: actor, Action: "user.created", Object: "user:" + id, User: user.ID}
	if err := s.store.CreateUser(ctx, user, enrolment, entry); err != nil {
		return User{}, Enrolment{}, fmt.Errorf("create user: %w", err)
	}
	return user, Enrolment{Code: encode(code), ExpiresAt: enrolment.ExpiresAt}, nil
}

// BeginEnrolment begins the ceremony that adds a passkey to the account of the code. The code is not spent yet: a
// ceremony that fails can be begun anew. It returns ErrCeremony for a code that is unknown, spent or has ended, or
// ErrTooManyPasskeys.
func (s *Service) BeginEnrolment(ctx context.Context, code string) (Options, error) {
	secret, err := decode(code)
	if err != nil || len(secret) != enrolmentCode {
		return Options{}, ErrCeremony
	}
	hash := sha256.Sum256(secret)
	user, err := s.store.EnrolmentUser(ctx, hash[:], s.now())
	if isNotFound(err) {
		return Options{}, ErrCeremony
	}
	if err != nil {
		return Options{}, fmt.Errorf("read enrolment: %w", err)
	}
	return s.beginAddition(ctx, KindEnrolment, user, hash[:])
}

// FinishEnrolment stores the passkey, spends the code, ends the session that previous opens, if any, and signs in, all in
// one transaction. It returns ErrCeremony (also if the code was spent or has ended meanwhile), ErrCredentialRejected, or
// ErrTooManyPasskeys.
func (s *Service) FinishEnrolment(
	ctx context.Context, previous SessionToken, ceremony string, credential []byte, userAgent string,
) (SignedIn, error) {
	begun, data, err := s.take(ctx, ceremony, KindEnrolment)
	if err != nil {
		return SignedIn{}, err
	}
	user, err := s.store.User(ctx, begun.User)
	if isNotFound(err) {
		return SignedIn{}, ErrCeremony
	}
	if err != nil {
		return SignedIn{}, fmt.Errorf("read user: %w", err)
	}
	return s.create(ctx, user, data, credential, userAgent, func(made creation) error {
		return s.store.Enrol(ctx, made.credential, MaxPasskeys, data.CodeHash, keyOf(previous), made.session, made.entry)
	})
}
