package entitlements

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Feature is what a plan grants under a name.
type Feature struct {
	// Limit is how many the user may have; nil is without limit.
	Limit *int64 `json:"limit,omitempty"`
	// Offline says whether the feature is in documents. One that is not is granted by the server alone.
	Offline bool `json:"offline"`
}

// Plan is an entry of the catalogue.
type Plan struct {
	ID       PlanID
	Features map[string]Feature
	// Window is the longest life of a document under this plan; 0 is the server's offline window, which is also the
	// most that counts.
	Window time.Duration
	// Grace is how long the features stay after the paid time.
	Grace       time.Duration
	DeviceLimit int
	// Rank orders plans: the higher is the better.
	Rank int
}

// DefaultDeviceLimit is the device limit of a user without any plan.
const DefaultDeviceLimit = 5

var (
	planName    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	featureName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.:-]{0,63}$`)
)

const (
	maxFeatures = 100
	maxDuration = 10 * 365 * 24 * time.Hour
)

func (p Plan) validate() error {
	if !planName.MatchString(string(p.ID)) {
		return fmt.Errorf("%w: a plan's id is 1 to 64 of a-z, 0-9, _ and -", ErrInvalid)
	}
	if len(p.Features) > maxFeatures {
		return fmt.Errorf("%w: a plan has at most %d features", ErrInvalid, maxFeatures)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Features)) {
		if !featureName.MatchString(name) {
			return fmt.Errorf("%w: a feature's name is 1 to 64 of a-z, 0-9, _ . : and -", ErrInvalid)
		}
		if limit := p.Features[name].Limit; limit != nil && (*limit < 0 || *limit > 1<<53-1) {
			return fmt.Errorf("%w: limit of feature %s", ErrInvalid, name)
		}
	}
	for _, d := range []time.Duration{p.Window, p.Grace} {
		if d < 0 || d > maxDuration || d%time.Second != 0 {
			return fmt.Errorf("%w: window and grace are whole seconds, at most ten years", ErrInvalid)
		}
	}
	if p.DeviceLimit < 1 || p.DeviceLimit > 1000 {
		return fmt.Errorf("%w: device_limit is 1 to 1000", ErrInvalid)
	}
	if p.Rank < -1_000_000 || p.Rank > 1_000_000 {
		return fmt.Errorf("%w: rank is at most a million", ErrInvalid)
	}
	return nil
}

// Plans is the whole catalogue, best first.
func (s *Service) Plans(ctx context.Context) ([]Plan, error) {
	plans, err := s.store.Plans(ctx)
	if err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	slices.SortFunc(plans, betterPlan)
	return plans, nil
}

// Plan is one entry of the catalogue, or [ErrNotFound].
func (s *Service) Plan(ctx context.Context, id PlanID) (Plan, error) {
	plans, err := s.store.Plans(ctx)
	if err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	for _, plan := range plans {
		if plan.ID == id {
			return plan, nil
		}
	}
	return Plan{}, ErrNotFound
}

// PutPlan makes or changes a plan, with the reason that was given, if any, and raises the revision of every user who has
// it. It fails with [ErrInvalid].
func (s *Service) PutPlan(ctx context.Context, actor string, plan Plan, reason string) (Plan, error) {
	if err := plan.validate(); err != nil {
		return Plan{}, err
	}
	if err := validIfGiven(reason); err != nil {
		return Plan{}, err
	}
	if err := s.store.PutPlan(ctx, actor, plan, reason, s.instant()); err != nil {
		return Plan{}, fmt.Errorf("put plan: %w", err)
	}
	return plan, nil
}
