package entitlements

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// grantPrefix begins the ids of grants, and no others.
const grantPrefix = "grant-"

// maxGrant is the largest number of days that support can grant at once.
const maxGrant = 366

// GrantRequest asks for days of a plan.
type GrantRequest struct {
	Plan   PlanID
	Days   int
	Reason string
	// Key identifies the request, if it is not empty: a repeat of the request within [KeyLife] grants no further days,
	// whether the first answer arrived or not.
	Key string
}

// KeyLife is how long an Idempotency-Key identifies a request, and its answer is kept.
const KeyLife = 24 * time.Hour

// Grant gives the user unpaid days of a plan: a separate subscription, with time left that does not renew. The days
// follow the user's existing time on the plan. Billing does not know of it; [Service.Revoke] takes it back. It fails
// with [ErrInvalid], [ErrPlanUnknown], or [ErrNotFound] if the user does not exist.
//
// The id of a grant with a key is derived from user, key and request, so that a repeat finds a grant whose outcome was
// unknown. The same request after KeyLife gets another id, and so more days.
func (s *Service) Grant(ctx context.Context, actor string, user UserID, request GrantRequest) (Subscription, int64, error) {
	if err := requireReason(request.Reason); err != nil {
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
	var grant Subscription
	account, err := s.update(ctx, user, now, func(a Account) (Change, error) {
		name := grantPrefix + id.String()
		for n := 0; request.Key != ""; n++ {
			name = request.keyedName(actor, user, n)
			before := a.subscription(SubscriptionID(name))
			if before == nil {
				break
			}
			if now.Sub(before.CreatedAt) < KeyLife {
				grant = *before
				return Change{}, nil
			}
		}
		grant = Subscription{
			ID: SubscriptionID(name), User: user, Plan: request.Plan, State: SubscriptionCancelled, Ends: true, CreatedAt: now, UpdatedAt: now,
		}
		if _, ok := a.Plans[grant.Plan]; !ok {
			return Change{}, ErrPlanUnknown
		}
		grant.PaidThrough = a.GrantsFrom(grant.Plan, now).UTC().Truncate(time.Second).AddDate(0, 0, request.Days)
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

// keyedName returns the id of the n-th grant for the request under its key.
func (r GrantRequest) keyedName(actor string, user UserID, n int) string {
	request := auditJSON([]any{actor, user, r.Key, r.Plan, r.Days, r.Reason, n})
	return grantPrefix + uuid.NewHash(sha256.New(), uuid.Nil, request, 8).String()
}

// GrantsFrom returns when days of the plan granted now begin to count: at the end of the user's paid time, by the
// subscriptions that support has not withdrawn; at now, if that is over or never existed.
func (a Account) GrantsFrom(plan PlanID, now time.Time) time.Time {
	latest := now
	for _, sub := range a.Subscriptions {
		if sub.Plan == plan && !sub.Revoked && !sub.Suspended && !sub.Withheld() && sub.PaidThrough.After(latest) {
			latest = sub.PaidThrough
		}
	}
	return latest
}
