package entitlements

import (
	"context"
	"fmt"
	"slices"
)

// Holding is what a user has at one instant, in short, for lists of users.
type Holding struct {
	State State
	Plan  PlanID // of the best subscription; "" if there is none
	Trial bool   // whether the best subscription is a trial
}

// HoldingFilter selects holdings. A zero member selects all.
type HoldingFilter struct {
	State State
	Plan  PlanID
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
	return (f.State == "" || f.State == h.State) && (f.Plan == "" || f.Plan == h.Plan)
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
