package entitlements

import (
	"errors"
	"time"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/ledger"
)

var (
	// ErrNotFound is returned if the object does not exist or belongs to another user.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned if the request contradicts the stored state.
	ErrConflict = errors.New("conflict")
	// ErrInvalid is returned for an argument out of range; the wrapping text names it, for people.
	ErrInvalid = errors.New("invalid")
	// ErrUserUnknown and ErrPlanUnknown are returned if a change names a user or plan that does not exist.
	ErrUserUnknown = errors.New("no such user")
	ErrPlanUnknown = errors.New("no such plan")
	// ErrNoTrial is returned if this server offers no trial.
	ErrNoTrial = errors.New("no trial is offered")
	// ErrDeviceUnknown is returned if the device never existed, or if another key made the proof.
	ErrDeviceUnknown = errors.New("unknown device")
	// ErrLineageInvalid is returned for a lineage token that this server did not make for this device.
	ErrLineageInvalid = errors.New("invalid lineage token")
	// ErrLedgerInvalid is returned for an unacceptable ledger.
	ErrLedgerInvalid = errors.New("invalid ledger")
	// ErrBusy is returned if other changes of the same account kept intervening; the request may succeed later.
	ErrBusy = errors.New("the account keeps changing")
	// ErrKeysetEnded is returned if no signing key may sign at this time: the operator must renew the keyset.
	ErrKeysetEnded = errors.New("the keyset has ended")
	// ErrBeforeKeys is returned if the clock is before the start of every signing key: the clock or the keys are wrong.
	ErrBeforeKeys = errors.New("the clock is before the start of the keyset's keys: set the server's clock right")
	// ErrClockOff is returned if the server's clock is far from the database's: it must not be used to decide or sign.
	ErrClockOff = errors.New("the server's clock is far from the database's: set it right")
)

// NonceError is returned for a stale lineage token. The device may retry with the token that its storage holds now, and
// must use Nonce. It Is dpop.ErrUseNonce.
type NonceError struct{ Nonce string }

func (*NonceError) Error() string { return "stale lineage token" }

// Is matches dpop.ErrUseNonce, which is how a stale lineage appears on the wire.
func (*NonceError) Is(target error) bool { return target == dpop.ErrUseNonce }

// DeviceLimitError is returned if the user has as many devices as the plan allows. Devices are those that count, oldest
// first.
type DeviceLimitError struct{ Devices []Occupant }

func (*DeviceLimitError) Error() string { return "device limit reached" }

// LedgerError is returned for a ledger of which nothing can be taken. It Is [ErrLedgerInvalid].
type LedgerError struct{ Refusal *ledger.Refusal }

func (e *LedgerError) Error() string { return e.Refusal.Error() }

// Is matches ErrLedgerInvalid.
func (*LedgerError) Is(target error) bool { return target == ErrLedgerInvalid }

// LinkRateError is returned if the user has linked too many devices in the last hour; Wait is how long to wait.
type LinkRateError struct{ Wait time.Duration }

func (*LinkRateError) Error() string { return "too many devices linked" }

// ForkedError is returned for a quarantined device. Reconciled holds the signed document that says so, and no lineage.
type ForkedError struct{ Reconciled Reconciled }

func (*ForkedError) Error() string { return "device is quarantined: its lineage forked" }
