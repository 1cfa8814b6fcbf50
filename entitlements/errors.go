package entitlements

import (
	"errors"
	"time"

	"holdfast/entitlements/dpop"
)

var (
	// ErrNotFound says that there is no such object, or that it is another user's.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the request contradicts what is stored.
	ErrConflict = errors.New("conflict")
	// ErrInvalid says that an argument is outside what its type allows; the wrapping text says which, for people.
	ErrInvalid = errors.New("invalid")
	// ErrUserUnknown and ErrPlanUnknown say that a change names what does not exist.
	ErrUserUnknown = errors.New("no such user")
	ErrPlanUnknown = errors.New("no such plan")
	// ErrNoTrial says that this server gives no trial.
	ErrNoTrial = errors.New("no trial is offered")
	// ErrDeviceUnknown says that the device never existed, or that the proof was made with another key.
	ErrDeviceUnknown = errors.New("unknown device")
	// ErrLineageInvalid says that the lineage token was not made by this server for this device.
	ErrLineageInvalid = errors.New("invalid lineage token")
	// ErrLedgerInvalid says that the ledger is not acceptable.
	ErrLedgerInvalid = errors.New("invalid ledger")
	// ErrBusy is returned when other changes of the same account kept coming in between; the request may succeed later.
	ErrBusy = errors.New("the account keeps changing")
	// ErrKeysetEnded says that no signing key may sign at this time: the operator has to renew the keyset.
	ErrKeysetEnded = errors.New("the keyset has ended")
	// ErrBeforeKeys is returned when the clock is before the start of every signing key: the clock or the keys are wrong.
	ErrBeforeKeys = errors.New("the clock is before the start of the keyset's keys: set the server's clock right")
	// ErrClockOff is returned when the server's clock is far from the database's: it must not be used to decide or sign.
	ErrClockOff = errors.New("the server's clock is far from the database's: set it right")
)

// NonceError answers a stale lineage token: the device may try again with what its storage holds now, and must use
// Nonce for it. It Is dpop.ErrUseNonce.
type NonceError struct{ Nonce string }

func (*NonceError) Error() string { return "stale lineage token" }

// Is makes a stale lineage look like what it is on the wire.
func (*NonceError) Is(target error) bool { return target == dpop.ErrUseNonce }

// DeviceLimitError says that the user has as many devices as the plan allows. Devices are the ones that count, oldest
// first.
type DeviceLimitError struct{ Devices []Occupant }

func (*DeviceLimitError) Error() string { return "device limit reached" }

// LinkRateError is returned when the user has linked too many devices in the last hour; Wait is how long to wait.
type LinkRateError struct{ Wait time.Duration }

func (*LinkRateError) Error() string { return "too many devices linked" }

// ForkedError answers a quarantined device. Reconciled holds the signed document that says so, and no lineage.
type ForkedError struct{ Reconciled Reconciled }

func (*ForkedError) Error() string { return "device is quarantined: its lineage forked" }
