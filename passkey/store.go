package passkey

import (
	"context"
	"time"
)

// Store persists the package's state. Every method is atomic: it commits everything if it returns nil and nothing if it
// returns an error, and concurrent callers see each other's effects either wholly or not at all. Errors that are not
// named here are faults of the store. User ids passed to it are canonical UUIDs.
type Store interface {
	SecretStore
	CeremonyStore
	CredentialStore
	SessionStore
	UserStore
	StaffStore
	NoteStore
	CodeStore
	TokenStore
}

// SecretStore stores the secrets that all replicas share.
type SecretStore interface {
	// Secret returns the secret of that name. If none is stored, it stores the candidate: all callers get the same one.
	Secret(ctx context.Context, name string, candidate []byte) ([]byte, error)
}

// CeremonyStore records which ceremonies were attempted.
type CeremonyStore interface {
	// Spend records that the ceremony of that id, a UUID, was attempted, and keeps the record at least until its end.
	// The spending is committed before Spend returns: of any number of callers exactly one gets nil, the others ErrCeremony. A
	// failover to a standby may lose it unless a later transaction was confirmed as the store is configured.
	Spend(ctx context.Context, id string, end time.Time) error

	// SpendOn is Spend and, atomically with it, CredentialStore.Credential. With ErrNotFound the ceremony is spent, too.
	SpendOn(ctx context.Context, id string, end time.Time, rpID string, user UserID, credential []byte) (User, Credential, error)
}

// CredentialStore stores passkeys. It does not see credentials of a relying party id other than the given one.
type CredentialStore interface {
	// Credential returns the user's credential of that id, and the user, or ErrNotFound.
	Credential(ctx context.Context, rpID string, user UserID, id []byte) (User, Credential, error)

	// Credentials returns the user's credentials, oldest first; none for an unknown user.
	Credentials(ctx context.Context, rpID string, user UserID) ([]Credential, error)

	// EveryCredential returns the user's credentials of every relying party id, oldest first.
	EveryCredential(ctx context.Context, user UserID) ([]Credential, error)

	// Register stores a new user without external id, the first passkey, the session and the audit entry. It returns
	// ErrCredentialTaken if the relying party knows the credential id already, for any user.
	Register(ctx context.Context, user User, credential Credential, session NewSession, entry AuditEntry) error

	// AddPasskey stores a further passkey of credential.User and the audit entry, ends the session named replaced and
	// begins another, which inherits the replaced one's notices. It returns ErrUnauthenticated if that session no longer
	// exists, ErrCredentialTaken, and ErrTooManyPasskeys if the user has limit passkeys: concurrent additions never
	// exceed it.
	AddPasskey(ctx context.Context, credential Credential, limit int, replaced string, session NewSession, entry AuditEntry) error

	// Recover spends the one-time code, stores the passkey and the audit entries, ends the session of previous (which
	// may be nil or gone) and begins the new session. If the code recovers, it also ends every other session of the user
	// and all their links. It returns ErrCeremony if the code is not credential.User's, is spent, or has ended at
	// session.AuthenticatedAt: of concurrent callers with one code exactly one succeeds. It returns ErrCredentialTaken
	// and, unless the code recovers, ErrTooManyPasskeys as AddPasskey does; the code is not spent then.
	Recover(
		ctx context.Context, credential Credential, limit int, code CodeKey, previous *TokenKey, session NewSession, entries []AuditEntry,
	) error

	// SignIn stores the changes of use in the credential, ends the session of previous (which may be nil or gone),
	// begins the new session and returns the result of NoticeEntries since session.ToldFrom. It does so only if sign
	// count and backup eligibility of the credential still match read; if they have changed, or the credential is gone,
	// changed is true and nothing is stored. Of two callers that read one count and store another, one succeeds.
	SignIn(
		ctx context.Context, read Credential, use CredentialUse, previous *TokenKey, session NewSession, limit int,
	) (told []AuditEntry, changed bool, err error)

	// RenamePasskey returns the credential as renamed, or ErrNotFound.
	RenamePasskey(ctx context.Context, rpID string, user UserID, id []byte, name string) (Credential, error)

	// DeletePasskey deletes the credential and stores the audit entry, or returns ErrNotFound or, if the user has no
	// recovery code, ErrLastPasskey: concurrent deletions leave the user one passkey. If kept is not nil, it ends the
	// sessions that the passkey has opened, except the one named so.
	DeletePasskey(ctx context.Context, rpID string, user UserID, id []byte, kept *string, entry AuditEntry) error

	// Record stores an audit entry for an act that changed nothing.
	Record(ctx context.Context, entry AuditEntry) error

	// NoticeEntries returns the newest entries about the user with the action ActionRejected or ActionRecovered that are
	// not older than since, at most limit of each action, newest first: many of one action do not hide the other.
	NoticeEntries(ctx context.Context, user UserID, since time.Time, limit int) ([]AuditEntry, error)
}

// CredentialUse is the change that an authentication makes to a credential.
type CredentialUse struct {
	SignCount   uint32
	BackupState bool
	At          time.Time
}

// SessionStore stores sessions.
type SessionStore interface {
	// UseSession returns the live session of the token and raises its last use to use.At if that was at or before
	// use.TouchSince. It returns ErrUnauthenticated if there is none, if it has ended at use.At, or if it was last
	// used at or before use.IdleSince. An ended session is never revived.
	UseSession(ctx context.Context, key TokenKey, use SessionUse) (Session, error)

	// Sessions returns the user's sessions that end after now and were last used after idleSince, latest first.
	Sessions(ctx context.Context, user UserID, now, idleSince time.Time) ([]Session, error)

	// EndSession deletes the user's session of that id, a UUID, or returns ErrNotFound.
	EndSession(ctx context.Context, user UserID, id string) error

	// EndOtherSessions deletes the user's sessions except the one of that id, even one that AddPasskey is about to
	// begin.
	EndOtherSessions(ctx context.Context, user UserID, but string) error

	// SignOutUser deletes the user's sessions and stores the audit entry. It returns ErrNotFound if the user does not
	// exist, and the error of may for the user's role.
	SignOutUser(ctx context.Context, user UserID, may func(Role) error, entry AuditEntry) error

	// SessionsLeft returns the ids of the given sessions that have not been ended. It ignores their times.
	SessionsLeft(ctx context.Context, sessions []SessionKey) ([]string, error)
}

// SessionKey identifies a session in the store.
type SessionKey struct {
	User UserID
	ID   string
}

// SessionUse holds the times that UseSession compares with.
type SessionUse struct {
	At, IdleSince, TouchSince time.Time
}

// UserStore stores users.
type UserStore interface {
	// CreateUser stores a user without passkeys, a link to enrol with and the audit entry. It returns ErrConflict if
	// another user has the external id.
	CreateUser(ctx context.Context, user User, enrolment NewLink, entry AuditEntry) error

	// SetExternalID changes a user's external id and stores the audit entry, unless the user has that id already, and
	// returns the resulting user. It returns ErrNotFound, ErrConflict if another user has the external id, and the error
	// of may for the user's role.
	SetExternalID(ctx context.Context, user UserID, externalID string, may func(Role) error, entry AuditEntry) (User, error)

	// User returns a user or ErrNotFound.
	User(ctx context.Context, id UserID) (User, error)

	// Users returns the existing users of ids, in no order.
	Users(ctx context.Context, ids []UserID) ([]User, error)

	// FindUsers returns the users that match any of the search's criteria, have signed up in its span, and come after its
	// position in its order. Names are ordered in lower case, byte by byte; equal ones by id.
	FindUsers(ctx context.Context, search UserSearch) ([]User, error)

	// EraseUser deletes the user and all their data, in every domain, and stores the audit entry; it returns ErrNotFound
	// if the user does not exist. The status of their devices is INVALID from then on, including documents that a
	// reconcile under way still issues. Audit entries stay, without the reasons that people gave. For a staff member it
	// returns the error of may as RemoveStaff does, and each of concurrent calls of both sees what the one before has left.
	EraseUser(ctx context.Context, user UserID, may MayRemove, entry AuditEntry) error
}

// StaffStore stores which users are staff. A user is staff from the start or never.
type StaffStore interface {
	// CreateStaff stores a user with a role, a link to enrol with and the audit entry.
	CreateStaff(ctx context.Context, user User, role Role, enrolment NewLink, entry AuditEntry) error

	// Staff returns all staff, oldest first.
	Staff(ctx context.Context) ([]StaffMember, error)

	// RoleOf returns the user's role; "" if the user has none or does not exist.
	RoleOf(ctx context.Context, user UserID) (Role, error)

	// RemoveStaff removes the user's role, deletes the user's sessions and links, and stores the audit entry, with the
	// former role as its state before; or returns ErrNotFound if the user has none, or the error of may for the member and
	// the other staff. Of concurrent removals, each sees what the one before has left.
	RemoveStaff(ctx context.Context, user UserID, may MayRemove, entry AuditEntry) error
}

// MayRemove decides whether a member may leave the staff, so that others remain.
type MayRemove = func(member StaffMember, others []StaffMember) error

// CodeStore stores one-time codes until CredentialStore.Recover spends them.
type CodeStore interface {
	// CreateRecoveryLink stores a recovery link of the user in place of an earlier one, and the audit entry, and returns
	// the user's role. It returns ErrNotFound if the user does not exist, and the error of may for that role.
	CreateRecoveryLink(ctx context.Context, user UserID, may func(Role) error, link NewLink, entry AuditEntry) (Role, error)

	// Link returns the user and kind of the link with that hash, unless it has ended at that time; or ErrNotFound.
	Link(ctx context.Context, codeHash []byte, now time.Time) (User, CodeKind, error)

	// Links returns the user's links, including ended ones, oldest first.
	Links(ctx context.Context, user UserID) ([]NewLink, error)

	// ReplaceRecoveryCodes stores the codes in place of all earlier codes of the user, and the audit entry. It returns
	// ErrUnauthenticated if the requesting session of that id no longer exists, and ErrConflict if any user's code has
	// one of the lookups.
	ReplaceRecoveryCodes(ctx context.Context, user UserID, codes []NewRecoveryCode, session string, entry AuditEntry) error

	// RecoveryCodes returns how many codes the user has.
	RecoveryCodes(ctx context.Context, user UserID) (RecoveryCodes, error)

	// RecoveryCode returns the user of the code with that lookup, and the hash of its secret; or ErrNotFound.
	RecoveryCode(ctx context.Context, lookup string) (User, string, error)
}

// UserSearch holds the search criteria for users.
type UserSearch struct {
	Name       string // each of its words is part of a word of the name (package names), in any case and order; "" matches all
	ID         UserID // "" matches none
	ExternalID string
	BillingID  string    // billing's id of the user, or of one of the user's subscriptions
	From, To   time.Time // the time of the sign-up, To excluded; zero: no limit
	Among      []UserID  // nil: all
	Customers  bool      // leaves out staff without subscriptions; not with Name
	Order      UserOrder
	After      *UserPosition // nil: from the first
	Limit      int
}

// UserPosition is a place in the order of users, even if no user is at it.
type UserPosition struct {
	Name      string
	CreatedAt time.Time
	ID        UserID
}

// NewLink is a link to store, its code as a hash.
type NewLink struct {
	Kind      CodeKind
	CodeHash  []byte
	ExpiresAt time.Time
}

// NewRecoveryCode is a recovery code to store, its secret as a slow hash.
type NewRecoveryCode struct {
	Lookup, SecretHash string
}

// TokenStore stores the admin API's bearer tokens.
type TokenStore interface {
	// CreateToken stores a token, the hash of its secret and the audit entry.
	CreateToken(ctx context.Context, token Token, hash []byte, entry AuditEntry) error

	// Tokens returns all tokens, including revoked and ended ones, oldest first.
	Tokens(ctx context.Context) ([]Token, error)

	// RevokeToken revokes a token at entry.At and stores the audit entry, or returns ErrNotFound. Revoking it again
	// changes and stores nothing.
	RevokeToken(ctx context.Context, id string, entry AuditEntry) error

	// Token returns the token with that hash, or ErrUnauthenticated if it is revoked or has ended at now.
	Token(ctx context.Context, hash []byte, now time.Time) (Token, error)
}
