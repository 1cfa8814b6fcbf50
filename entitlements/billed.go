package entitlements

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/billing"
)

// BillingOutcome is the outcome of an event of a billing system.
type BillingOutcome string

const (
	BillingApplied   BillingOutcome = "applied"   // a subscription has changed
	BillingUnchanged BillingOutcome = "unchanged" // known already, older than what is known, or only a hint for later
	BillingIgnored   BillingOutcome = "ignored"   // its subscription buys no plan of this server
	BillingUnclaimed BillingOutcome = "unclaimed" // kept: the user is not known yet
	BillingErased    BillingOutcome = "erased"    // dropped: about an erased account
)

// withholds returns the effect of a dispute with that status on its subscription.
func withholds(policy billing.DisputePolicy, status billing.DisputeStatus) Withholding {
	switch {
	case status == billing.DisputeLost && policy != billing.DisputesIgnore:
		return WithholdsForGood
	case status == billing.DisputeOpen && policy == billing.DisputesSuspend:
		return WithholdsForNow
	}
	return WithholdsNothing
}

// Billed is the result of billing for one subscription. User or ExternalID names its user. If neither does, it is the
// user whose id or external id is Reference, or else whose external id is Customer.
type Billed struct {
	Subscription SubscriptionID
	User         UserID
	ExternalID   string
	Reference    string
	Customer     string
	// Change returns the changes of the user, who gains the subscription, and of its former owner, who loses it. Had is
	// the former owner's account, or nil if there is no other owner. Change is nil if nothing changes.
	Change func(user Account, had *Account) (gains, loses Change, err error)
}

// TakeBilling processes an event of a billing system. The event and all others of the customer determine the customer's
// subscriptions (see package billing); those that it concerns are stored as by [Service.PutSubscription]. Revocations
// and suspensions by support stay. A subscription that the newest events assign to another user moves to that user
// unchanged.
//
// refresh, if not nil, replaces the event's facts by the billing system's current ones. Of two concurrent fetches, the
// one requested later counts, by the database's clock: every change of a subscription is an event, and the event of the
// last change is requested after it.
//
// It fails with [ErrInvalid], [ErrUserUnknown], [ErrPlanUnknown], [ErrConflict], and with refresh's error; then nothing
// is stored, and the sender should retry.
func (s *Service) TakeBilling(
	ctx context.Context, event billing.Event, terms billing.Terms, refresh func(context.Context, *billing.Event) error,
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
	now, ignored := s.instant(), false
	outcome, err := s.store.TakeBilling(ctx, event, now, func(known []billing.Event, event billing.Event) ([]Billed, error) {
		all, err := billed(known, event, terms, s.config.ExpiringLead, now)
		ignored = len(all) > 0 && !slices.ContainsFunc(all, func(b Billed) bool { return b.Change != nil })
		return all, err
	})
	if err != nil {
		return "", fmt.Errorf("take billing event: %w", err)
	}
	if outcome == BillingUnchanged && ignored {
		return BillingIgnored, nil
	}
	return outcome, nil
}

// claimPoll is how often a server looks for new users whose billing events arrived before them.
const claimPoll = time.Minute

// ClaimBillings calls [Service.ClaimBilling] every minute until ctx ends. It calls report as [Repeat] does.
func (s *Service) ClaimBillings(ctx context.Context, source string, terms billing.Terms, report func(error)) {
	Repeat(ctx, claimPoll, nil, func(ctx context.Context) error { return s.ClaimBilling(ctx, source, terms) }, report)
}

// ClaimBilling retries the events of a source that arrived before their users were created.
func (s *Service) ClaimBilling(ctx context.Context, source string, terms billing.Terms) error {
	if err := s.ClockOff(); err != nil {
		return fmt.Errorf("claim billing events: %w", err)
	}
	unclaimed, err := s.store.UnclaimedBilling(ctx, source)
	for _, event := range unclaimed {
		_, again := s.TakeBilling(ctx, event, terms, nil)
		err = errors.Join(err, again)
	}
	if err != nil {
		return fmt.Errorf("claim billing events: %w", err)
	}
	return nil
}

func billed(known []billing.Event, event billing.Event, terms billing.Terms, lead time.Duration, now time.Time) ([]Billed, error) {
	outcomes, disputes := billing.Reduce(known, terms.Prices), billing.Disputes(known)
	var all []Billed
	for _, name := range billing.Concerns(known, event) {
		outcome, found := outcomes[name]
		if !found { // only its payments are known
			continue
		}
		b := Billed{
			Subscription: SubscriptionID(name), User: UserID(outcome.User), ExternalID: outcome.ExternalID,
			Reference: outcome.Reference, Customer: outcome.Customer,
		}
		if outcome.User != "" {
			user, err := uuid.Parse(outcome.User)
			if err != nil {
				user = uuid.Nil // no user's id
			}
			b.User = UserID(user.String())
		}
		if outcome.Plan != "" {
			put := SubscriptionChange{
				Plan: PlanID(outcome.Plan), State: SubscriptionState(outcome.State), PaidThrough: outcome.PaidThrough, Ends: outcome.Ends,
			}
			if err := put.validate(b.Subscription); err != nil {
				return nil, err
			}
			b.Change = func(user Account, had *Account) (gains, loses Change, err error) {
				gains, loses, err = billedChange(user, had, "billing:"+event.Source, b.Subscription, put, terms.Disputes, disputes[name], now)
				return gains.look(user, lead, now), loses, err
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// billedChange puts a subscription, as billing determined it, into the account of its user. A former owner loses it.
// Support's settings move with it.
func billedChange(
	user Account, had *Account, actor string, id SubscriptionID, put SubscriptionChange, policy billing.DisputePolicy, disputes []billing.Contested,
	now time.Time,
) (gains, loses Change, err error) {
	stored := Subscription{ID: id, User: user.User, CreatedAt: now}
	before := user.subscription(id)
	if before == nil && had != nil {
		if before = had.subscription(id); before != nil {
			loses = subscriptionChange(*had, before, nil, now)
			loses.Audit = []AuditEntry{{
				Actor: actor, Action: "subscription.put", Object: "subscription:" + string(id), Before: auditState(before), After: auditState(nil),
			}}
		}
	}
	if before != nil {
		stored = *before
		if stored.User != user.User { // the new owner has not been told
			stored.User, stored.ExpiringTold, stored.GraceTold = user.User, time.Time{}, time.Time{}
		}
	}
	stored.Plan, stored.State, stored.PaidThrough, stored.Ends = put.Plan, put.State, put.PaidThrough, put.Ends
	if policy != "" {
		stored.Disputes = disputesOf(stored.Disputes, disputes, policy)
	}
	_, gains, err = storeChange(user, actor, stored, "", now)
	return gains, loses, err
}

// disputesOf applies the policy to the disputes. A dispute that support has waived stays waived.
func disputesOf(before []Dispute, disputes []billing.Contested, policy billing.DisputePolicy) []Dispute {
	var all []Dispute
	for _, d := range disputes {
		dispute := Dispute{ID: d.ID, Status: d.Status, At: d.At, Withholds: withholds(policy, d.Status)}
		if slices.ContainsFunc(before, func(b Dispute) bool { return b.ID == d.ID && b.Withholds == WithholdsWaived }) {
			dispute.Withholds = WithholdsWaived
		}
		all = append(all, dispute)
	}
	return all
}

// BillingEvents returns the stored billing events of a user, the oldest first.
func (s *Service) BillingEvents(ctx context.Context, user UserID) ([]billing.Event, error) {
	events, err := s.store.BillingEvents(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("billing events: %w", err)
	}
	return events, nil
}
