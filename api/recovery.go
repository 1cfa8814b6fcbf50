package api

import (
	"net/http"
	"time"

	"holdfast/passkey"
)

// beginRecovery begins a registration for the account that a one-time code opens: a recovery code or a link's code.
func (s *server) beginRecovery(w http.ResponseWriter, r *http.Request, _ caller) error {
	var request struct {
		Code string `json:"code"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	return s.beginCeremony(w, func() (begun passkey.Options, err error) {
		err = s.tryCode(r, request.Code, func() (err error) {
			begun, err = s.passkeys.BeginRecovery(r.Context(), request.Code)
			return err
		})
		return begun, err
	})
}

// finishRecovery also returns the devices: the lost passkey may have been on one of them.
func (s *server) finishRecovery(w http.ResponseWriter, r *http.Request, _ caller) error {
	request, err := decodeFinish(r)
	if err != nil {
		return err
	}
	var in passkey.SignedIn
	err = s.tryPasskey(r, passkey.ClaimOf(request.Credential), func() (err error) {
		in, err = s.passkeys.FinishRecovery(r.Context(), s.sessionToken(r), request.Ceremony, request.Credential, userAgent(r))
		return err
	})
	if err != nil {
		return notTwice(err, tryPasskeyFirst)
	}
	s.setSession(w, in)
	linked, err := s.entitlements.Devices(r.Context(), caller{session: in.Session}.user())
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		signedIn
		Devices []device `json:"devices"`
	}{signedInOf(in), each(linked, deviceOf)})
}

// createRecoveryCodes creates recovery codes and shows them once.
func (s *server) createRecoveryCodes(w http.ResponseWriter, r *http.Request, by caller) error {
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	if err := s.guardStaffKeys(r, by.session); err != nil {
		return err
	}
	if wait := s.buckets.take([]name{s.buckets.name("codes", string(by.session.User.ID), codesLimit)}); wait > 0 {
		return &tooOften{wait}
	}
	codes, err := s.passkeys.CreateRecoveryCodes(r.Context(), by.session)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		Codes []string `json:"codes"`
	}{codes})
}

type recoveryCodes struct {
	Left      int        `json:"left"`
	CreatedAt *time.Time `json:"created_at"`
}

func (s *server) showRecoveryCodes(w http.ResponseWriter, r *http.Request, by caller) error {
	codes, err := s.passkeys.RecoveryCodes(r.Context(), by.session.User.ID)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, recoveryCodes{codes.Left, utc(codes.CreatedAt)})
}
