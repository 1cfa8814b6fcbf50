package passkey

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// Causes of a rejection, for the log.
var (
	errUnknownCredential = errors.New("credential is unknown or of another user")
	errNotVerified       = errors.New("user was not verified")
	errCount             = fmt.Errorf("%w: sign count did not rise", ErrCloned)
	errEligibility       = fmt.Errorf("%w: backup eligibility changed", ErrCloned)
)

// suspicions maps the causes that come with a valid signature to their names in the audit trail: the passkey may have
// been copied, or its authenticator may not verify its user.
var suspicions = map[error]string{
	errNotVerified: "user_verification",
	errCount:       "sign_count",
	errEligibility: "backup_eligible",
}

func suspicious(why error) bool { return suspicions[why] != "" }

// BeginAuthentication begins the ceremony that signs in. It names no user and no credential: the authenticator offers
// its own passkeys.
func (s *Service) BeginAuthentication() (Options, error) {
	challenge, err := s.random(challengeSize)
	if err != nil {
		return Options{}, err
	}
	assertion, session, err := s.webauthn.BeginDiscoverableMediatedLogin(
		protocol.MediationDefault, webauthn.WithChallenge(challenge), webauthn.WithAssertionPublicKeyCredentialHints(hints))
	if err != nil {
		return Options{}, fmt.Errorf("begin authentication: %w", err)
	}
	return s.begin(ceremony{Kind: KindAuthentication, WebAuthn: *session}, assertion.Response)
}

// maxJudgements bounds how often a sign-in is judged again because a concurrent one used the same passkey.
const maxJudgements = 20

// FinishAuthentication signs in. The session that previous opens, if any, ends in the transaction that begins the new
// one. It returns ErrCeremony, or ErrCredentialRejected. A rejection of data that the passkey itself has signed is
// audited, and the user gets a notice at the next sign-in.
func (s *Service) FinishAuthentication(
	ctx context.Context, previous SessionToken, sealed string, answer Assertion, userAgent string,
) (SignedIn, error) {
	begun, err := s.open(sealed)
	if err != nil {
		return SignedIn{}, err
	}
	// The answer is parsed before the ceremony is spent, to know which passkey to look up, and verified afterwards.
	parsed, origin, unreadable := s.parseAssertion(answer)
	user, stored, err := s.spend(ctx, begun, parsed)
	if err != nil {
		return SignedIn{}, err
	}
	if err := begun.check(KindAuthentication); err != nil {
		return SignedIn{}, err
	}
	if unreadable != nil {
		return SignedIn{}, rejected(unreadable)
	}
	if err := s.verifyAssertion(stored, begun.WebAuthn, parsed); err != nil {
		return SignedIn{}, rejected(err)
	}
	now, said := s.now(), parsed.Response.AuthenticatorData
	use := CredentialUse{SignCount: said.Counter, BackupState: said.Flags.HasBackupState(), At: now}
	session, token, err := s.newSession(user, stored.ID, origin, userAgent, now)
	if err != nil {
		return SignedIn{}, err
	}
	for range maxJudgements {
		if err := judge(stored, said); suspicious(err) {
			return SignedIn{}, s.rejectSigned(ctx, stored, err, now)
		} else if err != nil {
			return SignedIn{}, rejected(err)
		}
		session.ToldFrom = &stored.CreatedAt
		if stored.LastUsedAt != nil {
			session.ToldFrom = stored.LastUsedAt
		}
		told, changed, err := s.store.SignIn(ctx, stored, use, keyOf(previous), session, maxNotices)
		if err != nil {
			return SignedIn{}, fmt.Errorf("sign in: %w", err)
		}
		if changed {
			if user, stored, err = s.store.Credential(ctx, s.config.RPID, stored.User, stored.ID); isNotFound(err) {
				return SignedIn{}, rejected(errUnknownCredential)
			} else if err != nil {
				return SignedIn{}, fmt.Errorf("read passkey: %w", err)
			}
			continue
		}
		notices, err := noticesOf(session.Session, told)
		if err != nil {
			return SignedIn{}, err
		}
		stored.BackupState, stored.LastUsedAt = use.BackupState, &now
		return SignedIn{User: user, Passkey: stored.Passkey(), Session: session.Session, Token: token, Notices: notices}, nil
	}
	return SignedIn{}, fmt.Errorf("sign in: %w", ErrContended)
}

// spend spends the ceremony and looks up the credential that the answer names under the user that it names. A missing
// one is returned as the zero Credential, not as an error: verification then does the same work as for a known one.
func (s *Service) spend(ctx context.Context, begun ceremony, parsed *protocol.ParsedCredentialAssertionData) (User, Credential, error) {
	owner, id := UserID(uuid.Nil.String()), []byte{} // no user's id
	if parsed != nil {
		if named, ok := userOf(parsed.Response.UserHandle); ok {
			owner, id = named, parsed.RawID
		}
	}
	user, credential, err := s.store.SpendOn(ctx, begun.id.String(), begun.Ends, s.config.RPID, owner, id)
	if isNotFound(err) {
		return User{}, Credential{}, nil
	}
	if err != nil {
		return User{}, Credential{}, fmt.Errorf("spend ceremony: %w", err)
	}
	return user, credential, nil
}

// verifyAssertion verifies an answer by itself. Its errors are causes of a rejection.
//
// Specification: §7.2, Verifying an Authentication Assertion. The library does the steps that are not named here.
func (s *Service) verifyAssertion(
	stored Credential, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData,
) error {
	known := stored.ID != nil
	credential := s.decoy
	if known {
		credential = webauthn.Credential{PublicKey: stored.PublicKey}
	}
	credential.ID = parsed.RawID
	// The library would refuse a changed backup eligibility with a generic error, and missing user verification before
	// it checks the signature. Both are judged afterwards, when the passkey's signature over them is known to be valid
	// and they deserve an audit entry.
	credential.Flags.BackupEligible = parsed.Response.AuthenticatorData.Flags.HasBackupEligible()
	session.UserVerification = protocol.VerificationPreferred

	// Step 6: the user handle names the owner of the credential; the lookup used both.
	owner := func(_, handle []byte) (webauthn.User, error) {
		return account{handle: bytes.Clone(handle), credentials: []webauthn.Credential{credential}}, nil
	}
	if _, _, err := s.webauthn.ValidatePasskeyLogin(owner, session, parsed); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if !known {
		return errUnknownCredential
	}
	return nil
}

// judge compares the data that a passkey has signed with the stored credential. Its errors are causes of a rejection,
// which only a valid signature can trigger.
//
// Specification: §7.2, steps 17, 19, 21 and 22
func judge(stored Credential, said protocol.AuthenticatorData) error {
	switch {
	case !said.Flags.HasUserVerified():
		return errNotVerified
	case said.Flags.HasAttestedCredentialData(): // §6.3.3: not in an assertion
		return errors.New("attested credential data in an assertion")
	case said.Flags.HasBackupEligible() != stored.BackupEligible: // it never changes
		return errEligibility
	case said.Counter <= stored.SignCount && (said.Counter != 0 || stored.SignCount != 0): // it must rise, if used
		return errCount
	}
	return nil
}

// rejectSigned records and returns the rejection of a validly signed assertion, for a suspicious cause. If recording
// fails, it returns that failure instead.
func (s *Service) rejectSigned(ctx context.Context, stored Credential, why error, now time.Time) error {
	entry, err := passkeyEntry(now, ActionRejected, stored.User, stored.ID).with(cause{suspicions[why]})
	if err != nil {
		return err
	}
	if err := s.store.Record(ctx, entry); err != nil {
		return fmt.Errorf("record rejected passkey: %w", err)
	}
	return rejected(why)
}

// newDecoy makes the credential for verifying answers that name an unknown one, so that both cases take equally long.
// Nobody has its private key, and even a signature by it would be rejected.
func newDecoy() (webauthn.Credential, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webauthn.Credential{}, fmt.Errorf("generate decoy key: %w", err)
	}
	point, err := key.PublicKey.Bytes() // 0x04 ‖ x ‖ y
	if err != nil {
		return webauthn.Credential{}, fmt.Errorf("encode decoy key: %w", err)
	}
	cose, err := webauthncbor.Marshal(webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{
			KeyType:   int64(webauthncose.EllipticKey),
			Algorithm: int64(webauthncose.AlgES256),
		},
		Curve:  int64(webauthncose.P256),
		XCoord: point[1:33],
		YCoord: point[33:],
	})
	if err != nil {
		return webauthn.Credential{}, fmt.Errorf("encode decoy key: %w", err)
	}
	return webauthn.Credential{PublicKey: cose}, nil
}
