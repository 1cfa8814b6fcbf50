package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// deviceCookieLife is the longest time for which browsers keep a cookie.
const deviceCookieLife = 400 * 24 * time.Hour

// cookieName prefixes name with __Host- on an https origin, which binds the cookie to this host. On plain http localhost it
// adds no prefix, because WebKit refuses such cookies there.
func (s *server) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

func (s *server) sessionCookie() string { return s.cookieName("holdfast") }
func (s *server) deviceCookie() string  { return s.cookieName("holdfast-device") }

// setCookie sets a cookie that expires after life, or clears it if value is "".
func (s *server) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	maxAge := int(life / time.Second)
	if value == "" || maxAge < 1 {
		value, maxAge = "", -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure except on http localhost, where some browsers refuse that
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}

// sessionToken returns the session cookie's value, or "" without one.
func (s *server) sessionToken(r *http.Request) passkey.SessionToken {
	cookie, err := r.Cookie(s.sessionCookie())
	if err != nil {
		return ""
	}
	return passkey.SessionToken(cookie.Value)
}

// cookieDevice returns the device that the browser's device cookie proves, or "".
func (s *server) cookieDevice(r *http.Request) entitlements.DeviceID {
	cookie, err := r.Cookie(s.deviceCookie())
	if err != nil {
		return ""
	}
	return s.entitlements.BrowserDevice(cookie.Value)
}

// liveSession returns the session that the cookie opens.
func (s *server) liveSession(r *http.Request) (passkey.Session, error) {
	token := s.sessionToken(r)
	if token == "" {
		return passkey.Session{}, passkey.ErrUnauthenticated
	}
	return s.passkeys.Session(r.Context(), token)
}

// session is liveSession for routes that require a session: it clears a dead cookie.
func (s *server) session(w http.ResponseWriter, r *http.Request) (passkey.Session, error) {
	session, err := s.liveSession(r)
	if errors.Is(err, passkey.ErrUnauthenticated) && s.sessionToken(r) != "" {
		s.setCookie(w, s.sessionCookie(), "", 0)
	}
	return session, err
}

func (s *server) showSession(w http.ResponseWriter, r *http.Request, by caller) error {
	notices, err := s.passkeys.Notices(r.Context(), by.session)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		User            user      `json:"user"`
		AuthenticatedAt time.Time `json:"authenticated_at"`
		ExpiresAt       time.Time `json:"expires_at"`
		Notices         []notice  `json:"notices"`
	}{userOf(by.session.User), by.session.AuthenticatedAt.UTC(), by.session.ExpiresAt.UTC(), each(notices, noticeOf)})
}

// signOut ends the session and, on request, unlinks a device. Without a session, signing out succeeds but unlinking is
// refused, so that the client knows that the device is still linked. Unlinking a device other than this browser's own
// requires a recent authentication.
func (s *server) signOut(w http.ResponseWriter, r *http.Request, _ caller) error {
	var request struct {
		Device *string `json:"device"`
	}
	if err := decodeOptional(r, &request); err != nil {
		return err
	}
	device, err := bodyUUID(request.Device)
	if err != nil {
		return err
	}
	session, err := s.session(w, r)
	if errors.Is(err, passkey.ErrUnauthenticated) && device == "" {
		return noContent(w)
	}
	if err != nil {
		return err
	}
	if device != "" {
		if device != string(s.cookieDevice(r)) && !session.Recent(s.now()) {
			return notRecent
		}
		user := entitlements.UserID(session.User.ID)
		err := s.entitlements.Unlink(r.Context(), "user:"+string(user), user, entitlements.DeviceID(device))
		switch {
		case errors.Is(err, entitlements.ErrNotFound): // not the user's: nothing to unlink
		case err != nil:
			return err
		case device == string(s.cookieDevice(r)):
			s.setCookie(w, s.deviceCookie(), "", 0)
		}
	}
	if err := s.passkeys.SignOut(r.Context(), session); err != nil {
		return err
	}
	s.setCookie(w, s.sessionCookie(), "", 0)
	return noContent(w)
}

type sessionItem struct {
	ID              string    `json:"id"`
	UserAgent       string    `json:"user_agent"`
	Passkey         *string   `json:"passkey"` // the passkey that opened it
	AuthenticatedAt time.Time `json:"authenticated_at"`
	LastActiveAt    time.Time `json:"last_active_at"`
	ExpiresAt       time.Time `json:"expires_at"`
	Current         bool      `json:"current"`
}

func sessionsOf(sessions []passkey.Session, current passkey.Session) []sessionItem {
	return each(sessions, func(session passkey.Session) sessionItem {
		return sessionItem{
			session.ID, session.UserAgent, orNull(base64.RawURLEncoding.EncodeToString(session.Passkey)), session.AuthenticatedAt.UTC(),
			session.LastActiveAt.UTC(), session.ExpiresAt.UTC(), session.ID == current.ID,
		}
	})
}

func (s *server) listSessions(w http.ResponseWriter, r *http.Request, by caller) error {
	sessions, err := s.passkeys.Sessions(r.Context(), by.session.User.ID)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Sessions []sessionItem `json:"sessions"`
	}{sessionsOf(sessions, by.session)})
}

// endOtherSessions ends all of the user's sessions except the one of the request.
func (s *server) endOtherSessions(w http.ResponseWriter, r *http.Request, by caller) error {
	if err := s.passkeys.EndOtherSessions(r.Context(), by.session); err != nil {
		return err
	}
	return noContent(w)
}

func (s *server) endSession(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	if err := s.passkeys.EndSession(r.Context(), by.session.User.ID, id); err != nil {
		return err
	}
	if id == by.session.ID {
		s.setCookie(w, s.sessionCookie(), "", 0)
	}
	return noContent(w)
}
