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

// Version names what the plan says: whoever changes it can say of which version, and is refused where it is another by then.
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

// takesAway says whether a document given under before may hold a feature that the plan lacks by now, or outlast it.
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

// PutPlan makes or changes a plan, with the reason that was given, if any. From when it returns, the plan decides. The
// revisions of those who have it are raised after that, see [Service.RaiseHolders]. A caller who has seen the version that is
// replaced names it: "" is none, so that the plan is to be new; nil is whichever there is. It fails with [ErrInvalid], and
// with [ErrConflict] where it is another version by now.
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

// raisePoll is how often a server looks whether holders are left to raise that nobody told it of: those that another
// server was at when it ended.
const raisePoll = 2 * time.Second

// RaiseHolders raises, until ctx ends, the revisions of the users who have a plan that was changed, batch by batch and
// turn by turn with the other servers, so that no reconcile ever waits for more than one batch. Where the change took
// something away, the status list says of the documents that they hold that they are invalid, and their devices get new
// indices. A value on changed hurries it; without any, it looks by itself. Where a server ends, another goes on.
//
// Report is as of [Repeat]. RaiseHolders must be called once, in a goroutine of its own.
func (s *Service) RaiseHolders(ctx context.Context, changed <-chan struct{}, report func(error)) {
	Repeat(ctx, raisePoll, changed, func(ctx context.Context) (err error) {
		for more := true; more && err == nil; {
			more, err = s.store.RaiseHolders(ctx, s.instant())
		}
		return err
	}, report)
}

// planState is what the trail holds of a plan; durations in seconds. Nil stays nil.
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
