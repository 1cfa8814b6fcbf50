package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast/passkey"
)

// admitAdmin authenticates the caller of the admin API, an admin token or else a staff session, and checks that the caller
// has scope. If the request carries a token, only the token counts.
func (s *server) admitAdmin(w http.ResponseWriter, r *http.Request, scope passkey.Scope) (caller, error) {
	var by caller
	var err error
	if isAuthorised(r) {
		by, err = s.bearer(w, r, scope)
	} else {
		by, err = s.staffSession(w, r, scope)
	}
	if errors.Is(err, passkey.ErrUnauthenticated) && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return by, err
}

// isAuthorised reports whether the request carries a token. Browsers never add one by themselves.
func isAuthorised(r *http.Request) bool { return r.Header.Get("Authorization") != "" }

// bearer finds the admin token of the request. The bootstrap token has every scope.
func (s *server) bearer(w http.ResponseWriter, r *http.Request, scope passkey.Scope) (caller, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return caller{}, passkey.ErrUnauthenticated
	}
	hash := sha256.Sum256([]byte(secret))
	if s.bootstrap != [sha256.Size]byte{} && subtle.ConstantTimeCompare(hash[:], s.bootstrap[:]) == 1 {
		return caller{actor: "token:bootstrap", secret: secret, scopes: passkey.Scopes()}, nil
	}
	token, err := s.passkeys.Token(r.Context(), secret)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 §3.1
		return caller{}, err
	}
	if !token.Allows(scope) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, scope))
		return caller{}, forbidden
	}
	return caller{actor: "token:" + token.ID, secret: secret, scopes: scopesThat(token.Allows)}, nil
}

// staffSession returns the request's session with its user's current role. Pages of other origins cannot use it, not even
// those of allowed origins: they may call only /v1.
func (s *server) staffSession(w http.ResponseWriter, r *http.Request, scope passkey.Scope) (caller, error) {
	if isCrossOrigin(r, s.origin) {
		return caller{}, crossOrigin
	}
	session, err := s.session(w, r)
	if err != nil {
		return caller{}, err
	}
	if err := session.Permits(scope, changes(r), s.now()); err != nil {
		return caller{}, err
	}
	return caller{
		session: session, actor: "staff:" + string(session.User.ID), secret: string(s.sessionToken(r)), scopes: scopesThat(session.Role.Allows),
	}, nil
}

func scopesThat(allows func(passkey.Scope) bool) []passkey.Scope {
	return slices.DeleteFunc(passkey.Scopes(), func(scope passkey.Scope) bool { return !allows(scope) })
}

// mayAdmin reports whether the caller has the admin scope, whichever scope the route requires.
func (c caller) mayAdmin() bool { return slices.Contains(c.scopes, passkey.Admin) }

// guardStaffKeys stops pages of allowed origins from adding lasting access to a staff member's account: a passkey (a script
// can act as the authenticator), recovery codes or a device. Such pages act for a user of the app and must not gain staff
// access. The session's origin decides; requests whose Origin header names another origin are refused, too.
func (s *server) guardStaffKeys(r *http.Request, session passkey.Session) error {
	if err := session.MayAdd(); err != nil {
		return err
	}
	if session.Role != "" && isCrossOrigin(r, s.origin) {
		return crossOrigin
	}
	return nil
}

// optionalReason reads a body that may be absent or lack a reason.
func optionalReason(r *http.Request) (string, error) {
	var request struct {
		Reason string `json:"reason"`
	}
	err := decodeOptional(r, &request)
	return request.Reason, err
}

// decodeReason reads a body with a reason.
func decodeReason(r *http.Request) (string, error) {
	var request struct {
		Reason string `json:"reason"`
	}
	err := decode(r, &request)
	return request.Reason, err
}

// agent returns the caller as package passkey describes callers, with the reason they gave.
func (c caller) agent(reason string) passkey.Agent {
	return passkey.Agent{Actor: c.actor, Admin: c.mayAdmin(), Reason: reason}
}

// showAdminSession returns the caller's identity and scopes to a console or script.
func (s *server) showAdminSession(w http.ResponseWriter, _ *http.Request, by caller) error {
	shown := struct {
		Actor           string          `json:"actor"`
		User            *user           `json:"user"`
		Role            *passkey.Role   `json:"role"`
		Scopes          []passkey.Scope `json:"scopes"`
		AuthenticatedAt *time.Time      `json:"authenticated_at"`
		KeysetEndsAt    time.Time       `json:"keyset_ends_at"`
	}{Actor: by.actor, Scopes: by.scopes, KeysetEndsAt: s.entitlements.KeysetEnd().UTC()}
	if by.isStaff() {
		shown.User, shown.Role = new(userOf(by.session.User)), &by.session.Role
		shown.AuthenticatedAt = new(by.session.AuthenticatedAt.UTC())
	}
	return answer(w, http.StatusOK, shown)
}
