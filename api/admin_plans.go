package api

import (
	"math"
	"net/http"
	"time"

	"holdfast/entitlements"
)

// plan is an entry of the catalogue. Window and Grace are in seconds.
type plan struct {
	ID          entitlements.PlanID             `json:"id"`
	Features    map[string]entitlements.Feature `json:"features"`
	Window      *int64                          `json:"window"` // null: the server's offline window
	Grace       int64                           `json:"grace"`
	DeviceLimit int                             `json:"device_limit"`
	Rank        int                             `json:"rank"`
	Version     string                          `json:"version"` // of all fields above
}

func planOf(p entitlements.Plan) plan {
	shown := plan{p.ID, p.Features, nil, int64(p.Grace / time.Second), p.DeviceLimit, p.Rank, p.Version()}
	if p.Window != 0 {
		shown.Window = new(int64(p.Window / time.Second))
	}
	return shown
}

// seconds converts n to a duration. Out of range, it returns the longest or shortest duration, which no plan allows.
func seconds(n int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	return time.Duration(min(max(n, -most), most)) * time.Second
}

func (s *server) listPlans(w http.ResponseWriter, r *http.Request, _ caller) error {
	catalogue, err := s.entitlements.Plans(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Plans []plan `json:"plans"`
	}{each(catalogue, planOf)})
}

func (s *server) showPlan(w http.ResponseWriter, r *http.Request, _ caller) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	found, err := s.entitlements.Plan(r.Context(), entitlements.PlanID(id))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, planOf(found))
}

// putPlan accepts the output of showPlan plus a reason, so that a plan can be read, edited and put back. It refuses the
// change if somebody else has changed the plan meanwhile.
func (s *server) putPlan(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	var request struct {
		plan
		// Offline is required for every feature: a missing one would silently remove the feature from documents.
		Features map[string]*struct {
			Limit   *int64 `json:"limit"`
			Offline *bool  `json:"offline"`
		} `json:"features"`
		Version *string `json:"version"`
		Reason  string  `json:"reason"`
	}
	request.ID = entitlements.PlanID(id)
	if err := decode(r, &request); err != nil {
		return err
	}
	if string(request.ID) != id || request.Features == nil || request.Window != nil && *request.Window == 0 {
		return invalidRequest
	}
	features := make(map[string]entitlements.Feature, len(request.Features))
	for name, feature := range request.Features {
		if feature == nil || feature.Offline == nil {
			return refusal{invalidRequest.status, invalidRequest.code, "Every feature must say whether it is offline."}
		}
		features[name] = entitlements.Feature{Limit: feature.Limit, Offline: *feature.Offline}
	}
	put := entitlements.Plan{
		ID: request.ID, Features: features, Grace: seconds(request.Grace), DeviceLimit: request.DeviceLimit, Rank: request.Rank,
	}
	if request.Window != nil {
		put.Window = seconds(*request.Window)
	}
	stored, err := s.entitlements.PutPlan(r.Context(), by.actor, put, request.Reason, request.Version)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, planOf(stored))
}
