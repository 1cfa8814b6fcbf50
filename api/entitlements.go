package api

import (
	"net/http"
	"time"

	"holdfast/entitlements"
)

// decision is what a user may use now, online-only features included.
type decision struct {
	State       entitlements.State              `json:"state"`
	Reason      *entitlements.Reason            `json:"reason"`
	Since       *time.Time                      `json:"since"`
	PaidThrough *time.Time                      `json:"paid_through"`
	Plans       []entitlements.PlanID           `json:"plans"`
	Features    map[string]entitlements.Feature `json:"features"`
}

func decisionOf(d entitlements.Decision) decision {
	return decision{d.State, orNull(d.Reason), utc(d.Since), utc(d.PaidThrough), d.Plans, d.Features}
}

// freshFor is how long a back end may go by an answer: as long as by a status list.
const freshFor = entitlements.StatusListTTL

// showEntitlements answers the user's pages, and back ends on other hosts that pass on a device's proof to learn who sent it.
func (s *server) showEntitlements(w http.ResponseWriter, r *http.Request, by caller) error {
	var current entitlements.Entitlements
	var err error
	if by.proof != nil {
		current, err = s.entitlements.DeviceEntitlements(r.Context(), *by.proof)
	} else {
		current, err = s.entitlements.Entitlements(r.Context(), by.user())
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		User       entitlements.UserID `json:"user"`
		ExternalID *string             `json:"external_id"`
		Revision   int64               `json:"revision"`
		FreshFor   int64               `json:"fresh_for"` // in seconds
		decision
		HelpURL *string `json:"help_url"`
	}{current.User, orNull(current.ExternalID), current.Revision, int64(freshFor / time.Second), decisionOf(current.Decision), orNull(s.helpURL)})
}
