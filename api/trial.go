package api

import "net/http"

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
