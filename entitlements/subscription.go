package entitlements

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/billing"
	"holdfast/passkey/reasons"
)

// SubscriptionState is the state that billing reports.
type SubscriptionState string

const (
	SubscriptionTrialing  SubscriptionState = "trialing"
	SubscriptionActive    SubscriptionState = "active"
	SubscriptionPastDue   SubscriptionState = "past_due"
	SubscriptionCancelled SubscriptionState = "cancelled"
)

// Subscription is a user's claim to a plan. Support sets Revoked and Suspended; billing neither sets nor clears them.
// Billing sets Disputes; support cannot end a dispute, but can waive its effect.
type Subscription struct {
	ID          SubscriptionID
	User        UserID
	Plan        PlanID
	State       SubscriptionState
	PaidThrough time.Time
	// Ends says that no payment is awaited at the end of the paid time, so that none can fail: no grace follows.
	Ends      bool
	Revoked   bool
	Suspended bool
	Disputes  []Dispute // by id
	// WithdrawnAt is when support revoked or suspended it; zero if neither happened or the time is not known.
	WithdrawnAt time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// ExpiringTold and GraceTold are the ends of paid time about which the trail has these events. Set in Update only.
	ExpiringTold, GraceTold time.Time
}

// Dispute is a chargeback by the payer's bank on a payment of a subscription.
type Dispute struct {
	ID     string                `json:"id"`
	Status billing.DisputeStatus `json:"status"`
	At     int64                 `json:"at"` // unix seconds: when it entered the status
	// Withholds is the effect of the dispute on the subscription.
	Withholds Withholding `json:"withholds"`
}

// Withholding is the effect of a dispute on its subscription.
type Withholding string

const (
	WithholdsNothing Withholding = "nothing"
	WithholdsForNow  Withholding = "for_now"  // until the dispute is decided
	WithholdsForGood Withholding = "for_good" // the dispute was lost
	WithholdsWaived  Withholding = "waived"   // support has reinstated the subscription, whatever comes of the dispute
)

// withheld returns the dispute that withholds the subscription, or nil. A lost dispute comes before an open one, and
// among equals the oldest is first.
func (s Subscription) withheld() *Dispute {
	var worst *Dispute
	for _, d := range s.Disputes {
		switch {
		case d.Withholds != WithholdsForNow && d.Withholds != WithholdsForGood:
		case worst == nil, d.Withholds == WithholdsForGood && worst.Withholds == WithholdsForNow, d.Withholds == worst.Withholds && d.At < worst.At:
			worst = &d
		}
	}
	return worst
}

// Withheld reports whether a dispute withholds the subscription.
func (s Subscription) Withheld() bool { return s.withheld() != nil }

// Withdrawn reports whether the subscription grants nothing whatever is paid: support or a dispute has ended or holds it.
func (s Subscription) Withdrawn() bool { return s.Revoked || s.Suspended || s.Withheld() }

func (s Subscription) equal(other Subscription) bool { return reflect.DeepEqual(s, other) }

// SubscriptionChange is a subscription as billing puts it. Either User or ExternalID names the user.
type SubscriptionChange struct {
	User        UserID
	ExternalID  string
	Plan        PlanID
	State       SubscriptionState
	PaidThrough time.Time
	Ends        bool   // see [Subscription]; in [Service.PutSubscription], the state determines it
	Reason      string // free text, stored apart from the trail; "" = not given
}

// Revocation tells support, before and after a revoke, when it has taken effect everywhere.
type Revocation struct {
	Subscription Subscription
	Revision     int64
	// OfflineUntil is the latest time at which any document with features can still count; nil if none can. It is never
	// early.
	OfflineUntil *time.Time
	// Devices are those that may hold such a document, including removed ones.
	Devices []Device
	// Kept is what the user may use without the subscription.
	Kept map[string]Feature
}

var subscriptionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

// TrialLength returns how long the trial on offer lasts; 0: none is offered.
func (s *Service) TrialLength(ctx context.Context) (time.Duration, error) {
	if s.config.TrialLength <= 0 {
		return 0, nil
	}
	switch _, err := s.Plan(ctx, s.config.TrialPlan); {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("trial length: %w", err)
	}
	return s.config.TrialLength, nil
}

// StartTrial starts the trial of the trial plan, once in the lifetime of the user: it fails with [ErrConflict] after
// that, and with [ErrNoTrial] if the server offers none.
func (s *Service) StartTrial(ctx context.Context, user UserID) (Subscription, int64, error) {
	if s.config.TrialLength <= 0 {
		return Subscription{}, 0, ErrNoTrial
	}
	id, err := uuid.NewRandomFromReader(s.config.Rand)
	if err != nil {
		return Subscription{}, 0, fmt.Errorf("start trial: %w", err)
	}
	now := s.instant()
	trial := Subscription{
		ID: SubscriptionID(id.String()), User: user, Plan: s.config.TrialPlan, State: SubscriptionTrialing,
		PaidThrough: now.Add(s.config.TrialLength).Truncate(time.Second), Ends: true, CreatedAt: now, UpdatedAt: now,
	}
	account, err := s.update(ctx, user, now, func(a Account) (Change, error) {
		if a.TrialStarted {
			return Change{}, ErrConflict
		}
		if _, ok := a.Plans[trial.Plan]; !ok {
			return Change{}, fmt.Errorf("%w: the trial's plan %q", ErrNoTrial, trial.Plan)
		}
		change := subscriptionChange(a, nil, &trial, now)
		change.StartTrial = true
		change.Audit = []AuditEntry{{
			Actor: "user:" + string(user), Action: "subscription.trial", Object: "subscription:" + string(trial.ID), After: auditState(&trial),
		}}
		return change, nil
	})
	if err != nil {
		return Subscription{}, 0, fmt.Errorf("start trial: %w", err)
	}
	return trial, account.Revision, nil
}

// PutSubscription makes or changes a subscription, as billing knows it. A put that repeats the stored state changes
// nothing, not even the revision. It fails with [ErrInvalid], [ErrUserUnknown], [ErrPlanUnknown], or [ErrConflict] if
// the id is another user's.
func (s *Service) PutSubscription(ctx context.Context, actor string, id SubscriptionID, put SubscriptionChange) (Subscription, int64, error) {
	put.PaidThrough = put.PaidThrough.UTC().Truncate(time.Second)
	put.Ends = put.State == SubscriptionCancelled
	if err := CheckReason(actor, put.Reason); err != nil {
		return Subscription{}, 0, err
	}
	user, err := s.subscriber(ctx, id, put)
	if err != nil {
		return Subscription{}, 0, err
	}
	now := s.instant()
	var stored Subscription
	account, err := s.update(ctx, user, now, func(a Account) (change Change, err error) {
		stored, change, err = putChange(a, actor, id, put, now)
		return change, err
	})
	if errors.Is(err, ErrNotFound) {
		return Subscription{}, 0, ErrUserUnknown
	}
	if err != nil {
		return Subscription{}, 0, fmt.Errorf("put subscription: %w", err)
	}
	return stored, account.Revision, nil
}

// putChange returns the subscription and the change that a put makes in the account. It keeps support's settings, and
// ignores the user of put.
func putChange(a Account, actor string, id SubscriptionID, put SubscriptionChange, now time.Time) (Subscription, Change, error) {
	if before := a.subscription(id); before != nil {
		stored := *before
		stored.Plan, stored.State, stored.PaidThrough, stored.Ends = put.Plan, put.State, put.PaidThrough, put.Ends
		return storeChange(a, actor, stored, put.Reason, now)
	}
	stored := Subscription{ID: id, User: a.User, Plan: put.Plan, State: put.State, PaidThrough: put.PaidThrough, Ends: put.Ends, CreatedAt: now}
	return storeChange(a, actor, stored, put.Reason, now)
}

// storeChange returns the change that puts a subscription into an account; it is empty if nothing differs.
func storeChange(a Account, actor string, stored Subscription, reason string, now time.Time) (Subscription, Change, error) {
	if _, ok := a.Plans[stored.Plan]; !ok {
		return Subscription{}, Change{}, ErrPlanUnknown
	}
	before := a.subscription(stored.ID)
	if before != nil && stored.equal(*before) {
		return stored, Change{}, nil
	}
	stored.UpdatedAt = now
	change := subscriptionChange(a, before, &stored, now)
	change.Audit = []AuditEntry{{
		Actor: actor, Action: "subscription.put", Object: "subscription:" + string(stored.ID),
		Before: auditState(before), After: auditState(&stored), Reason: reason,
	}}
	return stored, change, nil
}

func (s *Service) subscriber(ctx context.Context, id SubscriptionID, put SubscriptionChange) (UserID, error) {
	if err := put.validate(id); err != nil {
		return "", err
	}
	switch {
	case (put.User == "") == (put.ExternalID == ""):
		return "", fmt.Errorf("%w: either user or external_id names the user", ErrInvalid)
	case put.User != "":
		return put.User, nil
	}
	user, err := s.store.UserByExternalID(ctx, put.ExternalID)
	if errors.Is(err, ErrNotFound) {
		return "", ErrUserUnknown
	}
	if err != nil {
		return "", fmt.Errorf("put subscription: %w", err)
	}
	return user, nil
}

// validate checks everything except the user.
func (put SubscriptionChange) validate(id SubscriptionID) error {
	states := []SubscriptionState{SubscriptionTrialing, SubscriptionActive, SubscriptionPastDue, SubscriptionCancelled}
	switch {
	case !subscriptionName.MatchString(string(id)):
		return fmt.Errorf("%w: a subscription's id is 1 to 128 of A-Z, a-z, 0-9, . _ : and -, and begins with a letter or digit", ErrInvalid)
	case strings.HasPrefix(string(id), grantPrefix):
		return fmt.Errorf("%w: what support has granted is not billing's to change", ErrInvalid)
	case !slices.Contains(states, put.State):
		return fmt.Errorf("%w: state is trialing, active, past_due or cancelled", ErrInvalid)
	case put.PaidThrough.Year() < 1970 || put.PaidThrough.Year() > 9999:
		return fmt.Errorf("%w: paid_through is out of range", ErrInvalid)
	}
	return nil
}

// Revoke ends a subscription permanently; only [Service.Reinstate] undoes it. Once it has returned, no reconcile that
// begins later grants the lost features. A repeated revoke changes nothing and answers the same.
func (s *Service) Revoke(ctx context.Context, actor string, id SubscriptionID, reason string) (Revocation, error) {
	return s.supportChange(ctx, actor, "subscription.revoke", id, reason, func(sub *Subscription, now time.Time) {
		if !sub.Revoked {
			sub.Revoked, sub.WithdrawnAt = true, now
		}
	})
}

// Suspend holds a subscription until [Service.Reinstate].
func (s *Service) Suspend(ctx context.Context, actor string, id SubscriptionID, reason string) (Revocation, error) {
	return s.supportChange(ctx, actor, "subscription.suspend", id, reason, func(sub *Subscription, now time.Time) {
		if !sub.Suspended && !sub.Revoked { // a revoked one keeps the earlier time
			sub.WithdrawnAt = now
		}
		sub.Suspended = true
	})
}

// Reinstate clears what Revoke and Suspend set, and waives disputes that withhold the subscription.
func (s *Service) Reinstate(ctx context.Context, actor string, id SubscriptionID, reason string) (Subscription, int64, error) {
	r, err := s.supportChange(ctx, actor, "subscription.reinstate", id, reason, func(sub *Subscription, _ time.Time) {
		sub.Revoked, sub.Suspended, sub.WithdrawnAt = false, false, time.Time{}
		sub.Disputes = slices.Clone(sub.Disputes)
		for i, d := range sub.Disputes {
			if d.Withholds == WithholdsForNow || d.Withholds == WithholdsForGood {
				sub.Disputes[i].Withholds = WithholdsWaived
			}
		}
	})
	return r.Subscription, r.Revision, err
}

func (s *Service) supportChange(
	ctx context.Context, actor, action string, id SubscriptionID, reason string, apply func(*Subscription, time.Time),
) (Revocation, error) {
	if err := requireReason(reason); err != nil {
		return Revocation{}, err
	}
	user, err := s.store.SubscriptionOwner(ctx, id)
	if err != nil {
		return Revocation{}, fmt.Errorf("%s: %w", action, err)
	}
	now := s.instant()
	var after Subscription
	account, err := s.update(ctx, user, now, func(a Account) (Change, error) {
		before := a.subscription(id)
		if before == nil {
			return Change{}, ErrNotFound
		}
		after = *before
		apply(&after, now)
		if after.equal(*before) {
			return Change{}, nil
		}
		after.UpdatedAt = now
		change := subscriptionChange(a, before, &after, now)
		change.Audit = []AuditEntry{{
			Actor: actor, Action: action, Object: "subscription:" + string(id),
			Before: auditState(before), After: auditState(&after), Reason: reason,
		}}
		return change, nil
	})
	if err != nil {
		return Revocation{}, fmt.Errorf("%s: %w", action, err)
	}
	return account.revocation(after, now), nil
}

// Revocation returns what a revoke of the subscription would answer now, or how far a revoke has come: which devices may
// hold a document with features, until when, and which revision they know. It changes nothing. It fails with
// [ErrNotFound] if the subscription does not exist.
func (s *Service) Revocation(ctx context.Context, id SubscriptionID) (Revocation, error) {
	now := s.instant()
	account, err := s.store.SubscriberAccount(ctx, id, now)
	if err != nil {
		return Revocation{}, fmt.Errorf("revocation: %w", err)
	}
	return account.revocation(*account.subscription(id), now), nil
}

func (a Account) revocation(sub Subscription, now time.Time) Revocation {
	r := Revocation{Subscription: sub, Revision: a.Revision, Kept: a.without(sub.ID).Decide(now).Features}
	for _, device := range a.Devices {
		if bound := device.DocumentExpiresAt; device.lives(now) {
			r.Devices = append(r.Devices, device)
			if r.OfflineUntil == nil || bound.After(*r.OfflineUntil) {
				r.OfflineUntil = bound
			}
		}
	}
	return r
}

// update is [Store].Update for a change of a subscription: it sets when to look at the subscription next.
func (s *Service) update(ctx context.Context, user UserID, now time.Time, change func(Account) (Change, error)) (Account, error) {
	return s.store.Update(ctx, user, now, func(a Account) (Change, error) {
		c, err := change(a)
		return c.look(a, s.config.ExpiringLead, now), err
	})
}

// subscriptionChange replaces before by after, raises the revision, and sets for each linked device the status of the
// documents that it holds. A nil before adds a subscription, a nil after removes it. INVALID is for features lost
// permanently, SUSPENDED for those that come back when a suspension or an open dispute ends.
func subscriptionChange(a Account, before, after *Subscription, now time.Time) Change {
	changed := a
	if before != nil {
		changed = a.without(before.ID)
	}
	if after != nil {
		changed.Subscriptions = append(slices.Clone(changed.Subscriptions), *after)
	}

	had, entitled := a.unsuspended().Decide(now), changed.unsuspended().Decide(now)
	status := StatusValid
	switch {
	case loses(had, entitled):
		status = StatusInvalid
	case loses(entitled, changed.Decide(now)):
		status = StatusSuspended
	}
	change := Change{Raise: true, Subscription: after, Status: map[DeviceID]Status{}}
	if after == nil {
		change.Drop = before.ID
	}
	for _, device := range a.Devices {
		if !device.linked() {
			continue
		}
		change.Status[device.ID] = status
		bound := device.DocumentExpiresAt
		switch {
		case bound == nil:
		// A document that would outlive the time now paid for has lost its features too, from their new end on.
		case entitled.End.Before(had.End) && bound.After(entitled.End),
			// One under a plan that has lost something must be withdrawn in any case; a change of plan would forget
			// that.
			a.Withdrawing && device.LosesWithPlan(now):
			change.Status[device.ID] = StatusInvalid
		}
	}
	return change
}

// unsuspended returns the account without suspensions and open disputes.
func (a Account) unsuspended() Account {
	a.Subscriptions = slices.Clone(a.Subscriptions)
	for i := range a.Subscriptions {
		a.Subscriptions[i].Suspended = false
		a.Subscriptions[i].Disputes = slices.DeleteFunc(slices.Clone(a.Subscriptions[i].Disputes), func(d Dispute) bool { return d.Withholds == WithholdsForNow })
	}
	return a
}

// loses reports whether has lacks a feature, or some of its limit, that had grants.
func loses(had, has Decision) bool {
	for name, feature := range had.Features {
		now, ok := has.Features[name]
		if !ok || feature.Offline && !now.Offline || now.Limit != nil && (feature.Limit == nil || *now.Limit < *feature.Limit) {
			return true
		}
	}
	return false
}

// without returns the account without one of its subscriptions.
func (a Account) without(id SubscriptionID) Account {
	a.Subscriptions = slices.DeleteFunc(slices.Clone(a.Subscriptions), func(s Subscription) bool { return s.ID == id })
	return a
}

func (a Account) subscription(id SubscriptionID) *Subscription {
	for _, s := range a.Subscriptions {
		if s.ID == id {
			return &s
		}
	}
	return nil
}

// Subscriptions lists the user's subscriptions, oldest first.
func (s *Service) Subscriptions(ctx context.Context, user UserID) ([]Subscription, error) {
	account, err := s.Account(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	return account.Subscriptions, nil
}

// CheckReason applies package reasons to the reason that an actor gives for a change. It fails with [ErrInvalid].
func CheckReason(actor, reason string) error { return invalid(reasons.Check(actor, reason)) }

// requireReason is CheckReason for a change that requires a reason from everybody.
func requireReason(reason string) error { return invalid(reasons.Require(reason)) }

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// auditState returns the audited state of a subscription: ids and enumerations. Nil stays nil.
func auditState(s *Subscription) json.RawMessage {
	if s == nil {
		return nil
	}
	var withheld Withholding
	if d := s.withheld(); d != nil {
		withheld = d.Withholds
	}
	return auditJSON(struct {
		Plan        PlanID            `json:"plan"`
		State       SubscriptionState `json:"state"`
		PaidThrough int64             `json:"paid_through"` // unix seconds
		Ends        bool              `json:"ends"`
		Revoked     bool              `json:"revoked"`
		Suspended   bool              `json:"suspended"`
		Withheld    Withholding       `json:"withheld,omitempty"` // by a dispute
	}{s.Plan, s.State, s.PaidThrough.Unix(), s.Ends, s.Revoked, s.Suspended, withheld})
}
