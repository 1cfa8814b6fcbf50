package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements"
)

type auditEntry struct {
	ID     int64          `json:"id"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor"`
	Action string         `json:"action"`
	Object string         `json:"object"`
	User   *string        `json:"user"`
	Before jsontext.Value `json:"before"` // an absent one marshals as null
	After  jsontext.Value `json:"after"`
	Reason *string        `json:"reason"`
}

func auditOf(trail []entitlements.AuditEntry) []auditEntry {
	entries := make([]auditEntry, 0, len(trail))
	for _, e := range trail {
		entries = append(entries, auditEntry{
			e.ID, e.At.UTC(), e.Actor, e.Action, e.Object, orNull(e.User), jsontext.Value(e.Before), jsontext.Value(e.After), orNull(e.Reason),
		})
	}
	return entries
}

// queryBefore is the cursor of a list of audit entries: the id of the last one seen; 0 without one.
func queryBefore(r *http.Request) (int64, error) {
	text := r.URL.Query().Get("cursor")
	if text == "" {
		return 0, nil
	}
	before, err := strconv.ParseInt(text, 10, 64)
	if err != nil || before < 1 {
		return 0, invalidRequest
	}
	return before, nil
}

// listAudit pages through the trail, newest first. A cursor is the id of the last entry seen, so pages stay whole while
// entries come in.
func (s *server) listAudit(w http.ResponseWriter, r *http.Request, _ caller) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	asked := entitlements.AuditQuery{Limit: limit + 1} // one more tells whether there is a next page
	if text := r.URL.Query().Get("user"); text != "" {
		id, ok := canonicalUUID(text)
		if !ok {
			return invalidRequest
		}
		asked.User = entitlements.UserID(id)
	}
	if asked.Before, err = queryBefore(r); err != nil {
		return err
	}
	trail, err := s.entitlements.Audit(r.Context(), asked)
	if err != nil {
		return err
	}
	var next *string
	if len(trail) > limit {
		trail = trail[:limit]
		next = new(strconv.FormatInt(trail[limit-1].ID, 10))
	}
	return answer(w, http.StatusOK, struct {
		Entries []auditEntry `json:"entries"`
		Next    *string      `json:"next"`
	}{auditOf(trail), next})
}
