package entitlements

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"holdfast/entitlements/jose"
)

// Feature is what a plan grants under a name.
type Feature struct {
	// Limit is the number that the user may have; nil is unlimited.
	Limit *int64 `json:"limit,omitempty"`
	// Offline says whether documents carry the feature. The server alone grants the others.
	Offline bool `json:"offline"`
}

// Plan is an entry of the catalogue.
type Plan struct {
	ID       PlanID
	Features map[string]Feature
	// Window is the longest life of a document under this plan; 0 means the server's offline window, which is also the
	// upper bound.
	Window time.Duration
	// Grace is how long the features stay after the paid time.
	Grace       time.Duration
	DeviceLimit int
	// Rank orders plans: the higher, the better.
	Rank int
}

// Version identifies the content of the plan: an editor can name the version to replace, and is refused if another has
// taken its place.
func (p Plan) Version() string {
	sum := sha256.Sum256(planState(&p))
	return jose.EncodeBase64(sum[:12])
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

// Plans returns the whole catalogue, best first.
func (s *Service) Plans(ctx context.Context) ([]Plan, error) {
	plans, err := s.store.Plans(ctx)
	if err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	slices.SortFunc(plans, betterPlan)
	return plans, nil
}

// Plan returns one entry of the catalogue, or [ErrNotFound].
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

// takesAway reports whether a document issued under before may hold a feature that the plan now lacks, or outlast it.
// Window is the server's offline window.
func (p Plan) takesAway(before Plan, window time.Duration) bool {
	life := func(p Plan) time.Duration {
		if p.Window == 0 {
			return window
		}
		return min(p.Window, window)
	}
	return loses(Decision{Features: before.Features}, Decision{Features: p.Features}) || p.Grace < before.Grace || life(p) < life(before)
}

// PutPlan makes or changes a plan, with an optional reason. Once it returns, the plan decides. The holders' revisions
// are raised after that, see [Service.RaiseHolders]. A caller may name the version to replace: "" requires a new plan,
// nil accepts any version. It fails with [ErrInvalid], and with [ErrConflict] if the stored version is another.
func (s *Service) PutPlan(ctx context.Context, actor string, plan Plan, reason string, version *string) (Plan, error) {
	if err := plan.validate(); err != nil {
		return Plan{}, err
	}
	if err := CheckReason(actor, reason); err != nil {
		return Plan{}, err
	}
	err := s.store.PutPlan(ctx, plan, s.instant(), func(before *Plan) (PlanChange, error) {
		present := ""
		if before != nil {
			present = before.Version()
		}
		if version != nil && *version != present {
			return PlanChange{}, fmt.Errorf("%w: the plan is another one by now", ErrConflict)
		}
		change := PlanChange{Audit: AuditEntry{
			Actor: actor, Action: "plan.put", Object: "plan:" + string(plan.ID), Before: planState(before), After: planState(&plan),
			Reason: reason,
		}}
		if before != nil {
			change.Raise, change.Withdraw = true, plan.takesAway(*before, s.config.OfflineWindow)
		}
		return change, nil
	})
	if err != nil {
		return Plan{}, fmt.Errorf("put plan: %w", err)
	}
	return plan, nil
}

// raisePoll is how often a server looks for holders left to raise without a notification: those that another server was
// raising when it ended.
const raisePoll = 2 * time.Second

// RaiseHolders raises, until ctx ends, the revisions of the users who have a changed plan. Servers take turns, batch by
// batch, so that no reconcile ever waits for more than one batch. If the change took something away, the holders'
// documents become invalid in the status list, and their devices get new indices. A value on changed triggers it at
// once; without one, it polls. If a server ends, another continues.
//
// It calls report as [Repeat] does. RaiseHolders must be called once, in its own goroutine.
func (s *Service) RaiseHolders(ctx context.Context, changed <-chan struct{}, report func(error)) {
	Repeat(ctx, raisePoll, changed, func(ctx context.Context) (err error) {
		for more := true; more; {
			if err = s.ClockOff(); err != nil { // it would not find the documents that are still alive
				return err
			}
			if more, err = s.store.RaiseHolders(ctx, s.instant()); err != nil {
				return err
			}
		}
		return nil
	}, report)
}

// planState returns the audited state of a plan; durations in seconds. Nil stays nil.
func planState(p *Plan) json.RawMessage {
	if p == nil {
		return nil
	}
	return auditJSON(struct {
		Features    map[string]Feature `json:"features"`
		Window      int64              `json:"window"` // 0: the server's offline window
		Grace       int64              `json:"grace"`
		DeviceLimit int                `json:"device_limit"`
		Rank        int                `json:"rank"`
	}{p.Features, int64(p.Window / time.Second), int64(p.Grace / time.Second), p.DeviceLimit, p.Rank})
}
