package api

import (
	"net/http"
	"time"

	"holdfast/entitlements"
)

type dayCount struct {
	Day   string `json:"day"` // UTC
	Count int    `json:"count"`
}

func dayCountOf(c entitlements.DayCount) dayCount {
	return dayCount{c.Day.UTC().Format(time.DateOnly), c.Count}
}

// customerCounts are counts of users by the state of what they have.
type customerCounts struct {
	All     int `json:"all"`
	Active  int `json:"active"`
	Grace   int `json:"grace"`
	Expired int `json:"expired"`
	Revoked int `json:"revoked"`
	None    int `json:"none"`
	Trials  int `json:"trials"`
}

type documentCounts struct {
	Live int        `json:"live"`
	Ends []dayCount `json:"ends"`
}

type deviceCounts struct {
	Linked      int `json:"linked"`
	SilentDay   int `json:"silent_day"`
	SilentWeek  int `json:"silent_week"`
	SilentMonth int `json:"silent_month"`
}

// showOverview returns the console's first page, in numbers.
func (s *server) showOverview(w http.ResponseWriter, r *http.Request, _ caller) error {
	o, err := s.entitlements.Overview(r.Context())
	if err != nil {
		return err
	}
	live := 0
	for _, day := range o.Documents {
		live += day.Count
	}
	return answer(w, http.StatusOK, struct {
		CountedAt         time.Time      `json:"counted_at"`
		Customers         customerCounts `json:"customers"`
		SignUps           []dayCount     `json:"sign_ups"`
		Revocations       []dayCount     `json:"revocations"`
		Documents         documentCounts `json:"documents"`
		Devices           deviceCounts   `json:"devices"`
		FailingWebhooks   int            `json:"failing_webhooks"`
		AbandonedWebhooks int            `json:"abandoned_webhooks"`
		OpenGaps          int            `json:"open_gaps"`
		KeysetEndsAt      time.Time      `json:"keyset_ends_at"`
		SigningKeyEndsAt  time.Time      `json:"signing_key_ends_at"`
	}{
		o.At.UTC(),
		customerCounts{
			o.Users, o.States[entitlements.StateActive], o.States[entitlements.StateGrace], o.States[entitlements.StateExpired],
			o.States[entitlements.StateRevoked], o.States[entitlements.StateNone], o.TrialUsers,
		},
		each(o.SignUps, dayCountOf), each(o.Revocations, dayCountOf), documentCounts{live, each(o.Documents, dayCountOf)},
		deviceCounts{o.Devices, o.SilentDay, o.SilentWeek, o.SilentMonth},
		o.FailingHooks, o.AbandonedHooks, o.Gaps, o.KeysetEnd.UTC(), o.SigningEnd.UTC(),
	})
}
