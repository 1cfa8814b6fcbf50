package api

import "net/http"

// beginRecovery begins a registration for the account that the code opens.
func (s *server) beginRecovery(w http.ResponseWriter, r *http.Request, _ caller) error {
	var request struct {
		Code string `json:"code"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	begun, err := s.passkeys.BeginEnrolment(r.Context(), request.Code)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, optionsOf(begun))
}

func (s *server) finishRecovery(w http.ResponseWriter, r *http.Request, _ caller) error {
	request, err := decodeFinish(r)
	if err != nil {
		return err
	}
	in, err := s.passkeys.FinishEnrolment(r.Context(), s.sessionToken(r), request.Ceremony, request.Credential, userAgent(r))
	if err != nil {
		return err
	}
	return s.signedIn(w, http.StatusCreated, in)
}
