package api

import (
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// gap is something that a restored database is missing about a user, for support to review.
type gap struct {
	ID               string                `json:"id"`
	At               time.Time             `json:"at"`
	User             adminUser             `json:"user"`
	Device           entitlements.DeviceID `json:"device"`
	DeviceRevision   int64                 `json:"device_revision"`
	DatabaseRevision int64                 `json:"database_revision"`
	DeviceActs       int64                 `json:"device_acts"`
	DatabaseActs     int64                 `json:"database_acts"`
}

// listGaps pages through the open gaps, newest first.
func (s *server) listGaps(w http.ResponseWriter, r *http.Request, _ caller) error {
	limit, before, err := queryPage(r)
	if err != nil {
		return err
	}
	open, err := s.entitlements.Gaps(r.Context(), entitlements.GapQuery{Before: before, Limit: limit + 1})
	if err != nil {
		return err
	}
	open, next := cutPage(open, limit, func(g entitlements.Gap) string { return g.ID })
	ids := make([]passkey.UserID, len(open))
	for i, g := range open {
		ids[i] = passkey.UserID(g.User)
	}
	users, err := s.passkeys.Users(r.Context(), ids)
	if err != nil {
		return err
	}
	gaps := make([]gap, 0, len(open))
	for _, g := range open {
		if user, ok := users[passkey.UserID(g.User)]; ok { // otherwise erased meanwhile
			gaps = append(gaps, gap{g.ID, g.At.UTC(), adminUserOf(user), g.Device, g.DeviceRevision, g.DatabaseRevision, g.DeviceActs, g.DatabaseActs})
		}
	}
	return answer(w, http.StatusOK, struct {
		Gaps []gap   `json:"gaps"`
		Next *string `json:"next"`
	}{gaps, next})
}

// closeGap records that support has reviewed the gap.
func (s *server) closeGap(w http.ResponseWriter, r *http.Request, by caller) error {
	text, err := pathText(r, "id")
	if err != nil {
		return err
	}
	id, ok := canonicalUUID(text)
	if !ok {
		return notFound
	}
	reason, err := decodeReason(r)
	if err != nil {
		return err
	}
	if err := s.entitlements.CloseGap(r.Context(), by.actor, id, reason); err != nil {
		return err
	}
	return noContent(w)
}
