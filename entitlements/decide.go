package entitlements

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is the state of the user's subscriptions in a document: that of the best one.
type State string

// The states, best first. Revoked comes before expired: many have an old trial beside what was taken from them, and the
// answer to why they have nothing is that it was taken.
const (
	StateActive  State = "active"
	StateGrace   State = "grace"
	StateRevoked State = "revoked"
	StateExpired State = "expired"
	StateNone    State = "none"
)

var stateRank = map[State]int{StateActive: 4, StateGrace: 3, StateRevoked: 2, StateExpired: 1, StateNone: 0}

// Reason explains why there are no features; empty if nothing needs explaining.
type Reason string

const (
	ReasonRevoked       Reason = "revoked"
	ReasonSuspended     Reason = "suspended"
	ReasonDisputed      Reason = "disputed"
	ReasonLapsed        Reason = "lapsed"
	ReasonDeviceForked  Reason = "device_forked"
	ReasonDeviceRemoved Reason = "device_removed"
)

// Ending is the reason why no payment is awaited at the end of the paid time; empty if one is. It is for display only:
// no decision depends on it.
type Ending string

const (
	EndingTrial     Ending = "trial"
	EndingGranted   Ending = "granted" // days that support granted
	EndingCancelled Ending = "cancelled"
)

// Worth is what one subscription is worth at one instant.
type Worth struct {
	State  State
	Reason Reason
	// End is when its features end unless it changes: at the end of the paid time, or of the grace after it.
	End time.Time
	// Decides marks the best subscription, whose state the user is shown.
	Decides bool
}

// Worth judges each of the account's subscriptions at now, in their order.
func (a Account) Worth(now time.Time) []Worth {
	best := a.Decide(now).Best
	worth := make([]Worth, len(a.Subscriptions))
	for i, s := range a.Subscriptions {
		j := judge(s, a.Plans[s.Plan], now.Truncate(time.Second))
		worth[i] = Worth{State: j.state, Reason: j.reason, End: s.end(j.plan), Decides: s.ID == best}
	}
	return worth
}

// Decision is what a user may use at one instant.
type Decision struct {
	Best        SubscriptionID // the best subscription; "" if there is none
	State       State
	Reason      Reason
	Since       *time.Time // when the best subscription entered that state; nil if nothing needs explaining
	PaidThrough *time.Time // of the best subscription
	Ending      Ending     // of the best subscription
	Plans       []PlanID   // those that grant, best first
	Features    map[string]Feature
	DeviceLimit int

	// Window is the longest life that the plan allows a document; 0 means the server's offline window.
	Window time.Duration
	// End is the latest end of a document with the offline features: no feature in it outlives the paid time and grace,
	// or the window, of its subscription. Zero if no feature is usable offline.
	End time.Time
}

// Decide judges all subscriptions of one user at now, in whole seconds. Features are the union, limits the highest, the
// state that of the best subscription. A subscription whose plan is not in plans grants nothing.
//
// A document carries all features to one end, so a subscription that adds something bounds it by its own end. One that
// adds nothing to what longer-lived ones grant does not shorten it.
func Decide(subscriptions []Subscription, plans map[PlanID]Plan, now time.Time) Decision {
	now = now.Truncate(time.Second)
	judged := make([]*judgement, 0, len(subscriptions))
	for _, s := range subscriptions {
		judged = append(judged, judge(s, plans[s.Plan], now))
	}
	slices.SortFunc(judged, func(a, b *judgement) int {
		return cmp.Or(
			better(a, b),
			b.subscription.PaidThrough.Compare(a.subscription.PaidThrough),
			strings.Compare(string(a.subscription.ID), string(b.subscription.ID)),
		)
	})

	d := Decision{State: StateNone, Features: map[string]Feature{}, DeviceLimit: DefaultDeviceLimit}
	if len(judged) == 0 {
		return d
	}
	best := judged[0]
	paidThrough := best.subscription.PaidThrough.Truncate(time.Second)
	d.Best, d.State, d.Reason, d.PaidThrough, d.Window = best.subscription.ID, best.state, best.reason, &paidThrough, best.plan.Window
	d.Ending = best.subscription.ending()
	if !best.since.IsZero() {
		d.Since = new(best.since.Truncate(time.Second))
	}

	granting := slices.DeleteFunc(judged, func(j *judgement) bool { return !j.grants })
	if len(granting) > 0 {
		d.DeviceLimit = 0
	}
	for _, j := range granting {
		d.DeviceLimit = max(d.DeviceLimit, j.plan.DeviceLimit)
		if !slices.Contains(d.Plans, j.plan.ID) {
			d.Plans = append(d.Plans, j.plan.ID)
		}
	}

	slices.SortStableFunc(granting, func(a, b *judgement) int { return b.end.Compare(a.end) })
	for _, j := range granting {
		added := false
		for _, name := range slices.Sorted(maps.Keys(j.plan.Features)) {
			have, ok := d.Features[name]
			merged := j.plan.Features[name]
			if ok {
				merged = union(have, merged)
			}
			d.Features[name] = merged
			added = added || merged.Offline && (!ok || !same(have, merged))
		}
		if added {
			d.End = j.end
		}
	}
	return d
}

// judgement is the judgement of one subscription.
type judgement struct {
	subscription Subscription
	plan         Plan
	state        State
	reason       Reason
	since        time.Time // when the state began, if it needs explaining
	grants       bool
	end          time.Time // if it grants: when a document under it must end
}

// better orders judgements by state and plan, best first.
func better(a, b *judgement) int {
	return cmp.Or(cmp.Compare(stateRank[b.state], stateRank[a.state]), betterPlan(a.plan, b.plan))
}

func judge(s Subscription, plan Plan, now time.Time) *judgement {
	j := &judgement{subscription: s, plan: plan}
	paid, end := s.PaidThrough.Truncate(time.Second), s.end(plan)
	dispute := s.withheld()
	withdrawn := s.WithdrawnAt
	if withdrawn.IsZero() {
		withdrawn = s.UpdatedAt
	}
	switch {
	case s.Revoked:
		j.state, j.reason, j.since = StateRevoked, ReasonRevoked, withdrawn
	case s.Suspended:
		j.state, j.reason, j.since = StateRevoked, ReasonSuspended, withdrawn
	case dispute != nil:
		j.state, j.reason, j.since = StateRevoked, ReasonDisputed, time.Unix(dispute.At, 0).UTC()
	case s.State != SubscriptionPastDue && now.Before(paid):
		j.state, j.grants = StateActive, true
	case now.Before(end):
		j.state, j.grants, j.since = StateGrace, true, paid
		if now.Before(paid) { // billing reports the end ahead of time
			j.since = s.UpdatedAt
		}
	default:
		j.state, j.reason, j.since = StateExpired, ReasonLapsed, end
	}
	j.end = end
	if window := now.Add(plan.Window); plan.Window > 0 && window.Before(end) {
		j.end = window
	}
	return j
}

// end returns when the paid time and the grace of its plan end.
func (s Subscription) end(plan Plan) time.Time {
	end := s.PaidThrough.Truncate(time.Second)
	if !s.Ends {
		end = end.Add(plan.Grace)
	}
	return end
}

func (s Subscription) ending() Ending {
	switch {
	case strings.HasPrefix(string(s.ID), grantPrefix):
		return EndingGranted
	case !s.Ends:
		return ""
	case s.State == SubscriptionTrialing:
		return EndingTrial
	default:
		return EndingCancelled
	}
}

func union(a, b Feature) Feature {
	merged := Feature{Offline: a.Offline || b.Offline}
	if a.Limit != nil && b.Limit != nil {
		merged.Limit = new(max(*a.Limit, *b.Limit))
	}
	return merged
}

func same(a, b Feature) bool {
	if a.Offline != b.Offline || (a.Limit == nil) != (b.Limit == nil) {
		return false
	}
	return a.Limit == nil || *a.Limit == *b.Limit
}

func betterPlan(a, b Plan) int {
	return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(a.ID, b.ID))
}
