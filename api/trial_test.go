package api_test

import (
	"testing"
	"time"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

func TestTrialOnOffer(t *testing.T) {
	for name, c := range map[string]struct {
		length time.Duration
		plan   entitlements.PlanID
		want   float64
	}{
		"two weeks":       {14 * 24 * time.Hour, "premium", 1_209_600},
		"none":            {0, "premium", 0},
		"of no such plan": {14 * 24 * time.Hour, "gold", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(_ *api.Config, _ *passkey.Config, e *entitlements.Config) {
				e.TrialLength, e.TrialPlan = c.length, c.plan
			})
			offer := w.browser().do("GET", "/v1/trial", nil).want(t, 200, "")
			if offer.member("seconds") != c.want {
				t.Errorf("want %v: %s", c.want, offer.body)
			}
			if c.want == 0 {
				ada := w.browser()
				ada.register("Ada")
				ada.do("POST", "/v1/trial", nil).want(t, 404, "not_found")
			}
		})
	}
}
