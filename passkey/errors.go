package passkey

import (
	"errors"
	"fmt"

	"holdfast/passkey/names"
)

// The errors that callers distinguish. Any other error that a method returns is a fault of the server or of its
// database. Compare with errors.Is.
var (
	// ErrCeremony: the ceremony (or the one-time code) is unknown, used, has ended, or is of another kind or user.
	ErrCeremony = errors.New("ceremony is unknown, used or has ended")

	// ErrCredentialRejected: the authenticator's answer did not verify, for any reason. The reason is wrapped for the
	// log. It holds no secret, but it must not reach the client, which could learn from it.
	ErrCredentialRejected = errors.New("credential rejected")

	// ErrUnauthenticated: no live session or token.
	ErrUnauthenticated = errors.New("not authenticated")

	// ErrNotRecent: the session's authentication is too old for the request.
	ErrNotRecent = errors.New("authentication is not recent")

	// ErrForbidden: the role does not include the requested operation.
	ErrForbidden = errors.New("the role does not include this")

	// ErrForeignOrigin: a staff member's session or passkey was made at an origin other than the server's own.
	ErrForeignOrigin = errors.New("staff must use the server's own origin")

	// ErrStaffAccount: the account is a staff member's, and the caller may not act on those.
	ErrStaffAccount = errors.New("the account is a staff member's")

	// ErrBusy: another call is making recovery codes for the same user.
	ErrBusy = errors.New("recovery codes are already being made")

	// ErrContended: concurrent sign-ins with the same passkey kept intervening; this one may succeed later.
	ErrContended = errors.New("the passkey is in use by too many at once")

	// ErrInviteOnly: registration requires an enrolment link.
	ErrInviteOnly = errors.New("registration is by invitation only")

	// ErrLastPasskey: a user's only passkey cannot be deleted if there are no recovery codes.
	ErrLastPasskey = errors.New("the last passkey cannot be deleted")

	// ErrOwnRole: staff members cannot remove themselves.
	ErrOwnRole = errors.New("staff cannot remove themselves")

	// ErrLastAdmin: no other admin has a passkey.
	ErrLastAdmin = errors.New("the last admin with a passkey cannot be removed")

	// ErrTooManyPasskeys: the user has MaxPasskeys already.
	ErrTooManyPasskeys = fmt.Errorf("a user can have %d passkeys at most", MaxPasskeys)

	// ErrTooManyNotes: there are MaxNotes about the user already.
	ErrTooManyNotes = fmt.Errorf("there can be %d notes about a user at most", MaxNotes)

	// ErrNotFound: no such user, passkey, session or token for this caller.
	ErrNotFound = errors.New("not found")

	// ErrConflict: the external id (or, from a Store, the lookup of a recovery code) is taken already.
	ErrConflict = errors.New("id is taken")

	// ErrInvalid: an argument is not acceptable; the whole text may be shown to the caller.
	ErrInvalid = errors.New("invalid")

	// ErrInvalidName: a name does not have 1 to 100 visible characters. It is an ErrInvalid.
	ErrInvalidName = fmt.Errorf("%w name: 1 to %d visible characters, without control characters", ErrInvalid, names.MaxLength)
)

// Causes of ErrCredentialRejected.
var (
	// ErrCredentialTaken: the relying party knows the credential id already.
	ErrCredentialTaken = errors.New("credential id is taken")

	// ErrCloned: the sign count did not rise or the backup eligibility changed.
	ErrCloned = errors.New("passkey shows signs of having been copied")
)

// rejected returns ErrCredentialRejected with its cause.
func rejected(cause error) error {
	return fmt.Errorf("%w: %w", ErrCredentialRejected, cause)
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
