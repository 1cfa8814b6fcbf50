package entitlements

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Holding is what a user has at one instant, in short, for lists of users.
type Holding struct {
	State State
	Plan  PlanID // of the best subscription; "" if there is none
	Trial bool   // whether the best subscription is a trial
}

func (h Holding) runningTrial() bool { return h.Trial && h.State == StateActive }

// HoldingFilter selects holdings. A zero member selects all.
type HoldingFilter struct {
	State State
	Plan  PlanID
	Trial bool // only trials that grant
}

// Check returns [ErrInvalid] for a state that does not exist.
func (f HoldingFilter) Check() error {
	if states := []State{StateActive, StateGrace, StateExpired, StateRevoked, StateNone}; f.State != "" && !slices.Contains(states, f.State) {
		return fmt.Errorf("%w: the state must be one of %q", ErrInvalid, states)
	}
	return nil
}

// Selects reports whether the filter selects the holding.
func (f HoldingFilter) Selects(h Holding) bool {
	return (f.State == "" || f.State == h.State) && (f.Plan == "" || f.Plan == h.Plan) && (!f.Trial || h.runningTrial())
}

// Holdings returns what each of the users has now.
func (s *Service) Holdings(ctx context.Context, users []UserID) (map[UserID]Holding, error) {
	catalogue, err := s.catalogue(ctx)
	if err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	all, err := s.store.Subscriptions(ctx, users)
	if err != nil {
		return nil, fmt.Errorf("holdings: %w", err)
	}
	of := map[UserID][]Subscription{}
	for _, subscription := range all {
		of[subscription.User] = append(of[subscription.User], subscription)
	}
	now, holdings := s.instant(), make(map[UserID]Holding, len(users))
	for _, user := range users {
		decision := Decide(of[user], catalogue, now)
		holding := Holding{State: decision.State, Trial: decision.Ending == EndingTrial}
		for _, subscription := range of[user] {
			if subscription.ID == decision.Best {
				holding.Plan = subscription.Plan
			}
		}
		holdings[user] = holding
	}
	return holdings, nil
}

// Class is a set of subscriptions with the same judgement at one instant. A subscription of the plan belongs to the class
// of its State, Ends and Withdrawn whose span, from From to before Until, contains its PaidThrough; a zero time is no bound.
type Class struct {
	Plan        PlanID
	State       SubscriptionState
	Ends        bool
	Withdrawn   bool
	From, Until time.Time

	// Holding is what a user has whose best subscription is in the class.
	Holding Holding
	// Rank is the place of the class in the order of [Decide], by state and plan: the lower, the better.
	Rank int
}

// RunningTrial reports whether the class is of trials that grant.
func (c Class) RunningTrial() bool { return c.Holding.runningTrial() }

// classes returns the classes of all subscriptions at now, best first. [Decide] judges a member of each.
func classes(catalogue map[PlanID]Plan, now time.Time) []Class {
	now = now.Truncate(time.Second)
	type judged struct {
		Class
		*judgement
	}
	var all []judged
	for _, plan := range catalogue {
		for _, state := range []SubscriptionState{SubscriptionTrialing, SubscriptionActive, SubscriptionPastDue, SubscriptionCancelled} {
			for _, facts := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
				first := len(all)
				// A judgement changes when the paid time ends, and when the grace after it does.
				for _, until := range []time.Time{now.Add(time.Second - plan.Grace), now.Add(time.Second), {}} {
					class := Class{Plan: plan.ID, State: state, Ends: facts[0], Withdrawn: facts[1], Until: until}
					member := Subscription{Plan: plan.ID, State: state, Ends: class.Ends, Revoked: class.Withdrawn, PaidThrough: until.Add(-time.Second)}
					if until.IsZero() {
						member.PaidThrough = now.Add(time.Second)
					}
					decision := Decide([]Subscription{member}, catalogue, now)
					class.Holding = Holding{decision.State, plan.ID, decision.Ending == EndingTrial}
					if last := len(all) - 1; last >= first && all[last].Holding == class.Holding {
						all[last].Until = until
						continue
					}
					if len(all) > first {
						class.From = all[len(all)-1].Until
					}
					all = append(all, judged{class, judge(member, plan, now)})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b judged) int { return better(a.judgement, b.judgement) })
	sorted := make([]Class, len(all))
	for i, each := range all {
		sorted[i] = each.Class
		if i > 0 {
			sorted[i].Rank = sorted[i-1].Rank
			if better(all[i-1].judgement, each.judgement) != 0 {
				sorted[i].Rank++
			}
		}
	}
	return sorted
}

// Candidates returns the users that the filter, which must not be zero, selects now, if there are at most limit; otherwise
// few is false. With a plan or Trial, a few of them may have something as good, or better, that is not selected.
func (s *Service) Candidates(ctx context.Context, filter HoldingFilter, limit int) (users []UserID, few bool, err error) {
	catalogue, err := s.catalogue(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("candidates: %w", err)
	}
	all := classes(catalogue, s.instant())
	var selected []int
	for i, class := range all {
		if filter.Selects(class.Holding) {
			selected = append(selected, i)
		}
	}
	if filter.Selects(Holding{State: StateNone}) {
		users, err = s.store.Unsubscribed(ctx, limit+1)
	} else {
		users, err = s.store.Subscribers(ctx, all, selected, limit+1)
	}
	if err != nil {
		return nil, false, fmt.Errorf("candidates: %w", err)
	}
	return users, len(users) <= limit, nil
}

// catalogue reads all plans, by id.
func (s *Service) catalogue(ctx context.Context) (map[PlanID]Plan, error) {
	plans, err := s.store.Plans(ctx)
	if err != nil {
		return nil, err
	}
	catalogue := make(map[PlanID]Plan, len(plans))
	for _, plan := range plans {
		catalogue[plan.ID] = plan
	}
	return catalogue, nil
}
