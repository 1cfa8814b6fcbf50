package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/api/stripe"
	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/passkey"
	"holdfast/passkey/reasons"
)

// refusal is an error answer: the status, a stable code, and a text for people that never reveals whether a user or a
// credential exists. It implements error, so that handlers can return it.
type refusal struct {
	status       int
	code, detail string
}

func (r refusal) Error() string { return r.code }

// The refusals of this package.
var (
	invalidRequest       = refusal{http.StatusBadRequest, "invalid_request", "The request is not what this route takes."}
	unsupportedMediaType = refusal{http.StatusUnsupportedMediaType, "unsupported_media_type", "The body must be application/json."}
	payloadTooLarge      = refusal{http.StatusRequestEntityTooLarge, "payload_too_large", "The body is larger than this route takes."}
	bodyTimeout          = refusal{http.StatusRequestTimeout, "invalid_request", "The body did not arrive in time."}
	methodNotAllowed     = refusal{http.StatusMethodNotAllowed, "method_not_allowed", "This path does not take this method; Allow says which it takes."}
	notFound             = refusal{http.StatusNotFound, "not_found", "There is nothing here."}
	unauthenticated      = refusal{http.StatusUnauthorized, "unauthenticated", "Sign in first."}
	notRecent            = refusal{http.StatusForbidden, "reauthentication_required", "This needs an authentication in the last 10 minutes; for staff who only read, in the last 12 hours."}
	forbidden            = refusal{http.StatusForbidden, "forbidden", "This needs a scope that the token, or the role of the user who is signed in, does not include."}
	crossOrigin          = refusal{http.StatusForbidden, "cross_origin", "Pages of other origins may not do this."}
	invalidProof         = refusal{http.StatusUnauthorized, "invalid_dpop_proof", "The DPoP proof does not fit this request."}
	useNonce             = refusal{http.StatusUnauthorized, "use_dpop_nonce", "Make the proof again with the nonce in DPoP-Nonce."}
	unsigned             = refusal{http.StatusUnauthorized, "unauthenticated", "The signature does not fit this body and time, or is older than 5 minutes."}
	rateLimited          = refusal{http.StatusTooManyRequests, "rate_limited", "There were too many attempts; Retry-After says when to try again."}
	unavailable          = refusal{http.StatusServiceUnavailable, "unavailable", "The service cannot answer just now; try again soon."}
	outcomeUnknown       = refusal{http.StatusServiceUnavailable, unavailable.code, unknownDetail + "Sending it again is safe."}
	internal             = refusal{http.StatusInternalServerError, "internal", "Something went wrong on our side."}
)

// unknownDetail begins the text of an answer whose outcome is unknown; advice follows.
const unknownDetail = "The outcome is unknown: the change may have been made, but is not confirmed to last. "

// refusals is the only mapping from domain errors to answers; the first match wins. Any other error is a 500 with a fixed
// text.
var refusals = []struct {
	err    error
	answer refusal
}{
	{passkey.ErrUnauthenticated, unauthenticated},
	{passkey.ErrNotRecent, notRecent},
	{passkey.ErrForbidden, forbidden},
	{passkey.ErrForeignOrigin, refusal{http.StatusForbidden, "cross_origin", "This account belongs to a staff member: sign in and make passkeys at the server's own origin."}},
	{passkey.ErrStaffAccount, refusal{http.StatusForbidden, "forbidden", "This account belongs to a staff member: it needs the scope admin."}},
	{reasons.ErrMissing, refusal{invalidRequest.status, invalidRequest.code, "This change needs a reason."}},
	{passkey.ErrInvalid, invalidRequest},
	{passkey.ErrBusy, rateLimited},
	{passkey.ErrInviteOnly, refusal{http.StatusForbidden, "forbidden", "Accounts are made by invitation here."}},
	{passkey.ErrCeremony, refusal{http.StatusBadRequest, "ceremony_invalid", "This ceremony or code is wrong, ended or used; start again."}},
	{passkey.ErrCredentialRejected, refusal{http.StatusBadRequest, "credential_rejected", "This passkey was not accepted; try another one."}},
	{passkey.ErrLastPasskey, refusal{http.StatusConflict, "last_passkey", "The last passkey cannot be deleted; add another one, or make recovery codes, first."}},
	{passkey.ErrOwnRole, refusal{http.StatusConflict, "conflict", "You cannot remove yourself: another admin can."}},
	{passkey.ErrLastAdmin, refusal{http.StatusConflict, "conflict", "No other admin has a passkey: invite one first."}},
	{passkey.ErrTooManyNotes, refusal{http.StatusConflict, "conflict", "There are as many notes about this user as there can be: delete one first."}},
	{passkey.ErrTooManyPasskeys, refusal{http.StatusConflict, "conflict", "You have as many passkeys as an account can hold; delete one first."}},
	{passkey.ErrConflict, refusal{http.StatusConflict, "conflict", "This contradicts what is stored."}},
	{passkey.ErrNotFound, notFound},

	{dpop.ErrUseNonce, useNonce},
	{dpop.ErrInvalidProof, invalidProof},
	{entitlements.ErrInvalid, invalidRequest},
	{entitlements.ErrUserUnknown, refusal{http.StatusBadRequest, "invalid_request", "There is no such user."}},
	{entitlements.ErrPlanUnknown, refusal{http.StatusBadRequest, "invalid_request", "There is no such plan."}},
	{entitlements.ErrDeviceUnknown, refusal{http.StatusNotFound, "device_unknown", "This device is not known, or the proof is not by its key."}},
	{entitlements.ErrLineageInvalid, refusal{http.StatusBadRequest, "lineage_invalid", "The lineage is not one of this server for this device."}},
	{entitlements.ErrLedgerInvalid, refusal{http.StatusBadRequest, "ledger_invalid", "Nothing of the ledger can be taken; reconcile without it."}},
	{entitlements.ErrConflict, refusal{http.StatusConflict, "conflict", "This contradicts what is stored."}},
	{stripe.ErrSignature, unsigned},
	{stripe.ErrForeign, refusal{http.StatusForbidden, "forbidden", "This event is of another account, or of the other mode, live or test."}},
	{stripe.ErrInvalid, invalidRequest},
	{entitlements.ErrBusy, unavailable},
	{passkey.ErrContended, unavailable},
	{entitlements.ErrKeysetEnded, unavailable},
	{entitlements.ErrBeforeKeys, unavailable},
	{entitlements.ErrClockOff, unavailable},
	{entitlements.ErrNoTrial, notFound},
	{entitlements.ErrNoVault, notFound},
	{entitlements.ErrNotFound, notFound},
}

// problem is a problem document (RFC 9457). Each member after Instance belongs to a particular code.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Instance string `json:"instance"`

	Devices []occupant `json:"devices,omitempty"` // device_limit: the devices that count, oldest first

	Document   string     `json:"document,omitempty"` // device_forked: the signed document about it
	Passkeys   string     `json:"passkeys,omitempty"`
	Keyset     string     `json:"keyset,omitempty"`
	ServerTime *time.Time `json:"server_time,omitempty"`
	Verdicts   []verdict  `json:"verdicts,omitempty"`

	Ledger *ledgerRefusal `json:"ledger,omitempty"` // ledger_invalid: why
}

// classify returns the refusal for an error, with the members that belong to it.
func classify(ctx context.Context, err error) (refusal, problem) {
	var extra problem
	var answer refusal
	if errors.As(err, &answer) {
		return answer, extra
	}
	if limit, ok := errors.AsType[*entitlements.DeviceLimitError](err); ok {
		extra.Devices = each(limit.Devices, occupantOf)
		return refusal{http.StatusConflict, "device_limit",
			"The plan allows no further device. Link it in place of one, or wait until a place frees up."}, extra
	}
	if _, ok := errors.AsType[*entitlements.LinkRateError](err); ok {
		return refusal{rateLimited.status, rateLimited.code, "Many devices were linked in the last hour; Retry-After says when to try again."}, extra
	}
	if forked, ok := errors.AsType[*entitlements.ForkedError](err); ok {
		r := forked.Reconciled
		extra.Document, extra.Passkeys, extra.Keyset, extra.ServerTime = r.Document, r.Passkeys, r.Keyset, new(r.ServerTime.UTC())
		extra.Verdicts = each(r.Verdicts, verdictOf)
		return refusal{http.StatusConflict, "device_forked", "Two copies of this device exist; sign in to link it again."}, extra
	}
	if unfit, ok := errors.AsType[*entitlements.LedgerError](err); ok {
		extra.Ledger = ledgerRefusalOf(unfit.Refusal)
	}
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			answer = known.answer
			if sentence, ok := sentenceOf(err); ok {
				answer.detail = sentence
			}
			return answer, extra
		}
	}
	if isOutcomeUnknown(err) {
		return outcomeUnknown, extra
	}
	if isUnavailable(ctx, err) {
		return unavailable, extra
	}
	return internal, extra
}

func isOutcomeUnknown(err error) bool {
	lost, ok := errors.AsType[interface {
		error
		OutcomeUnknown() bool
	}](err)
	return ok && lost.OutcomeUnknown()
}

// notTwice adds advice to err if its outcome is unknown, for requests that must not simply be sent again.
func notTwice(err error, advice string) error {
	if !isOutcomeUnknown(err) {
		return err
	}
	return fmt.Errorf("%w: %w", refusal{outcomeUnknown.status, outcomeUnknown.code, unknownDetail + advice}, err)
}

// sentenceOf returns the text for people in an error that provides one.
func sentenceOf(err error) (string, bool) {
	if errors.Is(err, passkey.ErrInvalid) {
		return err.Error(), true
	}
	if errors.Is(err, entitlements.ErrInvalid) { // it follows the sentinel's own text
		_, sentence, ok := strings.Cut(err.Error(), entitlements.ErrInvalid.Error()+": ")
		return sentence, ok
	}
	return "", false
}

// isUnavailable reports whether the database, or the time to wait for it, was unavailable: another try may work.
func isUnavailable(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	down, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err)
	return ok && down.Unavailable()
}

// outcome returns the result of a request for metrics: ok, or the problem's code.
func outcome(ctx context.Context, err error) string {
	if err == nil {
		return "ok"
	}
	refused, _ := classify(ctx, err)
	return refused.code
}

// retryAfter is the default value of Retry-After.
const retryAfter = 2 * time.Second

// statusClientGone is the status in logs and metrics for a client that disconnected before the answer, as in nginx.
const statusClientGone = 499

// fail answers err with its problem document, and logs the cause if the answer does not contain it.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer, body := classify(r.Context(), err)
	id := requestID(r.Context())
	switch {
	case answer.code == unavailable.code && errors.Is(r.Context().Err(), context.Canceled):
		answer.status = statusClientGone // nobody reads the answer, and the server is not at fault
	case answer == overloaded: // metrics tell: log lines would only add to the load
	case answer.status >= http.StatusInternalServerError:
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("request", id), slog.String("code", answer.code), slog.Any("error", err))
	case answer.code == "credential_rejected":
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "credential rejected", slog.String("request", id), slog.Any("error", err))
	}

	s.metrics.refusals.WithLabelValues(answer.code).Inc()

	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch answer.code {
	case useNonce.code:
		if stale, ok := errors.AsType[*entitlements.NonceError](err); ok {
			h.Set("DPoP-Nonce", stale.Nonce)
		}
		h.Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
	case invalidProof.code:
		h.Set("WWW-Authenticate", `DPoP error="invalid_dpop_proof", algs="ES256"`)
	}
	if answer.status == http.StatusTooManyRequests || answer.status == http.StatusServiceUnavailable {
		wait := retryAfter
		if often, ok := errors.AsType[*tooOften](err); ok {
			wait = often.wait
		} else if links, ok := errors.AsType[*entitlements.LinkRateError](err); ok {
			wait = links.Wait
		}
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	body.Type = "urn:holdfast:problem:" + answer.code
	body.Title = title(answer.code)
	body.Status, body.Detail, body.Code = answer.status, answer.detail, answer.code
	body.Instance = "urn:uuid:" + canonicalID(id)
	writeJSON(w, answer.status, "application/problem+json", body)
}

// title returns the code in words: "invalid_request" becomes "Invalid request".
func title(code string) string {
	words := strings.ReplaceAll(code, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
