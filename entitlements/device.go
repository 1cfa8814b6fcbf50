package entitlements

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/ledger"
	"holdfast/passkey/names"
)

// Device is one installation of the PWA, holding one key pair.
type Device struct {
	ID               DeviceID
	Name             string
	JKT              string // RFC 7638 thumbprint of its key
	LinkedAt         time.Time
	LastReconciledAt *time.Time
	// DocumentExpiresAt is the latest time at which any document with features that the device ever received can count
	// there: its end plus its skew. Nil if it received none.
	DocumentExpiresAt *time.Time
	// DocumentRevision is the revision of the newest document issued to the device, with or without features; nil if
	// none was. The device knows of all changes up to that revision, unless the answer was lost on its way.
	DocumentRevision *int64
	Removed          bool
	Place            Place
	Lineage          Lineage
	Ledger           ledger.Head
	// StatusList and StatusIndex are where the status of its documents is published.
	StatusList, StatusIndex int
}

// Quarantined reports whether the device's lineage has forked: it gets no more features.
func (d Device) Quarantined() bool { return d.Lineage.Forked }

// Place is the state of a device's place under the plan's limit.
type Place string

// The states of a place. A linked device holds its place; a removed or quarantined one holds it until its last document
// has ended.
const (
	PlaceHeld     Place = "held"
	PlacePassed   Place = "passed"   // to the device that replaced it
	PlaceReleased Place = "released" // by support, although its document is still valid
)

// Occupant is a device that counts against the limit.
type Occupant struct {
	Device
	// FreesUpAt is when the device stops counting by itself; nil while it is linked.
	FreesUpAt *time.Time
	// Replaceable reports whether a new device could be linked in its place.
	Replaceable bool
}

// lives reports whether a document with features issued to the device may still count at now.
func (d Device) lives(now time.Time) bool {
	return d.DocumentExpiresAt != nil && now.Before(*d.DocumentExpiresAt)
}

// linked reports whether the device gets documents with features.
func (d Device) linked() bool { return !d.Removed && !d.Quarantined() }

// LosesWithPlan reports whether the device's documents are withdrawn at now if a plan of its user has lost something.
// Those of other devices were withdrawn before, or have ended.
func (d Device) LosesWithPlan(now time.Time) bool { return d.linked() && d.lives(now) }

// RemovedLife is how long a removed device stays known after its last document has ended.
const RemovedLife = 90 * 24 * time.Hour

// occupants returns the devices that count against limit, the oldest first. A user whose browser lost its storage must
// be able to continue at once, so a new device can take over a place while the old device's document is still valid: up
// to limit such documents do not count. If there are more, those that end first count. So at most twice limit documents
// are valid at a time.
func occupants(devices []Device, limit int, now time.Time) []Device {
	var passed []Device
	for _, d := range devices {
		if !d.linked() && d.Place == PlacePassed && d.lives(now) {
			passed = append(passed, d)
		}
	}
	slices.SortStableFunc(passed, func(a, b Device) int { return a.DocumentExpiresAt.Compare(*b.DocumentExpiresAt) })
	passed = passed[:max(0, len(passed)-limit)]
	return slices.DeleteFunc(slices.Clone(devices), func(d Device) bool {
		counts := d.linked() || d.lives(now) && d.Place == PlaceHeld ||
			slices.ContainsFunc(passed, func(p Device) bool { return p.ID == d.ID })
		return !counts
	})
}

// pass returns the devices as they are after the places of ids were passed on.
func pass(devices []Device, ids ...DeviceID) []Device {
	after := slices.Clone(devices)
	for i, d := range after {
		if slices.Contains(ids, d.ID) && d.Place == PlaceHeld {
			after[i].Removed, after[i].Place = true, PlacePassed
		}
	}
	return after
}

// Occupants returns the devices that count against the limit at now, the oldest first.
func (a Account) Occupants(now time.Time) []Occupant {
	limit := a.Decide(now).DeviceLimit
	var all []Occupant
	for _, d := range occupants(a.Devices, limit, now) {
		o := Occupant{Device: d, Replaceable: len(occupants(pass(a.Devices, d.ID), limit, now)) < limit}
		if !d.linked() {
			o.FreesUpAt = d.DocumentExpiresAt
		}
		all = append(all, o)
	}
	return all
}

// The limit on links of an account in a time span, removed devices included, because each leaves permanent rows.
const (
	maxLinks = 20
	LinkSpan = time.Hour
	// limitSilence is how long after a refused link others leave no further trace.
	limitSilence = 24 * time.Hour
	// ActionLimit is the audited action of a refused link.
	ActionLimit = "device.limit_reached"
)

// LinkRequest asks to link the installation that made the proof.
type LinkRequest struct {
	Name string
	// Replaces names the device that the user chose to replace: one that is linked, or still counts; [ErrNotFound]
	// unless the user owns it.
	Replaces DeviceID
	// Cookie names the device that this browser was before. It is replaced if the user owns it, else ignored.
	Cookie DeviceID
}

// Linked is a new device with the first token of its lineage.
type Linked struct {
	Device  DeviceID
	Lineage string
}

// Link binds the proof's key to the user. The same key again, not yet reconciled, gives the same device, because the
// answer may have been lost. It fails with [ErrInvalid], with [ErrConflict] for a key that is or was in use, with
// [*DeviceLimitError], and with [*LinkRateError].
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
	var full *DeviceLimitError
	account, err := s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		full = nil
		for _, d := range a.Devices {
			if d.JKT != proof.JKT {
				continue
			}
			if d.LastReconciledAt != nil || d.Removed || d.Quarantined() {
				return Change{}, ErrConflict
			}
			device = d.ID
			return Change{}, nil
		}
		device = DeviceID(id.String())
		change, err := link(a, request, Device{ID: device, Name: name, JKT: proof.JKT, LinkedAt: now}, now)
		if errors.As(err, &full) {
			return full.change(a, now), nil
		}
		return change, err
	})
	if err == nil && full != nil {
		err = full
	}
	if err != nil {
		return Linked{}, fmt.Errorf("link device: %w", err)
	}
	token, err := s.sealer.first(device, user, account.Revision)
	if err != nil {
		return Linked{}, fmt.Errorf("link device: %w", err)
	}
	return Linked{Device: device, Lineage: token}, nil
}

// change tells of a refused link, once in limitSilence.
func (e *DeviceLimitError) change(a Account, now time.Time) Change {
	if now.Before(a.LimitToldAt.Add(limitSilence)) {
		return Change{}
	}
	return Change{TellLimit: true, Audit: []AuditEntry{{
		Actor: "user:" + string(a.User), Action: ActionLimit, Object: "user:" + string(a.User), After: auditJSON(struct {
			Limit   int `json:"limit"`
			Devices int `json:"devices"`
		}{a.Decide(now).DeviceLimit, len(e.Devices)}),
	}}}
}

func link(a Account, request LinkRequest, device Device, now time.Time) (Change, error) {
	if n := len(a.Links); n >= maxLinks {
		return Change{}, &LinkRateError{Wait: a.Links[n-maxLinks].Add(LinkSpan).Sub(now)}
	}
	limit := a.Decide(now).DeviceLimit
	change := Change{Raise: true, Link: &device, Status: map[DeviceID]Status{}, Place: map[DeviceID]Place{}}
	actor := "user:" + string(a.User)
	found := request.Replaces == ""
	for _, d := range a.Devices {
		chosen := d.ID == request.Replaces && (!d.Removed || d.Place == PlaceHeld)
		found = found || chosen
		if !chosen && d.ID != request.Cookie || d.Place != PlaceHeld {
			continue
		}
		if !d.Removed {
			change.Remove = append(change.Remove, d.ID)
			change.Status[d.ID] = StatusInvalid
		}
		change.Place[d.ID] = PlacePassed
		change.Audit = append(change.Audit, AuditEntry{Actor: actor, Action: "device.replaced", Object: "device:" + string(d.ID)})
	}
	if !found {
		return Change{}, ErrNotFound
	}
	if len(occupants(pass(a.Devices, slices.Collect(maps.Keys(change.Place))...), limit, now)) >= limit {
		return Change{}, &DeviceLimitError{Devices: a.Occupants(now)}
	}
	change.Audit = append(change.Audit, AuditEntry{Actor: actor, Action: "device.linked", Object: "device:" + string(device.ID)})
	return change, nil
}

// Devices lists the user's devices, oldest first, including quarantined but not removed ones.
func (s *Service) Devices(ctx context.Context, user UserID) ([]Device, error) {
	account, err := s.Account(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return slices.DeleteFunc(account.Devices, func(d Device) bool { return d.Removed }), nil
}

// EveryDevice lists all devices that the user ever had, the oldest first, including removed ones.
func (s *Service) EveryDevice(ctx context.Context, user UserID) ([]Device, error) {
	devices, err := s.store.EveryDevice(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return devices, nil
}

// UnlinkAll is Unlink for all devices of the user, with an optional reason. It fails with [ErrNotFound] if the user does
// not exist, and with [ErrInvalid].
func (s *Service) UnlinkAll(ctx context.Context, actor string, user UserID, reason string) error {
	if err := CheckReason(actor, reason); err != nil {
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

// Unlink removes the device from the user, or fails with [ErrNotFound]. Its next reconcile returns a signed document
// that says so.
func (s *Service) Unlink(ctx context.Context, actor string, user UserID, device DeviceID) error {
	return s.removeDevice(ctx, actor, "device.unlinked", user, device, "")
}

// DeviceOwner returns the present or former owner of the device, or fails with [ErrNotFound].
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

// RevokeDevice is Unlink by support, for a lost device.
func (s *Service) RevokeDevice(ctx context.Context, actor string, user UserID, device DeviceID, reason string) error {
	if err := requireReason(reason); err != nil {
		return err
	}
	return s.removeDevice(ctx, actor, "device.revoked", user, device, reason)
}

// ReleaseDevice frees the place of a removed or quarantined device, even if its document is still valid. It fails with
// [ErrInvalid], with [ErrNotFound], and with [ErrConflict] for a linked device. Releasing a free place does nothing.
func (s *Service) ReleaseDevice(ctx context.Context, actor string, user UserID, device DeviceID, reason string) error {
	if err := requireReason(reason); err != nil {
		return err
	}
	now := s.instant()
	_, err := s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		i := slices.IndexFunc(a.Devices, func(d Device) bool { return d.ID == device })
		switch {
		case i < 0 || a.Devices[i].Place == PlaceReleased:
			return Change{}, nil
		case a.Devices[i].linked():
			return Change{}, fmt.Errorf("%w: the device is linked", ErrConflict)
		}
		return Change{
			Place: map[DeviceID]Place{device: PlaceReleased},
			Audit: []AuditEntry{{Actor: actor, Action: "device.released", Object: "device:" + string(device), Reason: reason}},
		}, nil
	})
	if err != nil {
		return fmt.Errorf("release device: %w", err)
	}
	return nil
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
