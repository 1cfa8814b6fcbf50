package api

import (
	"encoding/base64"
	"net/http"
	"time"

	"holdfast/passkey"
)

type passkeyItem struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Provider   string     `json:"provider"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	Synced     bool       `json:"synced"`
}

func passkeyOf(p passkey.Passkey) passkeyItem {
	return passkeyItem{base64.RawURLEncoding.EncodeToString(p.ID), p.Name, p.Provider, p.CreatedAt.UTC(), utc(p.LastUsedAt), p.Synced}
}

func (s *server) listPasskeys(w http.ResponseWriter, r *http.Request, by caller) error {
	list, err := s.passkeys.Passkeys(r.Context(), by.session.User.ID)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Passkeys []passkeyItem `json:"passkeys"`
	}{each(list, passkeyOf)})
}

func (s *server) renamePasskey(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathBytes(r, "id")
	if err != nil {
		return err
	}
	var request struct {
		Name string `json:"name"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	renamed, err := s.passkeys.RenamePasskey(r.Context(), by.session.User.ID, id, request.Name)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, passkeyOf(renamed))
}

func (s *server) deletePasskey(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathBytes(r, "id")
	if err != nil {
		return err
	}
	var request struct {
		EndSessions bool `json:"end_sessions"`
	}
	if err := decodeOptional(r, &request); err != nil {
		return err
	}
	if err := s.passkeys.DeletePasskey(r.Context(), by.session, id, request.EndSessions); err != nil {
		return err
	}
	return noContent(w)
}
