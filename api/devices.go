package api

import (
	"context"
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/passkey"
)

type device struct {
	ID                entitlements.DeviceID `json:"id"`
	Name              string                `json:"name"`
	LinkedAt          time.Time             `json:"linked_at"`
	LastReconciledAt  *time.Time            `json:"last_reconciled_at"`
	DocumentExpiresAt *time.Time            `json:"document_expires_at"`
	Quarantined       bool                  `json:"quarantined"`
}

func deviceOf(d entitlements.Device) device {
	return device{d.ID, d.Name, d.LinkedAt.UTC(), utc(d.LastReconciledAt), utc(d.DocumentExpiresAt), d.Quarantined()}
}

// adminDevice is a device as support and an account export show it.
type adminDevice struct {
	device
	DocumentRevision *int64     `json:"document_revision"`
	Removed          bool       `json:"removed"`
	FreesUpAt        *time.Time `json:"frees_up_at"` // if unlinked but still counted against the limit
}

func adminDeviceOf(d entitlements.Device) adminDevice {
	return adminDevice{device: deviceOf(d), DocumentRevision: d.DocumentRevision, Removed: d.Removed}
}

// supportDevices returns the account's devices without removed ones that no longer count against the limit.
func supportDevices(a entitlements.Account, now time.Time) []adminDevice {
	frees := map[entitlements.DeviceID]*time.Time{}
	for _, o := range a.Occupants(now) {
		frees[o.ID] = o.FreesUpAt
	}
	shown := make([]adminDevice, 0, len(a.Devices))
	for _, d := range a.Devices {
		at, counts := frees[d.ID]
		if d.Removed && !counts {
			continue
		}
		item := adminDeviceOf(d)
		item.FreesUpAt = utc(at)
		shown = append(shown, item)
	}
	return shown
}

// occupant is a device that counts against the limit.
type occupant struct {
	device
	FreesUpAt   *time.Time `json:"frees_up_at"`
	Replaceable bool       `json:"replaceable"`
}

func occupantOf(o entitlements.Occupant) occupant {
	return occupant{deviceOf(o.Device), utc(o.FreesUpAt), o.Replaceable}
}

// linkDevice links the proof's key to the user. The device cookie lets the same browser replace its previous device when it
// links again, so that lost storage does not use up the device limit.
func (s *server) linkDevice(w http.ResponseWriter, r *http.Request, by caller) error {
	var request struct {
		Name     string  `json:"name"`
		Replaces *string `json:"replaces"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	replaces, err := bodyUUID(request.Replaces)
	if err != nil {
		return err
	}
	if err := s.guardStaffKeys(r, by.session); err != nil {
		return err
	}
	linked, err := s.entitlements.Link(r.Context(), by.user(), *by.proof, entitlements.LinkRequest{
		Name: request.Name, Replaces: entitlements.DeviceID(replaces), Cookie: s.cookieDevice(r),
	})
	if err != nil {
		return err
	}
	s.setCookie(w, s.deviceCookie(), s.entitlements.BrowserToken(linked.Device), deviceCookieLife)
	return answer(w, http.StatusCreated, struct {
		Device  entitlements.DeviceID `json:"device"`
		Lineage string                `json:"lineage"`
	}{linked.Device, linked.Lineage})
}

func (s *server) listDevices(w http.ResponseWriter, r *http.Request, by caller) error {
	list, err := s.entitlements.Devices(r.Context(), by.user())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Devices []device `json:"devices"`
	}{each(list, deviceOf)})
}

func (s *server) unlinkDevice(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	if err := s.entitlements.Unlink(r.Context(), by.actor, by.user(), entitlements.DeviceID(id)); err != nil {
		return err
	}
	return noContent(w)
}

// revokeDevice removes a user's device on behalf of support, for example a lost one.
func (s *server) revokeDevice(w http.ResponseWriter, r *http.Request, by caller) error {
	return s.changeDevice(w, r, by, s.entitlements.RevokeDevice)
}

// releaseDevice lets support free a removed device's place before its last document has ended.
func (s *server) releaseDevice(w http.ResponseWriter, r *http.Request, by caller) error {
	return s.changeDevice(w, r, by, s.entitlements.ReleaseDevice)
}

func (s *server) changeDevice(
	w http.ResponseWriter, r *http.Request, by caller,
	change func(ctx context.Context, actor string, owner entitlements.UserID, device entitlements.DeviceID, reason string) error,
) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	reason, err := decodeReason(r)
	if err != nil {
		return err
	}
	owner, err := s.entitlements.DeviceOwner(r.Context(), entitlements.DeviceID(id))
	if err != nil {
		return err
	}
	if err := s.passkeys.MayChange(r.Context(), by.agent(reason), passkey.UserID(owner)); err != nil {
		return err
	}
	if err := change(r.Context(), by.actor, owner, entitlements.DeviceID(id), reason); err != nil {
		return err
	}
	return noContent(w)
}
