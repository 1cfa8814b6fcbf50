package api

import (
	"net/http"
	"time"

	"holdfast/passkey"
)

// note is what support has noted about a user.
type note struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Author string    `json:"author"` // as in the audit trail
	Text   string    `json:"text"`
}

func noteOf(n passkey.Note) note { return note(n) }

func (s *server) writeNote(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	var request struct {
		Text string `json:"text"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	written, err := s.passkeys.WriteNote(r.Context(), by.agent(""), passkey.UserID(id), request.Text)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		Note note `json:"note"`
	}{noteOf(written)})
}

func (s *server) deleteNote(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	which, err := pathText(r, "note")
	if err != nil {
		return err
	}
	reason, err := optionalReason(r)
	if err != nil {
		return err
	}
	if err := s.passkeys.DeleteNote(r.Context(), by.agent(reason), passkey.UserID(id), which); err != nil {
		return err
	}
	return noContent(w)
}
