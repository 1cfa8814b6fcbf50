package entitlements

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/billing"
)

// BillingOutcome says what became of an event of a billing system.
type BillingOutcome string

const (
	BillingApplied   BillingOutcome = "applied"   // a subscription is another than before
	BillingUnchanged BillingOutcome = "unchanged" // known already, older than what is known, or only a hint for later
	BillingIgnored   BillingOutcome = "ignored"   // of a subscription that buys nothing here
)

// Billed is what billing makes of one subscription. User or ExternalID names the user whom it concerns.
type Billed struct {
	User       UserID
	ExternalID string
	// Change draws the consequences for their account; nil where there are none.
	Change func(Account) (Change, error)
}

// TakeBilling takes an event of a billing system: with all others of the customer it decides what their subscriptions
// come to (see package billing), and those that it concerns are put, as by [Service.PutSubscription]. What support has
// revoked or suspended stays so.
//
// refresh, if not nil, asks the billing system what is so now and replaces the event's facts by that. Of two that are
// fetched at once, the later asked for counts, by the database's clock: every change of a subscription is an event, and
// the one of the last change asks after it.
//
// It fails with [ErrInvalid], [ErrUserUnknown], [ErrPlanUnknown], [ErrConflict] where the subscription is another user's,
// and with refresh's error; then nothing is kept, and the sender should try again.
func (s *Service) TakeBilling(
	ctx context.Context, event billing.Event, prices billing.Prices, refresh func(context.Context, *billing.Event) error,
) (BillingOutcome, error) {
	if refresh != nil {
		asked, err := s.store.Clock(ctx)
		if err != nil {
			return "", fmt.Errorf("take billing event: %w", err)
		}
		if err := refresh(ctx, &event); err != nil {
			return "", fmt.Errorf("take billing event: %w", err)
		}
		if event.Facts.Fetched {
			event.At = asked
		}
	}
	event.At = event.At.UTC().Truncate(time.Microsecond)
	if err := event.Validate(); err != nil {
		return "", fmt.Errorf("%w: the event is not complete, or too long", ErrInvalid)
	}
	now := s.instant()
	outcome := BillingUnchanged
	changed, err := s.store.TakeBilling(ctx, event, now, func(known []billing.Event, event billing.Event) ([]Billed, error) {
		all, err := billed(known, event, prices, now)
		if len(all) > 0 && !slices.ContainsFunc(all, func(b Billed) bool { return b.Change != nil }) {
			outcome = BillingIgnored
		}
		return all, err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("take billing event: %w", err)
	case changed:
		return BillingApplied, nil
	}
	return outcome, nil
}

func billed(known []billing.Event, event billing.Event, prices billing.Prices, now time.Time) ([]Billed, error) {
	outcomes := billing.Reduce(known, prices)
	var all []Billed
	for _, name := range billing.Concerns(known, event) {
		outcome, found := outcomes[name]
		if !found { // nothing is known of it but what was paid
			continue
		}
		b := Billed{User: UserID(outcome.User), ExternalID: outcome.ExternalID}
		if outcome.User != "" {
			user, err := uuid.Parse(outcome.User)
			if err != nil {
				user = uuid.Nil // nobody's
			}
			b.User = UserID(user.String())
		}
		if outcome.Plan != "" {
			id := SubscriptionID(name)
			put := SubscriptionChange{Plan: PlanID(outcome.Plan), State: SubscriptionState(outcome.State), PaidThrough: outcome.PaidThrough}
			if err := put.validate(id); err != nil {
				return nil, err
			}
			b.Change = func(a Account) (Change, error) {
				_, change, err := putChange(a, "billing:"+event.Source, id, put, now)
				return change, err
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// BillingEvents is what is kept of a user's billing, the oldest first.
func (s *Service) BillingEvents(ctx context.Context, user UserID) ([]billing.Event, error) {
	events, err := s.store.BillingEvents(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("billing events: %w", err)
	}
	return events, nil
}
