package api

import (
	"net/http"

	"holdfast/passkey"
)

// access is the authentication that a route requires.
type access int

const (
	document    access = iota // none: a public document, cacheable and compressible
	open                      // none; the handler looks for a session if it matters
	cookieIfAny               // a live session if there is a cookie; a dead one is refused
	cookie                    // a live session
	cookieProof               // a live session and a DPoP proof
	cookieOr                  // a DPoP proof if there is one, else a live session
	proof                     // a DPoP proof alone
	scoped                    // an admin token or a staff session, with the route's scope
	webhook                   // a signature over the body, which the handler verifies; never called by pages
)

// takesProof reports whether every answer of the route carries the next nonce.
func (a access) takesProof() bool { return a == cookieProof || a == cookieOr || a == proof }

// handler answers an admitted request, or returns an error for fail.
type handler func(http.ResponseWriter, *http.Request, caller) error

// route is one row of the table.
type route struct {
	method, path string
	access       access
	scope        passkey.Scope // scoped routes only
	handler      handler
	query        []string // the accepted parameters; any other is refused
	limit        int64    // of the body, in bytes; 0 means bodyLimit
	stream       bool     // the answer may outlast requestTimeout
	recent       bool     // a session must have authenticated recently
	ceremony     string   // the kind whose outcomes are counted
}

// needsPlace reports whether the route's requests need a place of the gate: all that use the database, except billing
// events. Only a billing system can send those, and their receiver may wait for its API.
func (r route) needsPlace() bool { return r.access != document && r.access != webhook }

// routes returns the whole surface except the other files of app and console, which are served when no route matches.
func (s *server) routes() []route {
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
		read, write                = passkey.SupportRead, passkey.SupportWrite
		billing, admin             = passkey.BillingWrite, passkey.Admin
	)
	return []route{
		{method: post, path: "/v1/registration/options", access: cookieIfAny, recent: true, handler: s.beginRegistration},
		{method: post, path: "/v1/registration", access: open, ceremony: "registration", handler: s.finishRegistration},
		{method: post, path: "/v1/authentication/options", access: open, handler: s.beginAuthentication},
		{method: post, path: "/v1/authentication", access: open, ceremony: "authentication", handler: s.finishAuthentication},
		{method: post, path: "/v1/recovery/options", access: open, handler: s.beginRecovery},
		{method: post, path: "/v1/recovery", access: open, ceremony: "recovery", handler: s.finishRecovery},

		{method: get, path: "/v1/session", access: cookie, handler: s.showSession},
		{method: del, path: "/v1/session", access: open, handler: s.signOut},
		{method: get, path: "/v1/sessions", access: cookie, handler: s.listSessions},
		{method: del, path: "/v1/sessions", access: cookie, recent: true, handler: s.endOtherSessions},
		{method: del, path: "/v1/sessions/{id}", access: cookie, recent: true, handler: s.endSession},
		{method: get, path: "/v1/passkeys", access: cookie, handler: s.listPasskeys},
		{method: patch, path: "/v1/passkeys/{id}", access: cookie, recent: true, handler: s.renamePasskey},
		{method: del, path: "/v1/passkeys/{id}", access: cookie, recent: true, handler: s.deletePasskey},
		{method: get, path: "/v1/recovery-codes", access: cookie, handler: s.showRecoveryCodes},
		{method: post, path: "/v1/recovery-codes", access: cookie, recent: true, handler: s.createRecoveryCodes},
		{method: get, path: "/v1/account/export", access: cookie, recent: true, handler: s.exportAccount},
		{method: del, path: "/v1/account", access: cookie, recent: true, handler: s.eraseAccount},

		{method: post, path: "/v1/devices", access: cookieProof, recent: true, handler: s.linkDevice},
		{method: get, path: "/v1/devices", access: cookie, handler: s.listDevices},
		{method: del, path: "/v1/devices/{id}", access: cookie, recent: true, handler: s.unlinkDevice},
		{method: get, path: "/v1/nonce", access: open, handler: s.showNonce},
		{method: post, path: "/v1/reconcile", access: proof, handler: s.reconcile, limit: reconcileBodyLimit},
		{method: get, path: "/v1/entitlements", access: cookieOr, handler: s.showEntitlements},
		{method: get, path: "/v1/actions", access: cookieOr, handler: s.listActions, query: []string{"after", "limit"}},
		{method: get, path: "/v1/events", access: cookie, handler: s.streamEvents, stream: true},
		{method: post, path: "/v1/vault/keys", access: proof, handler: s.handOverKeys},
		{method: post, path: "/v1/vault/epochs", access: cookie, recent: true, handler: s.newVaultEpoch},
		{method: get, path: "/v1/trial", access: open, handler: s.showTrial},
		{method: post, path: "/v1/trial", access: cookie, recent: true, handler: s.startTrial},
		{method: post, path: "/v1/billing/stripe", access: webhook, handler: s.receiveStripe, limit: webhookBodyLimit},
		{method: post, path: "/v1/billing/webhook", access: webhook, handler: s.receiveWebhook, limit: webhookBodyLimit},

		{method: get, path: "/admin/v1/session", access: scoped, scope: read, handler: s.showAdminSession},
		{method: get, path: "/admin/v1/overview", access: scoped, scope: read, handler: s.showOverview},
		{method: get, path: "/admin/v1/users", access: scoped, scope: read, handler: s.findUsers, query: []string{"q", "sort", "state", "plan", "trial", "from", "to", "limit", "cursor"}},
		{method: post, path: "/admin/v1/users", access: scoped, scope: write, handler: s.createUser},
		{method: get, path: "/admin/v1/users/{id}", access: scoped, scope: read, handler: s.showUser},
		{method: patch, path: "/admin/v1/users/{id}", access: scoped, scope: write, handler: s.changeUser},
		{method: put, path: "/admin/v1/users/{id}", access: scoped, scope: write, handler: s.changeUser},
		{method: post, path: "/admin/v1/users/{id}/recovery", access: scoped, scope: write, handler: s.recoverUser},
		{method: post, path: "/admin/v1/users/{id}/sign-out", access: scoped, scope: write, handler: s.signOutUser},
		{method: post, path: "/admin/v1/users/{id}/grants", access: scoped, scope: write, handler: s.grantDays},
		{method: post, path: "/admin/v1/users/{id}/notes", access: scoped, scope: write, handler: s.writeNote},
		{method: del, path: "/admin/v1/users/{id}/notes/{note}", access: scoped, scope: write, handler: s.deleteNote},
		{method: get, path: "/admin/v1/users/{id}/actions", access: scoped, scope: read, handler: s.pullActions, query: []string{"after", "limit"}},
		{method: get, path: "/admin/v1/users/{id}/ledger", access: scoped, scope: read, handler: s.listLedger, query: []string{"verdict", "limit", "cursor"}},
		{method: post, path: "/admin/v1/users/{id}/ledger/verdict", access: scoped, scope: write, handler: s.changeVerdicts},
		{method: put, path: "/admin/v1/subscriptions/{id}", access: scoped, scope: billing, handler: s.putSubscription},
		{method: get, path: "/admin/v1/subscriptions/{id}/revocation", access: scoped, scope: read, handler: s.showRevocation},
		{method: post, path: "/admin/v1/subscriptions/{id}/revoke", access: scoped, scope: write, handler: s.revokeSubscription},
		{method: post, path: "/admin/v1/subscriptions/{id}/suspend", access: scoped, scope: write, handler: s.suspendSubscription},
		{method: post, path: "/admin/v1/subscriptions/{id}/reinstate", access: scoped, scope: write, handler: s.reinstateSubscription},
		{method: post, path: "/admin/v1/devices/{id}/revoke", access: scoped, scope: write, handler: s.revokeDevice},
		{method: post, path: "/admin/v1/devices/{id}/release", access: scoped, scope: write, handler: s.releaseDevice},
		{method: get, path: "/admin/v1/plans", access: scoped, scope: read, handler: s.listPlans},
		{method: get, path: "/admin/v1/plans/{id}", access: scoped, scope: read, handler: s.showPlan},
		{method: put, path: "/admin/v1/plans/{id}", access: scoped, scope: admin, handler: s.putPlan},
		{method: get, path: "/admin/v1/packs/{feature}/keys", access: scoped, scope: admin, handler: s.listPackKeys},
		{method: post, path: "/admin/v1/packs/{feature}/epochs", access: scoped, scope: admin, handler: s.newPackEpoch},
		{method: get, path: "/admin/v1/gaps", access: scoped, scope: read, handler: s.listGaps, query: []string{"limit", "cursor"}},
		{method: post, path: "/admin/v1/gaps/{id}/close", access: scoped, scope: write, handler: s.closeGap},
		{method: get, path: "/admin/v1/staff", access: scoped, scope: admin, handler: s.listStaff},
		{method: post, path: "/admin/v1/staff", access: scoped, scope: admin, handler: s.inviteStaff},
		{method: del, path: "/admin/v1/staff/{id}", access: scoped, scope: admin, handler: s.removeStaff},
		{method: get, path: "/admin/v1/webhooks", access: scoped, scope: read, handler: s.listWebhooks, query: []string{"state", "limit", "cursor"}},
		{method: post, path: "/admin/v1/webhooks/{id}/resend", access: scoped, scope: admin, handler: s.resendWebhook},
		{method: get, path: "/admin/v1/audit", access: scoped, scope: read, handler: s.listAudit, query: []string{"user", "actor", "action", "from", "to", "limit", "cursor"}},
		{method: get, path: "/admin/v1/audit/export", access: scoped, scope: admin, handler: s.exportAudit, query: []string{"user"}, stream: true},

		{method: get, path: "/v1/status-lists/{n}", access: document, handler: s.showStatusList, query: []string{"time"}},
		{method: get, path: "/.well-known/jwks.json", access: document, handler: s.showJWKS},
		{method: get, path: "/.well-known/holdfast-keyset", access: document, handler: s.showKeyset},
		{method: get, path: "/.well-known/webauthn", access: document, handler: s.showRelatedOrigins},
		{method: get, path: "/.well-known/passkey-endpoints", access: document, handler: s.showPasskeyEndpoints},
		{method: get, path: "/openapi.yaml", access: document, handler: s.showOpenAPI},
		{method: get, path: "/roots.json", access: document, handler: s.showRoots},
		{method: get, path: "/sw.js", access: document, handler: s.showApp},
		{method: get, path: "/support", access: document, handler: s.showApp},
		{method: get, path: "/", access: document, handler: s.showApp},
	}
}
