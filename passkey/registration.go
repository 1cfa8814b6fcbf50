package passkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// algorithms are those that a browser can verify offline with WebCrypto, the preferred one first.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES384},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES512},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// hints tell the browser what to offer first: a passkey of this device, then one of a nearby phone. They exclude
// nothing.
//
// Specification: §5.8.7, User-agent Hints Enumeration
var hints = []protocol.PublicKeyCredentialHints{
	protocol.PublicKeyCredentialHintClientDevice, protocol.PublicKeyCredentialHintHybrid,
}

// SignedIn is the result of a finished ceremony.
type SignedIn struct {
	User    User
	Passkey Passkey
	Session Session
	Token   SessionToken // goes to the browser, once
	Notices []Notice     // the user's notices, newest first
}

// BeginRegistration begins the ceremony that creates an account. It returns ErrInvalidName, or ErrInviteOnly.
func (s *Service) BeginRegistration(name string) (Options, error) {
	if s.config.InviteOnly {
		return Options{}, ErrInviteOnly
	}
	name, err := cleanName(name)
	if err != nil {
		return Options{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Options{}, err
	}
	user := User{ID: UserID(id), Name: name}
	return s.beginCreation(ceremony{Kind: KindRegistration}, user, nil)
}

// BeginPasskey begins the ceremony that adds a passkey to the session's user. It returns ErrForeignOrigin, or
// ErrTooManyPasskeys.
func (s *Service) BeginPasskey(ctx context.Context, session Session) (Options, error) {
	if err := session.MayAdd(); err != nil {
		return Options{}, err
	}
	return s.beginAddition(ctx, KindRegistration, session.User, nil)
}

// beginAddition begins a ceremony that adds a passkey to an existing account.
func (s *Service) beginAddition(ctx context.Context, kind CeremonyKind, user User, code *CodeKey) (Options, error) {
	credentials, err := s.store.Credentials(ctx, s.config.RPID, user.ID)
	if err != nil {
		return Options{}, fmt.Errorf("read passkeys: %w", err)
	}
	// Finishing checks again, atomically. This check spares the user a passkey that could not be stored.
	if len(credentials) >= MaxPasskeys && (code == nil || !code.Recovers()) {
		return Options{}, ErrTooManyPasskeys
	}
	exclusions := make([]protocol.CredentialDescriptor, len(credentials))
	for i, credential := range credentials {
		exclusions[i] = credential.descriptor()
	}
	return s.beginCreation(ceremony{Kind: kind, User: user.ID, Code: code}, user, exclusions)
}

// beginCreation begins the ceremony c, which creates a credential for user.
func (s *Service) beginCreation(c ceremony, user User, exclusions []protocol.CredentialDescriptor) (Options, error) {
	challenge, err := s.random(challengeSize)
	if err != nil {
		return Options{}, err
	}
	creation, session, err := s.webauthn.BeginMediatedRegistration(
		account{handle: user.ID.handle(), name: user.Name},
		protocol.MediationDefault,
		withCreationChallenge(challenge),
		webauthn.WithCredentialParameters(algorithms),
		webauthn.WithPublicKeyCredentialHints(hints),
		webauthn.WithExclusions(exclusions),
		// Firefox on Android keeps a discoverable credential only if credProps is requested. prf without input asks
		// whether the authenticator supports it, and makes those that must decide at creation enable it.
		webauthn.WithExtensions(webauthn.WithExtensionCredProps(), webauthn.WithExtensionPRFSupport()),
	)
	if err != nil {
		return Options{}, fmt.Errorf("begin registration: %w", err)
	}
	// The library derives it from the first hint, for browsers that do not know hints: there, it would exclude phones
	// and security keys.
	creation.Response.AuthenticatorSelection.AuthenticatorAttachment = ""
	c.WebAuthn, c.Name = *session, user.Name
	return s.begin(c, creation.Response)
}

func withCreationChallenge(challenge []byte) webauthn.RegistrationOption {
	return func(options *protocol.PublicKeyCredentialCreationOptions) error {
		options.Challenge = challenge
		return nil
	}
}

// FinishRegistration finishes a ceremony of BeginRegistration (session is nil) or BeginPasskey (session is the live one;
// it ends and a new one takes its place). It returns ErrForeignOrigin; ErrCeremony, also for a ceremony begun by another
// user, or begun signed in and finished signed out, or the reverse; ErrCredentialRejected; ErrTooManyPasskeys; and
// ErrUnauthenticated if the session has been ended meanwhile.
func (s *Service) FinishRegistration(
	ctx context.Context, session *Session, sealed string, credential []byte, userAgent string,
) (SignedIn, error) {
	begun, err := s.take(ctx, sealed, KindRegistration)
	if err != nil {
		return SignedIn{}, err
	}
	if session != nil {
		if begun.User != session.User.ID {
			return SignedIn{}, fmt.Errorf("%w: begun by another user", ErrCeremony)
		}
		if err := session.MayAdd(); err != nil {
			return SignedIn{}, err
		}
		return s.create(ctx, session.User, begun, credential, userAgent, func(made *creation) error {
			return s.store.AddPasskey(ctx, made.credential, MaxPasskeys, session.ID, made.session, made.entry)
		})
	}
	if begun.User != "" {
		return SignedIn{}, fmt.Errorf("%w: begun by a user who is not signed in", ErrCeremony)
	}
	if s.config.InviteOnly {
		return SignedIn{}, ErrInviteOnly
	}
	id, ok := userOf(begun.WebAuthn.UserID)
	if !ok {
		return SignedIn{}, fmt.Errorf("%w: no user id", ErrCeremony)
	}
	user := User{ID: id, Name: begun.Name, CreatedAt: s.now()}
	return s.create(ctx, user, begun, credential, userAgent, func(made *creation) error {
		return s.store.Register(ctx, user, made.credential, made.session, made.entry)
	})
}

// creation holds what a verified registration stores, and the user's notices.
type creation struct {
	credential Credential
	session    NewSession
	entry      AuditEntry
	notices    []Notice
}

// create verifies the authenticator's answer and calls store, which may add to the result, to store it. It refuses
// passkeys of staff that were made at an origin other than the server's own.
func (s *Service) create(
	ctx context.Context, user User, begun ceremony, answer []byte, userAgent string, store func(*creation) error,
) (SignedIn, error) {
	now := s.now()
	credential, origin, err := s.verifyCreation(user.ID, begun.WebAuthn, answer, now)
	if err != nil {
		return SignedIn{}, rejected(err)
	}
	if origin != s.config.Origin {
		role, err := s.store.RoleOf(ctx, user.ID)
		if err != nil {
			return SignedIn{}, fmt.Errorf("read role: %w", err)
		}
		if role != "" {
			return SignedIn{}, ErrForeignOrigin
		}
	}
	session, token, err := s.newSession(user, credential.ID, origin, userAgent, now)
	if err != nil {
		return SignedIn{}, err
	}
	entry, err := passkeyEntry(now, "passkey.added", user.ID, credential.ID).with(struct {
		AAGUID uuid.UUID `json:"aaguid"`
		Synced bool      `json:"synced"`
	}{credential.AAGUID, credential.BackupState})
	if err != nil {
		return SignedIn{}, err
	}
	made := creation{credential: credential, session: session, entry: entry}
	if err := store(&made); err != nil {
		if errors.Is(err, ErrCredentialTaken) {
			return SignedIn{}, rejected(err)
		}
		return SignedIn{}, fmt.Errorf("store passkey: %w", err)
	}
	return SignedIn{User: user, Passkey: credential.Passkey(), Session: made.session.Session, Token: token, Notices: made.notices}, nil
}

// verifyCreation turns a valid answer into the credential to store and the origin of its page. Its errors are causes of
// a rejection.
//
// Specification: §7.1, Registering a New Credential. The library does the steps that are not named here; the ceremony
// holds what it compares with: challenge, origins, RP ID, algorithms, user presence and verification.
func (s *Service) verifyCreation(user UserID, session webauthn.SessionData, answer []byte, now time.Time) (Credential, string, error) {
	parsed, origin, err := s.parseCreation(answer)
	if err != nil {
		return Credential{}, "", err
	}
	created, err := s.webauthn.CreateCredential(account{handle: user.handle()}, session, parsed)
	if err != nil {
		return Credential{}, "", fmt.Errorf("verify: %w", err)
	}
	if !parsed.Response.AttestationObject.AuthData.Flags.HasUserVerified() {
		return Credential{}, "", errNotVerified
	}
	// §10.1.3: a client that reports false has made a credential that could never sign in here.
	if rk := created.Extensions.RK; rk != nil && !*rk {
		return Credential{}, "", errors.New("credential is not discoverable")
	}
	aaguid, err := uuid.FromBytes(created.Authenticator.AAGUID)
	if err != nil {
		return Credential{}, "", fmt.Errorf("AAGUID: %w", err)
	}
	jwk, err := publicJWK(created.PublicKey)
	if err != nil {
		return Credential{}, "", fmt.Errorf("public key: %w", err)
	}
	name := provider(aaguid)
	if name == "" {
		name = "Passkey"
	}
	return Credential{
		RPID:           s.config.RPID,
		ID:             created.ID,
		User:           user,
		Name:           name,
		PublicKey:      created.PublicKey,
		PublicJWK:      jwk,
		AAGUID:         aaguid,
		Transports:     knownTransports(created.Transport),
		SignCount:      created.Authenticator.SignCount,
		BackupEligible: created.Flags.BackupEligible,
		BackupState:    created.Flags.BackupState,
		CreatedAt:      now,
	}, origin, nil
}
