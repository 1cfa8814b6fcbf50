package api

import (
	"net/http"
	"time"

	"holdfast/passkey"
)

// staffMember is a user with a role, as admins see it.
type staffMember struct {
	ID        passkey.UserID `json:"id"`
	Name      string         `json:"name"`
	Role      passkey.Role   `json:"role"`
	Passkeys  int            `json:"passkeys"` // zero until the invitation is accepted
	CreatedAt time.Time      `json:"created_at"`
}

func staffMemberOf(m passkey.StaffMember) staffMember {
	return staffMember{m.User.ID, m.User.Name, m.Role, m.Passkeys, m.CreatedAt.UTC()}
}

func (s *server) listStaff(w http.ResponseWriter, r *http.Request, _ caller) error {
	staff, err := s.passkeys.Staff(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Staff []staffMember `json:"staff"`
	}{each(staff, staffMemberOf)})
}

// inviteStaff creates a staff account. The link is shown once and is the only way into the account.
func (s *server) inviteStaff(w http.ResponseWriter, r *http.Request, by caller) error {
	var request struct {
		Name   string       `json:"name"`
		Role   passkey.Role `json:"role"`
		Reason string       `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	invited, invitation, err := s.passkeys.InviteStaff(r.Context(), by.agent(request.Reason), request.Name, request.Role)
	if err != nil {
		return notTwice(err, "Look at the list of staff before you send it again: that may make a second account.")
	}
	return answer(w, http.StatusCreated, struct {
		Staff      staffMember `json:"staff"`
		Invitation link        `json:"invitation"`
	}{staffMemberOf(invited), s.linkOf(invitation)})
}

func (s *server) removeStaff(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	reason, err := optionalReason(r)
	if err != nil {
		return err
	}
	if err := s.passkeys.RemoveStaff(r.Context(), by.agent(reason), passkey.UserID(id)); err != nil {
		return err
	}
	return noContent(w)
}
