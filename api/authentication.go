package api

import (
	"net/http"

	"holdfast/passkey"
)

func (s *server) beginAuthentication(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	return s.beginCeremony(w, s.passkeys.BeginAuthentication)
}

func (s *server) finishAuthentication(w http.ResponseWriter, r *http.Request, _ caller) error {
	request, err := decodeFinish(r)
	if err != nil {
		return err
	}
	said := passkey.ReadAssertion(request.Credential)
	var in passkey.SignedIn
	err = s.create(func() error {
		return s.tryPasskey(r, said.Claim, func() (err error) {
			in, err = s.passkeys.FinishAuthentication(r.Context(), s.sessionToken(r), request.Ceremony, said, userAgent(r))
			return err
		})
	}, s.signIns(said.User))
	if err != nil {
		return notTwice(err, "Sign in again: this ceremony may be spent.")
	}
	s.setSession(w, in)
	return answer(w, http.StatusOK, signedInOf(in))
}
