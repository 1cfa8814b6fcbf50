package entitlements

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// OverviewDays is how many days, the current one included, the overview looks back and, for documents, ahead.
const OverviewDays = 30

// A replica answers with its last overview for overviewLife. An older one is still the answer for overviewOld, while the
// replica counts again: counting many customers takes longer than a page should wait.
const (
	overviewLife = 15 * time.Second
	overviewOld  = 5 * time.Minute
)

// countPatience is how long counting in the background may take.
const countPatience = 30 * time.Second

// Figures are the counts of an overview as the store reads them. Days are of UTC.
type Figures struct {
	Users          int        // all of them except staff without subscriptions
	Best           []int      // by [Class].Rank: the users whose best subscription is in a class of that rank
	TrialUsers     int        // users with a subscription in a [Class.RunningTrial]
	SignUps        []DayCount // the last OverviewDays, without days of none
	Revocations    []DayCount // likewise: audited acts of support
	Documents      []DayCount // documents with features that may still count now, by the day of their end
	Devices        int        // linked ones
	SilentDay      int        // those of them not in contact for 24 hours
	SilentWeek     int        // and for 7 days
	SilentMonth    int        // and for 30 days
	FailingHooks   int        // deliveries of webhooks to be tried again
	AbandonedHooks int        // and those given up
	Gaps           int        // open ones
}

// DayCount counts what happens on a day.
type DayCount struct {
	Day   time.Time // its start
	Count int
}

// Overview is the state of everything at one instant, in numbers.
type Overview struct {
	Figures
	At         time.Time     // when it was counted
	States     map[State]int // users by the state of the best subscription
	KeysetEnd  time.Time
	SigningEnd time.Time // of the last signing key
}

// overviewCache holds the last overview of this replica.
type overviewCache struct {
	sync.Mutex
	last     Overview
	counting bool // in the background
}

// Overview counts customers, devices and what waits for attention. The answer may be overviewOld; At says when it was
// counted. Concurrent callers wait for one count.
func (s *Service) Overview(ctx context.Context) (Overview, error) {
	s.overview.Lock()
	defer s.overview.Unlock()
	now := s.instant()
	switch age := now.Sub(s.overview.last.At); {
	case age < 0 || age >= overviewOld:
		counted, err := s.count(ctx, now)
		if err != nil {
			return Overview{}, fmt.Errorf("overview: %w", err)
		}
		s.overview.last = counted
	case age >= overviewLife && !s.overview.counting:
		s.overview.counting = true
		go s.countAgain(context.WithoutCancel(ctx), now)
	}
	overview := s.overview.last
	keyset := s.keys.Load().Keyset
	overview.KeysetEnd = keyset.End()
	for _, key := range keyset.Keys {
		if end := time.Unix(key.ExpiresAt, 0).UTC(); end.After(overview.SigningEnd) {
			overview.SigningEnd = end
		}
	}
	return overview, nil
}

// countAgain replaces the last overview. Should it fail, a later request tries again, and reports the error once the last one
// is too old.
func (s *Service) countAgain(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	counted, err := s.count(ctx, now)
	s.overview.Lock()
	defer s.overview.Unlock()
	s.overview.counting = false
	if err == nil && counted.At.After(s.overview.last.At) {
		s.overview.last = counted
	}
}

func (s *Service) count(ctx context.Context, now time.Time) (Overview, error) {
	catalogue, err := s.catalogue(ctx)
	if err != nil {
		return Overview{}, err
	}
	all := classes(catalogue, now)
	figures, err := s.store.Figures(ctx, all, now)
	if err != nil {
		return Overview{}, err
	}
	states, subscribed, counted := map[State]int{}, 0, -1
	for _, class := range all {
		if class.Rank != counted { // one of each rank: they have the same state
			counted = class.Rank
			states[class.Holding.State] += figures.Best[counted]
			subscribed += figures.Best[counted]
		}
	}
	states[StateNone] = max(0, figures.Users-subscribed) // users may be erased between the counts
	return Overview{Figures: figures, At: now, States: states}, nil
}
