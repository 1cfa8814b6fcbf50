package entitlements

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/dpop"
	"holdfast/names"
)

// Device is one installation of the PWA, holding one key pair.
type Device struct {
	ID               DeviceID
	Name             string
	JKT              string // RFC 7638 thumbprint of its key
	LinkedAt         time.Time
	LastReconciledAt *time.Time
	// DocumentExpiresAt bounds how long any document with features that the device was ever given can count there: its
	// end, and what its skew allows. Nil where it had none.
	DocumentExpiresAt *time.Time
	// DocumentRevision is that of the newest document given to the device, with features or without; nil where it had
	// none. From the revision of a change on, the device has been told of it, unless the answer was lost on its way.
	DocumentRevision *int64
	Quarantined      bool
	Removed          bool
}

// counts says whether the device counts against the limit: linked and not quarantined.
func (d Device) counts() bool { return !d.Removed && !d.Quarantined }

// LinkRequest asks to link the installation that made the proof.
type LinkRequest struct {
	Name string
	// Replaces names the device whose place the new one takes, as the user chose it; [ErrNotFound] unless it is theirs.
	Replaces DeviceID
	// Cookie names the device that this browser was before. It is replaced if it is the user's, else passed over.
	Cookie DeviceID
}

// Linked is a new device with the first token of its lineage.
type Linked struct {
	Device  DeviceID
	Lineage string
}

// Link binds the proof's key to the user. The same key again, not yet reconciled, gives the same device: the answer
// was lost. It fails with [ErrInvalid], with [ErrConflict] for a key that is in use or was, and with
// [*DeviceLimitError].
func (s *Service) Link(ctx context.Context, user UserID, proof dpop.Proof, request LinkRequest) (Linked, error) {
	name, err := deviceName(request.Name)
	if err != nil {
		return Linked{}, err
	}
	id, err := uuid.NewRandomFromReader(s.config.Rand)
	if err != nil {
		return Linked{}, fmt.Errorf("link device: %w", err)
	}
	now := s.instant()
	var device DeviceID
	account, err := s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		for _, d := range a.Devices {
			if d.JKT != proof.JKT {
				continue
			}
			if d.LastReconciledAt != nil || d.Removed || d.Quarantined {
				return Change{}, ErrConflict
			}
			device = d.ID
			return Change{}, nil
		}
		device = DeviceID(id.String())
		return link(a, request, Device{ID: device, Name: name, JKT: proof.JKT, LinkedAt: now}, now)
	})
	if err != nil {
		return Linked{}, fmt.Errorf("link device: %w", err)
	}
	token, err := s.sealer.first(device, user, account.Revision)
	if err != nil {
		return Linked{}, fmt.Errorf("link device: %w", err)
	}
	return Linked{Device: device, Lineage: token}, nil
}

func link(a Account, request LinkRequest, device Device, now time.Time) (Change, error) {
	replaced := map[DeviceID]bool{}
	if request.Replaces != "" {
		if !slices.ContainsFunc(a.Devices, func(d Device) bool { return d.ID == request.Replaces && !d.Removed }) {
			return Change{}, ErrNotFound
		}
		replaced[request.Replaces] = true
	}
	replaced[request.Cookie] = true

	change := Change{Raise: true, Link: &device, Status: map[DeviceID]Status{}}
	var counted []Device
	actor := "user:" + string(a.User)
	for _, d := range a.Devices {
		switch {
		case replaced[d.ID] && !d.Removed:
			change.Remove = append(change.Remove, d.ID)
			change.Status[d.ID] = StatusInvalid
			change.Audit = append(change.Audit, AuditEntry{Actor: actor, Action: "device.replaced", Object: "device:" + string(d.ID)})
		case d.counts():
			counted = append(counted, d)
		}
	}
	if len(counted) >= a.Decide(now).DeviceLimit {
		return Change{}, &DeviceLimitError{Devices: counted}
	}
	change.Audit = append(change.Audit, AuditEntry{Actor: actor, Action: "device.linked", Object: "device:" + string(device.ID)})
	return change, nil
}

// Devices lists the user's devices, oldest first: quarantined ones too, removed ones not.
func (s *Service) Devices(ctx context.Context, user UserID) ([]Device, error) {
	account, err := s.Account(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return slices.DeleteFunc(account.Devices, func(d Device) bool { return d.Removed }), nil
}

// EveryDevice lists all devices of the user that there ever were, the oldest first: removed ones too.
func (s *Service) EveryDevice(ctx context.Context, user UserID) ([]Device, error) {
	devices, err := s.store.EveryDevice(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return devices, nil
}

// UnlinkAll is Unlink for all devices of the user, with the reason that was given, if any. It fails with [ErrNotFound]
// where there is no such user, and with [ErrInvalid].
func (s *Service) UnlinkAll(ctx context.Context, actor string, user UserID, reason string) error {
	if err := CheckReason(reason); err != nil {
		return err
	}
	_, err := s.store.Update(ctx, user, s.instant(), func(a Account) (Change, error) {
		change := Change{Raise: true, Status: map[DeviceID]Status{}}
		for _, d := range a.Devices {
			if d.Removed {
				continue
			}
			change.Remove = append(change.Remove, d.ID)
			change.Status[d.ID] = StatusInvalid
			change.Audit = append(change.Audit, AuditEntry{
				Actor: actor, Action: "device.unlinked", Object: "device:" + string(d.ID), Reason: reason,
			})
		}
		return change, nil
	})
	if err != nil {
		return fmt.Errorf("unlink all devices: %w", err)
	}
	return nil
}

// Unlink takes the device from the user, or fails with [ErrNotFound]. At its next reconcile it gets a signed document
// that says so.
func (s *Service) Unlink(ctx context.Context, actor string, user UserID, device DeviceID) error {
	return s.removeDevice(ctx, actor, "device.unlinked", user, device, "")
}

// DeviceOwner tells whose device it is, or was; or fails with [ErrNotFound].
func (s *Service) DeviceOwner(ctx context.Context, device DeviceID) (UserID, error) {
	user, _, err := s.store.DeviceByID(ctx, device)
	if errors.Is(err, ErrDeviceUnknown) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read device: %w", err)
	}
	return user, nil
}

// RevokeDevice is Unlink by support: the device is lost.
func (s *Service) RevokeDevice(ctx context.Context, actor string, device DeviceID, reason string) error {
	if err := validReason(reason); err != nil {
		return err
	}
	user, err := s.DeviceOwner(ctx, device)
	if err != nil {
		return err
	}
	return s.removeDevice(ctx, actor, "device.revoked", user, device, reason)
}

func (s *Service) removeDevice(ctx context.Context, actor, action string, user UserID, device DeviceID, reason string) error {
	now := s.instant()
	_, err := s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		if !slices.ContainsFunc(a.Devices, func(d Device) bool { return d.ID == device && !d.Removed }) {
			return Change{}, ErrNotFound
		}
		return Change{
			Raise: true, Remove: []DeviceID{device}, Status: map[DeviceID]Status{device: StatusInvalid},
			Audit: []AuditEntry{{Actor: actor, Action: action, Object: "device:" + string(device), Reason: reason}},
		}, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

func deviceName(name string) (string, error) {
	clean, ok := names.Clean(name)
	if !ok {
		return "", fmt.Errorf("%w: a device's name has 1 to %d visible characters, without control characters", ErrInvalid, names.MaxLength)
	}
	return clean, nil
}
