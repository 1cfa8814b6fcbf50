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
func (s *Service) KeepTellingDue(ctx context.Context, lead time.Duration, report func(error)) {
	Repeat(ctx, duePoll, nil, func(ctx context.Context) error { return s.TellDue(ctx, lead) }, report)
}

// TellDue writes into the trail that subscriptions expire within lead, and that their grace has begun: each at most once for
// each end of their paid time, whichever servers run or are killed. With a lead of 0, none expires.
func (s *Service) TellDue(ctx context.Context, lead time.Duration) error {
	for found := true; found; {
		err := s.ClockOff()
		if err == nil {
			now := s.instant()
			found, err = s.store.UpdateDue(ctx, now, func(a Account) (Change, error) { return a.due(lead, now), nil })
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
		due := Due{ID: s.ID, Expiring: s.ExpiringTold.Equal(s.PaidThrough), Grace: s.GraceTold.Equal(s.PaidThrough)}
		state, expiring := judge(s, a.Plans[s.Plan], now).state, s.PaidThrough.Add(-lead)
		if lead > 0 && state == StateActive && !now.Before(expiring) && !due.Expiring {
			due.Expiring = true
			tell("subscription.expiring", s)
		}
		if state == StateGrace && !due.Grace {
			due.Grace = true
			tell("subscription.grace", s)
		}
		if lead > 0 && now.Before(expiring) {
			due.At = expiring
		} else if now.Before(s.PaidThrough) {
			due.At = s.PaidThrough
		}
		change.Due = append(change.Due, due)
	}
	return change
}
