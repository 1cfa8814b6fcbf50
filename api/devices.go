package api

import (
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
	return device{d.ID, d.Name, d.LinkedAt.UTC(), utc(d.LastReconciledAt), utc(d.DocumentExpiresAt), d.Quarantined}
}

// adminDevice is a device as support and an export of the account show it.
type adminDevice struct {
	device
	DocumentRevision *int64 `json:"document_revision"`
}

func adminDeviceOf(d entitlements.Device) adminDevice {
	return adminDevice{deviceOf(d), d.DocumentRevision}
}

func devices(list []entitlements.Device) []device {
	items := make([]device, 0, len(list))
	for _, d := range list {
		items = append(items, deviceOf(d))
	}
	return items
}

// linkDevice binds the key of the proof to the user. The device cookie lets the same browser, linking again, replace
// what it was before, so that lost storage does not use up the device limit.
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
	}{devices(list)})
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

// revokeDevice is support's answer to a lost device.
func (s *server) revokeDevice(w http.ResponseWriter, r *http.Request, by caller) error {
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
	if err := s.guardStaff(r.Context(), by, passkey.UserID(owner)); err != nil {
		return err
	}
	if err := s.entitlements.RevokeDevice(r.Context(), by.actor, entitlements.DeviceID(id), reason); err != nil {
		return err
	}
	return noContent(w)
}
