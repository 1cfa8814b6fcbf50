package passkey

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	recoveryCodes  = 10 // in a set
	lookupLength   = 8  // characters of a recovery code that locate it
	recoveryRandom = 15 // random bytes in a code: 8 characters to look up and 16 secret ones
	linkRandom     = 16 // random bytes in a link's code

	linkLife = 15 * time.Minute // unless it was imported
)

// recoveryAlphabet is Crockford's base 32: none of its letters can be mistaken for a digit when a code is read from
// paper.
//
// Source: https://www.crockford.com/base32.html
var recoveryAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// CodeKind is the kind of a one-time code, and determines what its use does besides adding a passkey to its account.
type CodeKind string

const (
	EnrolmentLink CodeKind = "enrolment"     // from support, for a customer who has no passkey yet
	RecoveryLink  CodeKind = "recovery"      // from support, for a user who has lost all passkeys
	RecoveryCode  CodeKind = "recovery_code" // one of the user's own set
)

// CodeKey locates a one-time code in the store.
type CodeKey struct {
	Kind   CodeKind `json:"kind"`
	Hash   []byte   `json:"hash,omitempty"`   // SHA-256 of a link's code
	Lookup string   `json:"lookup,omitempty"` // of a recovery code
}

// Recovers reports whether the code recovers the account: all sessions end, and the user gets a notice.
func (k CodeKey) Recovers() bool { return k.Kind != EnrolmentLink }

// Link is a one-time code that support gives to a user.
type Link struct {
	Kind      CodeKind
	Code      string // a secret, stored as a hash; valid for one passkey
	ExpiresAt time.Time
	Role      Role // of the account that it opens
}

// RecoveryCodes counts the remaining codes of the user's set.
type RecoveryCodes struct {
	Left      int
	CreatedAt *time.Time // nil: no codes
}

// RecoveryCodes returns the state of the user's recovery codes.
func (s *Service) RecoveryCodes(ctx context.Context, user UserID) (RecoveryCodes, error) {
	codes, err := s.store.RecoveryCodes(ctx, user)
	if err != nil {
		return RecoveryCodes{}, fmt.Errorf("read recovery codes: %w", err)
	}
	return codes, nil
}

// CreateRecoveryCodes makes a new set for the session's user, which replaces the old one, and returns it: only this
// once, because only slow hashes are stored. It is audited. It returns ErrForeignOrigin, ErrBusy while another set is
// being made for the user, or ErrUnauthenticated if the session has ended meanwhile, because hashing takes a while.
func (s *Service) CreateRecoveryCodes(ctx context.Context, session Session) ([]string, error) {
	now := s.now()
	if err := session.MayAdd(); err != nil {
		return nil, err
	}
	user := session.User.ID
	if _, busy := s.making.LoadOrStore(user, nil); busy {
		return nil, ErrBusy
	}
	defer s.making.Delete(user)
	entry := AuditEntry{At: now, Actor: "user:" + string(user), Action: "recovery_codes.created", Object: "user:" + string(user), User: user}
	for attempt := 1; ; attempt++ {
		codes, stored := make([]string, recoveryCodes), make([]NewRecoveryCode, recoveryCodes)
		for i := range codes {
			random, err := s.random(recoveryRandom)
			if err != nil {
				return nil, err
			}
			code := recoveryAlphabet.EncodeToString(random)
			hash, err := s.hashes.make(ctx, s.config.Rand, code[lookupLength:])
			if err != nil {
				return nil, err
			}
			codes[i], stored[i] = forPaper(code), NewRecoveryCode{Lookup: code[:lookupLength], SecretHash: hash}
		}
		err := s.store.ReplaceRecoveryCodes(ctx, user, stored, session.ID, entry)
		if errors.Is(err, ErrConflict) && attempt < 3 { // 40 bits: with many millions of codes, collisions occur
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("store recovery codes: %w", err)
		}
		return codes, nil
	}
}

// forPaper breaks a code into groups that can be read aloud.
func forPaper(code string) string {
	const group = 4
	var groups []string
	for ; len(code) > 0; code = code[group:] {
		groups = append(groups, code[:group])
	}
	return strings.Join(groups, "-")
}

// parseRecoveryCode accepts a code as people type it: in either case, with or without the hyphens, with letters for the
// digits that they look like. ok is false for text that cannot be a code.
func parseRecoveryCode(typed string) (lookup, secret string, ok bool) {
	code := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if random, err := recoveryAlphabet.DecodeString(code); err != nil || recoveryAlphabet.EncodeToString(random) != code ||
		len(random) != recoveryRandom {
		return "", "", false
	}
	return code[:lookupLength], code[lookupLength:], true
}

// CodeLookup returns the part of a recovery code that locates it, by which wrong secrets can be counted; "" for other
// text. It does not reveal whether such a code exists.
func CodeLookup(code string) string {
	lookup, _, _ := parseRecoveryCode(code)
	return lookup
}

// CreateRecoveryLink makes a link by which the user, who has lost every passkey, registers a new one within 15 minutes.
// It replaces an earlier link. It is audited. It returns ErrNotFound, ErrStaffAccount unless the agent is an admin, or
// ErrInvalid for the reason.
func (s *Service) CreateRecoveryLink(ctx context.Context, agent Agent, user UserID) (Link, error) {
	if !isID(string(user)) {
		return Link{}, ErrNotFound
	}
	if err := agent.check(); err != nil {
		return Link{}, err
	}
	now := s.now()
	link, stored, err := s.newLink(RecoveryLink, now, linkLife)
	if err != nil {
		return Link{}, err
	}
	link.Role, err = s.store.CreateRecoveryLink(ctx, user, agent.mayChange, stored, agent.entry(now, "recovery_link.created", user))
	if err != nil {
		return Link{}, fmt.Errorf("create recovery link: %w", err)
	}
	return link, nil
}

// newLink makes a link that is valid from now for that long, and its stored form.
func (s *Service) newLink(kind CodeKind, now time.Time, life time.Duration) (Link, NewLink, error) {
	code, err := s.random(linkRandom)
	if err != nil {
		return Link{}, NewLink{}, err
	}
	hash := sha256.Sum256(code)
	end := now.Add(life)
	return Link{Kind: kind, Code: encode(code), ExpiresAt: end}, NewLink{Kind: kind, CodeHash: hash[:], ExpiresAt: end}, nil
}

// BeginRecovery begins the ceremony that adds a passkey to the account of a code: a recovery code, or that of a link.
// The ceremony can do nothing else, and there is no session until it is finished. The code is not spent yet: after a
// failed ceremony, another can begin. It returns ErrCeremony for a code that is wrong, spent or has ended, or
// ErrTooManyPasskeys, but only for an enrolment link, because a user who has lost all passkeys could not delete one.
func (s *Service) BeginRecovery(ctx context.Context, code string) (Options, error) {
	user, key, err := s.opens(ctx, code)
	if isNotFound(err) {
		return Options{}, ErrCeremony
	}
	if err != nil {
		return Options{}, fmt.Errorf("read code: %w", err)
	}
	return s.beginAddition(ctx, KindEnrolment, user, &key)
}

// opens returns the user whose account a code opens, or ErrNotFound.
func (s *Service) opens(ctx context.Context, code string) (User, CodeKey, error) {
	if random, err := decode(code); err == nil && len(random) == linkRandom {
		hash := sha256.Sum256(random)
		user, kind, err := s.store.Link(ctx, hash[:], s.now())
		return user, CodeKey{Kind: kind, Hash: hash[:]}, err
	}
	lookup, secret, ok := parseRecoveryCode(code)
	if !ok {
		return User{}, CodeKey{}, ErrNotFound
	}
	// Every attempt computes one hash, even if no code has the lookup, so that the response time reveals nothing.
	user, hash, err := s.store.RecoveryCode(ctx, lookup)
	if isNotFound(err) {
		hash = s.hashes.decoy
	} else if err != nil {
		return User{}, CodeKey{}, err
	}
	matches, hashing := s.hashes.matches(ctx, hash, secret)
	switch {
	case hashing != nil:
		return User{}, CodeKey{}, hashing
	case err != nil || !matches:
		return User{}, CodeKey{}, ErrNotFound
	}
	return user, CodeKey{Kind: RecoveryCode, Lookup: lookup}, nil
}

// FinishRecovery stores the passkey, spends the code, ends the session that previous opens, if any, and signs in, all in
// one transaction. If the code recovers the account, all its other sessions and links end as well, and the user gets a
// notice at the next sign-in. This session gets all earlier recoveries and rejections at once, because the passkeys
// whose sign-ins would have reported them may be gone. It returns ErrCeremony (also if the code was spent, replaced or
// has ended meanwhile), ErrCredentialRejected, or ErrTooManyPasskeys.
func (s *Service) FinishRecovery(
	ctx context.Context, previous SessionToken, sealed string, credential []byte, userAgent string,
) (SignedIn, error) {
	begun, err := s.take(ctx, sealed, KindEnrolment)
	if err != nil {
		return SignedIn{}, err
	}
	if begun.Code == nil {
		return SignedIn{}, fmt.Errorf("%w: no code", ErrCeremony)
	}
	user, err := s.store.User(ctx, begun.User)
	if isNotFound(err) {
		return SignedIn{}, ErrCeremony
	}
	if err != nil {
		return SignedIn{}, fmt.Errorf("read user: %w", err)
	}
	return s.create(ctx, user, begun, credential, userAgent, func(made *creation) error {
		entries := []AuditEntry{made.entry}
		if begun.Code.Recovers() {
			made.session.ToldFrom = &user.CreatedAt
			if made.notices, err = s.Notices(ctx, made.session.Session); err != nil {
				return err
			}
			recovered, err := passkeyEntry(made.entry.At, ActionRecovered, user.ID, made.credential.ID).with(cause{string(begun.Code.Kind)})
			if err != nil {
				return err
			}
			entries = append(entries, recovered)
		}
		return s.store.Recover(ctx, made.credential, MaxPasskeys, *begun.Code, keyOf(previous), made.session, entries)
	})
}
