package entitlements

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// grantPrefix is what the ids of grants begin with, and no others.
const grantPrefix = "grant-"

// maxGrant is the most days that support can grant at once.
const maxGrant = 366

// GrantRequest asks for days of a plan.
type GrantRequest struct {
	Plan   PlanID
	Days   int
	Reason string
}

// Grant gives the user days of a plan that nobody pays for: a subscription of its own, with time left that does not renew.
// The days come after what the user has of the plan already. Billing does not know of it; [Service.Revoke] takes it back.
// It fails with [ErrInvalid], [ErrPlanUnknown], or [ErrNotFound] without the user.
func (s *Service) Grant(ctx context.Context, actor string, user UserID, request GrantRequest) (Subscription, int64, error) {
	if err := validReason(request.Reason); err != nil {
		return Subscription{}, 0, err
	}
	if request.Days < 1 || request.Days > maxGrant {
		return Subscription{}, 0, fmt.Errorf("%w: days are 1 to %d", ErrInvalid, maxGrant)
	}
	id, err := uuid.NewRandomFromReader(s.config.Rand)
	if err != nil {
		return Subscription{}, 0, fmt.Errorf("grant: %w", err)
	}
	now := s.instant()
	grant := Subscription{
		ID: SubscriptionID(grantPrefix + id.String()), User: user, Plan: request.Plan, State: SubscriptionCancelled, Ends: true, CreatedAt: now, UpdatedAt: now,
	}
	account, err := s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		if _, ok := a.Plans[grant.Plan]; !ok {
			return Change{}, ErrPlanUnknown
		}
		grant.PaidThrough = a.paidThrough(grant.Plan, now).UTC().Truncate(time.Second).AddDate(0, 0, request.Days)
		if grant.PaidThrough.Year() > 9999 {
			return Change{}, fmt.Errorf("%w: the user has the plan without an end", ErrInvalid)
		}
		change := subscriptionChange(a, nil, &grant, now)
		change.Audit = []AuditEntry{{
			Actor: actor, Action: "subscription.grant", Object: "subscription:" + string(grant.ID),
			After: auditState(&grant), Reason: request.Reason,
		}}
		return change, nil
	})
	if err != nil {
		return Subscription{}, 0, fmt.Errorf("grant: %w", err)
	}
	return grant, account.Revision, nil
}

// paidThrough is until when the plan is the user's by the subscriptions that support has not withdrawn; now, where that is
// over, or never was.
func (a Account) paidThrough(plan PlanID, now time.Time) time.Time {
	latest := now
	for _, sub := range a.Subscriptions {
		if sub.Plan == plan && !sub.Revoked && !sub.Suspended && !sub.Withheld() && sub.PaidThrough.After(latest) {
			latest = sub.PaidThrough
		}
	}
	return latest
}
