package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/ledger"
	"holdfast/passkey"
)

// ledgerHead is the last ledger entry that the server has taken; its hash is null before the first one.
type ledgerHead struct {
	Seq  int64   `json:"seq"`
	Hash *string `json:"hash"`
}

func ledgerHeadOf(head ledger.Head) ledgerHead {
	if head.Seq == 0 {
		return ledgerHead{}
	}
	return ledgerHead{head.Seq, new(head.Hash.String())}
}

// verdict is the verdict on an entry of the request.
type verdict struct {
	Seq     int64          `json:"seq"`
	Verdict ledger.Outcome `json:"verdict"`
	Code    ledger.Reason  `json:"code,omitempty"`
}

func verdictOf(taken entitlements.Taken) verdict {
	return verdict{taken.Seq, taken.Verdict.Outcome, taken.Verdict.Reason}
}

// ledgerRefusal says why an entry was not taken, nor those after it; Seq is null for the whole batch.
type ledgerRefusal struct {
	Seq  *int64      `json:"seq"`
	Code ledger.Code `json:"code"`
}

func ledgerRefusalOf(refused *ledger.Refusal) *ledgerRefusal {
	if refused == nil {
		return nil
	}
	return &ledgerRefusal{orNull(refused.Seq), refused.Code}
}

// action is an act as feeds, support and an account export show it.
type action struct {
	Position   *int64                `json:"position"` // null if it was never accepted
	ID         string                `json:"id"`
	Device     entitlements.DeviceID `json:"device"`
	Seq        int64                 `json:"seq"`
	At         int64                 `json:"at"` // unix seconds, by the device
	Feature    string                `json:"feature"`
	Action     string                `json:"action"`
	Payload    jsontext.Value        `json:"payload"`
	Verdict    ledger.Outcome        `json:"verdict"`
	Code       *ledger.Reason        `json:"code"`
	ReceivedAt time.Time             `json:"received_at"`
}

func actionOf(a entitlements.Action) action {
	e := a.Entry
	return action{
		orNull(a.Position), e.Hash.String(), a.Device, e.Seq, e.At, e.Feature, e.Action, e.Payload, a.Verdict.Outcome,
		orNull(a.Verdict.Reason), a.ReceivedAt.UTC(),
	}
}

// listActions answers with the user's feed after a position.
func (s *server) listActions(w http.ResponseWriter, r *http.Request, by caller) error {
	after, limit, err := feedQuery(r)
	if err != nil {
		return err
	}
	user := by.user()
	if by.proof != nil {
		if user, err = s.entitlements.ProvenUser(r.Context(), by.proof.JKT); err != nil {
			return err
		}
	}
	return s.answerFeed(w, r, user, after, limit)
}

// pullActions answers a host with a user's feed after a position.
func (s *server) pullActions(w http.ResponseWriter, r *http.Request, _ caller) error {
	user, err := pathUUID(r)
	if err != nil {
		return err
	}
	after, limit, err := feedQuery(r)
	if err != nil {
		return err
	}
	if _, err := s.entitlements.Account(r.Context(), entitlements.UserID(user)); err != nil {
		return err
	}
	return s.answerFeed(w, r, entitlements.UserID(user), after, limit)
}

// feedQuery reads the position after which a page of a feed begins, and its size.
func feedQuery(r *http.Request) (after int64, limit int, err error) {
	if limit, err = queryLimit(r); err != nil {
		return 0, 0, err
	}
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return 0, 0, refusal{invalidRequest.status, invalidRequest.code, "after must be a position."}
		}
	}
	return after, limit, nil
}

func (s *server) answerFeed(w http.ResponseWriter, r *http.Request, user entitlements.UserID, after int64, limit int) error {
	actions, err := s.entitlements.Actions(r.Context(), user, after, limit+1)
	if err != nil {
		return err
	}
	var next *int64
	if len(actions) > limit {
		actions = actions[:limit]
		next = &actions[limit-1].Position
	}
	return answer(w, http.StatusOK, struct {
		Actions []action `json:"actions"`
		Next    *int64   `json:"next"`
	}{each(actions, actionOf), next})
}

// listLedger shows support what a user's devices recorded, the newest first.
func (s *server) listLedger(w http.ResponseWriter, r *http.Request, _ caller) error {
	user, err := pathUUID(r)
	if err != nil {
		return err
	}
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := entitlements.LedgerQuery{User: entitlements.UserID(user), Limit: limit + 1}
	switch outcome := ledger.Outcome(r.URL.Query().Get("verdict")); outcome {
	case "", ledger.Accepted, ledger.Rejected, ledger.Superseded:
		query.Outcome = outcome
	default:
		return refusal{invalidRequest.status, invalidRequest.code, "verdict must be accepted, rejected or superseded."}
	}
	if text := r.URL.Query().Get("cursor"); text != "" {
		if query.Before, err = ledgerID(text); err != nil {
			return invalidRequest
		}
	}
	if _, err := s.entitlements.Account(r.Context(), query.User); err != nil {
		return err
	}
	entries, err := s.entitlements.Ledger(r.Context(), query)
	if err != nil {
		return err
	}
	entries, next := cutPage(entries, limit, func(a entitlements.Action) string { return a.Entry.Hash.String() })
	return answer(w, http.StatusOK, struct {
		Entries []action `json:"entries"`
		Next    *string  `json:"next"`
	}{each(entries, actionOf), next})
}

func ledgerID(text string) (id ledger.Hash, err error) {
	b, err := jose.DecodeBase64(text)
	if err != nil || len(b) != len(id) {
		return id, invalidRequest
	}
	return ledger.Hash(b), nil
}

// changeVerdicts lets support or a host let entries in, or supersede them.
func (s *server) changeVerdicts(w http.ResponseWriter, r *http.Request, by caller) error {
	user, err := pathUUID(r)
	if err != nil {
		return err
	}
	var request struct {
		Entries []string       `json:"entries"`
		Verdict ledger.Outcome `json:"verdict"`
		Reason  string         `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	ids := make([]ledger.Hash, len(request.Entries))
	for i, text := range request.Entries {
		if ids[i], err = ledgerID(text); err != nil {
			return refusal{invalidRequest.status, invalidRequest.code, "entries must be ids of entries."}
		}
	}
	if err := s.passkeys.MayChange(r.Context(), by.agent(request.Reason), passkey.UserID(user)); err != nil {
		return err
	}
	changed, err := s.entitlements.ChangeVerdicts(r.Context(), by.actor, entitlements.UserID(user), ids, request.Verdict, request.Reason)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Entries []action `json:"entries"`
	}{each(changed, actionOf)})
}
