package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"holdfast/passkey"
)

// options is the answer to a begun ceremony. PublicKey is the input of the browser's parse…OptionsFromJSON.
type options struct {
	Ceremony  string         `json:"ceremony"`
	PublicKey jsontext.Value `json:"publicKey"`
}

func optionsOf(o passkey.Options) options {
	return options{o.Ceremony, jsontext.Value(o.PublicKey)}
}

// finish is the body that finishes a ceremony. Credential is the output of the browser's toJSON.
type finish struct {
	Ceremony   string         `json:"ceremony"`
	Credential jsontext.Value `json:"credential"`
}

// tryPasskeyFirst is the advice when the outcome of a registration is unknown: its ceremony may be spent, and another one
// would create a second account or passkey.
const tryPasskeyFirst = "Sign in with the new passkey; if that is not accepted, start again."

func decodeFinish(r *http.Request) (finish, error) {
	var request finish
	if err := decode(r, &request); err != nil {
		return finish{}, err
	}
	if request.Ceremony == "" || request.Credential.Kind() != '{' {
		return finish{}, invalidRequest
	}
	return request, nil
}

type user struct {
	ID   passkey.UserID `json:"id"`
	Name string         `json:"name"`
}

func userOf(u passkey.User) user { return user{u.ID, u.Name} }

// signedIn is the answer to a finished ceremony.
type signedIn struct {
	User    user        `json:"user"`
	Passkey passkeyItem `json:"passkey"`
	Notices []notice    `json:"notices"`
}

func signedInOf(in passkey.SignedIn) signedIn {
	return signedIn{userOf(in.User), passkeyOf(in.Passkey), each(in.Notices, noticeOf)}
}

// setSession sets the session cookie.
func (s *server) setSession(w http.ResponseWriter, in passkey.SignedIn) {
	s.setCookie(w, s.sessionCookie(), string(in.Token), in.Session.ExpiresAt.Sub(s.now()))
}

// userAgent returns the header as valid UTF-8; package passkey turns it into words.
func userAgent(r *http.Request) string { return strings.ToValidUTF8(r.UserAgent(), "") }

// beginRegistration begins a new account, or adds a passkey to the signed-in account. A dead cookie is an error: a user who
// believes they are signed in must not end up with a second account.
func (s *server) beginRegistration(w http.ResponseWriter, r *http.Request, by caller) error {
	var request struct {
		Name string `json:"name"`
	}
	if err := decodeOptional(r, &request); err != nil {
		return err
	}
	if by.session.ID == "" {
		return s.beginCeremony(w, func() (passkey.Options, error) {
			return s.passkeys.BeginRegistration(request.Name)
		}, s.registrations(r))
	}
	if err := s.guardStaffKeys(r, by.session); err != nil {
		return err
	}
	return s.beginCeremony(w, func() (passkey.Options, error) {
		return s.passkeys.BeginPasskey(r.Context(), by.session)
	}, s.signIns(by.session.User.ID))
}

func (s *server) finishRegistration(w http.ResponseWriter, r *http.Request, _ caller) error {
	request, err := decodeFinish(r)
	if err != nil {
		return err
	}
	// Without a live session, a new account can still be finished; adding to an existing account is refused.
	var live *passkey.Session
	counted := s.registrations(r)
	switch session, err := s.liveSession(r); {
	case err == nil:
		live, counted = &session, s.signIns(session.User.ID)
	case !errors.Is(err, passkey.ErrUnauthenticated):
		return err
	}
	var in passkey.SignedIn
	err = s.create(func() error {
		return s.tryPasskey(r, passkey.ClaimOf(request.Credential), func() (err error) {
			in, err = s.passkeys.FinishRegistration(r.Context(), live, request.Ceremony, request.Credential, userAgent(r))
			return err
		})
	}, counted)
	if err != nil {
		return notTwice(err, tryPasskeyFirst)
	}
	s.setSession(w, in)
	return answer(w, http.StatusCreated, signedInOf(in))
}
