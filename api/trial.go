package api

import "net/http"

// showTrial says what trial is on offer, which the app mentions before there is an account.
func (s *server) showTrial(w http.ResponseWriter, r *http.Request, _ caller) error {
	length, err := s.entitlements.TrialLength(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Seconds int64 `json:"seconds"`
	}{int64(length.Seconds())})
}

func (s *server) startTrial(w http.ResponseWriter, r *http.Request, by caller) error {
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	trial, revision, err := s.entitlements.StartTrial(r.Context(), by.user())
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, subscriptionAnswer{subscriptionOf(trial), revision})
}
