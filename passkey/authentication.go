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
)

// Causes of a rejection, for the log.
var (
	errUnknownCredential = errors.New("credential is unknown or of another user")
	errNotVerified       = errors.New("user was not verified")
	errCount             = fmt.Errorf("%w: sign count did not rise", ErrCloned)
	errEligibility       = fmt.Errorf("%w: backup eligibility changed", ErrCloned)
)

// suspicions are the causes that come with a good signature, under the names that the audit trail has for them: the
// passkey may have been copied, or be used by an authenticator that lets anybody at it.
var suspicions = map[error]string{
	errNotVerified: "user_verification",
	errCount:       "sign_count",
	errEligibility: "backup_eligible",
}

func suspicious(why error) bool { return suspicions[why] != "" }

// BeginAuthentication begins the ceremony that signs in. It names no user and no credential: the authenticator offers
// the passkeys that it has.
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

// FinishAuthentication signs in. The session that previous opens, if any, ends in the transaction that begins the new
// one. It returns ErrCeremony, or ErrCredentialRejected; a rejection of what the passkey itself has signed is audited, and
// the user is told of it at the next sign-in.
func (s *Service) FinishAuthentication(
	ctx context.Context, previous SessionToken, sealed string, credential []byte, userAgent string,
) (SignedIn, error) {
	begun, err := s.take(ctx, sealed, KindAuthentication)
	if err != nil {
		return SignedIn{}, err
	}
	parsed, origin, err := s.parseAssertion(credential)
	if err != nil {
		return SignedIn{}, rejected(err)
	}
	user, stored, err := s.find(ctx, parsed)
	if err != nil {
		return SignedIn{}, err
	}
	now := s.now()
	used, err := s.verifyAssertion(stored, begun.WebAuthn, parsed)
	if suspicious(err) {
		return SignedIn{}, s.rejectSigned(ctx, stored, err, now)
	}
	if err != nil {
		return SignedIn{}, rejected(err)
	}
	used.At = now

	session, token, err := s.newSession(user, stored.ID, origin, userAgent, now)
	if err != nil {
		return SignedIn{}, err
	}
	session.ToldFrom = &stored.CreatedAt
	if stored.LastUsedAt != nil {
		session.ToldFrom = stored.LastUsedAt
	}
	notices, err := s.Notices(ctx, session.Session) // before the sign-in, after which the passkey has been used
	if err != nil {
		return SignedIn{}, err
	}
	switch err := s.store.SignIn(ctx, used, keyOf(previous), session); {
	case errors.Is(err, ErrCloned): // another sign-in came in between: a passkey's backup eligibility never changes in the store
		return SignedIn{}, s.rejectSigned(ctx, stored, errCount, now)
	case errors.Is(err, ErrNotFound):
		return SignedIn{}, rejected(errUnknownCredential)
	case err != nil:
		return SignedIn{}, fmt.Errorf("sign in: %w", err)
	}
	stored.BackupState = used.BackupState
	stored.LastUsedAt = &now
	return SignedIn{User: user, Passkey: stored.Passkey(), Session: session.Session, Token: token, Notices: notices}, nil
}

// find looks up the credential that the answer names under the user that it names. What is not there is returned as
// the zero Credential, not as an error: verification then does the same work as for a known one.
func (s *Service) find(ctx context.Context, parsed *protocol.ParsedCredentialAssertionData) (User, Credential, error) {
	id, ok := userOf(parsed.Response.UserHandle)
	if !ok {
		return User{}, Credential{}, nil
	}
	user, credential, err := s.store.Credential(ctx, s.config.RPID, id, parsed.RawID)
	if isNotFound(err) {
		return User{}, Credential{}, nil
	}
	if err != nil {
		return User{}, Credential{}, fmt.Errorf("read passkey: %w", err)
	}
	return user, credential, nil
}

// verifyAssertion returns what a valid answer changes in the credential. Its errors are causes of a rejection; those that
// are suspicious only a valid signature brings about.
//
// Specification: §7.2, Verifying an Authentication Assertion. The library does the steps that are not named here.
func (s *Service) verifyAssertion(
	stored Credential, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData,
) (CredentialUse, error) {
	flags := parsed.Response.AuthenticatorData.Flags
	known := stored.ID != nil
	credential := s.decoy
	if known {
		credential = webauthn.Credential{PublicKey: stored.PublicKey}
		credential.Authenticator.SignCount = stored.SignCount
	}
	credential.ID = parsed.RawID
	// The library would refuse a changed backup eligibility with an error like any other. It is compared below
	// instead, where it is known that the passkey itself has signed it and that it is worth an audit entry.
	credential.Flags.BackupEligible = flags.HasBackupEligible()
	// So is user verification: the library would refuse its absence before it looks at the signature.
	session.UserVerification = protocol.VerificationPreferred

	// Step 6: the user handle names the owner of the credential; the lookup was by both.
	owner := func(_, handle []byte) (webauthn.User, error) {
		return account{handle: bytes.Clone(handle), credentials: []webauthn.Credential{credential}}, nil
	}
	_, verified, err := s.webauthn.ValidatePasskeyLogin(owner, session, parsed)
	if err != nil {
		return CredentialUse{}, fmt.Errorf("verify: %w", err)
	}
	if !known {
		return CredentialUse{}, errUnknownCredential
	}
	// Step 17: of this very assertion; the library's record of the credential remembers earlier ones.
	if !flags.HasUserVerified() {
		return CredentialUse{}, errNotVerified
	}
	// Step 21 verifies what §6.3.3 lets an authenticator sign: no attested credential data.
	if flags.HasAttestedCredentialData() {
		return CredentialUse{}, errors.New("attested credential data in an assertion")
	}
	// Step 19: backup eligibility is for life. Step 22: the count rises, or the authenticator keeps none.
	if flags.HasBackupEligible() != stored.BackupEligible {
		return CredentialUse{}, errEligibility
	}
	if verified.Authenticator.CloneWarning {
		return CredentialUse{}, errCount
	}
	return CredentialUse{
		RPID:           stored.RPID,
		User:           stored.User,
		ID:             stored.ID,
		SignCount:      parsed.Response.AuthenticatorData.Counter,
		BackupEligible: flags.HasBackupEligible(),
		BackupState:    flags.HasBackupState(),
	}, nil
}

// rejectSigned records and returns the rejection, for a suspicious cause, of what the passkey has signed. If it cannot be
// recorded, that failure is returned instead.
func (s *Service) rejectSigned(ctx context.Context, stored Credential, why error, now time.Time) error {
	entry, err := passkeyEntry(now, actionRejected, stored.User, stored.ID).with(cause{suspicions[why]})
	if err != nil {
		return err
	}
	if err := s.store.Record(ctx, entry); err != nil {
		return fmt.Errorf("record rejected passkey: %w", err)
	}
	return rejected(why)
}

// newDecoy makes the credential that answers naming an unknown one are verified against, so that both take equally
// long. Nobody has its private key, and even a signature by it would be rejected.
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
