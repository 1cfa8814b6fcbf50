package entitlements

import (
	"context"
	"fmt"
	"time"
)

// duePoll is how often a server looks for subscriptions whose time has come.
const duePoll = time.Minute

// Due is what is stored after a subscription was looked at.
type Due struct {
	ID SubscriptionID
	// Expiring and Grace say that the trail, and so the endpoints, have the event about the present paid time.
	Expiring, Grace bool
	// At is when to look again, unless the subscription changes before; zero for never.
	At time.Time
}

// KeepTellingDue calls [Service.TellDue] every minute until ctx ends. It calls report as [Repeat] does.
func (s *Service) KeepTellingDue(ctx context.Context, report func(error)) {
	Repeat(ctx, duePoll, nil, s.TellDue, report)
}

// TellDue writes into the trail that subscriptions expire within [Config.ExpiringLead], and that their grace has begun: each
// at most once for each end of their paid time, whichever servers run or are killed.
func (s *Service) TellDue(ctx context.Context) error {
	for found := true; found; {
		err := s.ClockOff()
		if err == nil {
			now := s.instant()
			found, err = s.store.UpdateDue(ctx, now, func(a Account) (Change, error) { return a.due(s.config.ExpiringLead, now), nil })
		}
		if err != nil {
			return fmt.Errorf("tell what is due: %w", err)
		}
	}
	return nil
}

// due returns the events of the account's subscriptions at now, and when to look at each again.
func (a Account) due(lead time.Duration, now time.Time) Change {
	var change Change
	tell := func(action string, s Subscription) {
		change.Audit = append(change.Audit, AuditEntry{Actor: "server", Action: action, Object: "subscription:" + string(s.ID), After: auditState(&s)})
	}
	for _, s := range a.Subscriptions {
		expiring, grace, at := s.due(a.Plans[s.Plan], lead, now)
		if expiring {
			tell("subscription.expiring", s)
		}
		if grace {
			tell("subscription.grace", s)
		}
		change.Due = append(change.Due, Due{
			ID: s.ID, Expiring: expiring || s.ExpiringTold.Equal(s.PaidThrough), Grace: grace || s.GraceTold.Equal(s.PaidThrough), At: at,
		})
	}
	return change
}

// due returns which events of the subscription are to be told at now, and when others may be.
func (s Subscription) due(plan Plan, lead time.Duration, now time.Time) (expiring, grace bool, at time.Time) {
	state, begins := judge(s, plan, now).state, s.PaidThrough.Add(-lead)
	if lead > 0 && now.Before(begins) {
		at = begins
	} else if now.Before(s.PaidThrough) {
		at = s.PaidThrough
	}
	expiring = lead > 0 && state == StateActive && !now.Before(begins) && !s.ExpiringTold.Equal(s.PaidThrough)
	return expiring, state == StateGrace && !s.GraceTold.Equal(s.PaidThrough), at
}

// look returns the change with the time at which to look at its subscription.
func (c Change) look(a Account, lead time.Duration, now time.Time) Change {
	if c.Subscription == nil {
		return c
	}
	expiring, grace, at := c.Subscription.due(a.Plans[c.Subscription.Plan], lead, now)
	if c.LookAt = at; expiring || grace {
		c.LookAt = now
	}
	return c
}
