package api

import (
	"context"
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
)

type subscription struct {
	ID          entitlements.SubscriptionID    `json:"id"`
	User        entitlements.UserID            `json:"user"`
	Plan        entitlements.PlanID            `json:"plan"`
	State       entitlements.SubscriptionState `json:"state"`
	PaidThrough time.Time                      `json:"paid_through"`
	Ends        bool                           `json:"ends"`
	Revoked     bool                           `json:"revoked"`
	Suspended   bool                           `json:"suspended"`
	Disputes    []dispute                      `json:"disputes"`
	WithdrawnAt *time.Time                     `json:"withdrawn_at"`
	CreatedAt   time.Time                      `json:"created_at"`
	UpdatedAt   time.Time                      `json:"updated_at"`
}

// dispute is a dispute about a subscription's payment.
type dispute struct {
	ID        string                   `json:"id"`
	Status    billing.DisputeStatus    `json:"status"`
	Since     time.Time                `json:"since"`
	Withholds entitlements.Withholding `json:"withholds"`
}

func subscriptionOf(s entitlements.Subscription) subscription {
	shown := subscription{
		ID: s.ID, User: s.User, Plan: s.Plan, State: s.State, PaidThrough: s.PaidThrough.UTC(), Ends: s.Ends,
		Revoked: s.Revoked, Suspended: s.Suspended, Disputes: []dispute{}, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
	for _, d := range s.Disputes {
		shown.Disputes = append(shown.Disputes, dispute{d.ID, d.Status, time.Unix(d.At, 0).UTC(), d.Withholds})
	}
	if !s.WithdrawnAt.IsZero() {
		shown.WithdrawnAt = new(s.WithdrawnAt.UTC())
	}
	return shown
}

// subscriptionAnswer is a changed subscription with the user's revision after the change.
type subscriptionAnswer struct {
	Subscription subscription `json:"subscription"`
	Revision     int64        `json:"revision"`
}

// pathSubscription returns the id in the path, which the billing system chose.
func pathSubscription(r *http.Request) (entitlements.SubscriptionID, error) {
	id, err := pathText(r, "id")
	return entitlements.SubscriptionID(id), err
}

func (s *server) putSubscription(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathSubscription(r)
	if err != nil {
		return err
	}
	var request struct {
		User        *string                        `json:"user"`
		ExternalID  string                         `json:"external_id"`
		Plan        entitlements.PlanID            `json:"plan"`
		State       entitlements.SubscriptionState `json:"state"`
		PaidThrough time.Time                      `json:"paid_through"`
		Reason      string                         `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	user, err := bodyUUID(request.User)
	if err != nil {
		return err
	}
	stored, revision, err := s.entitlements.PutSubscription(r.Context(), by.actor, id, entitlements.SubscriptionChange{
		User: entitlements.UserID(user), ExternalID: request.ExternalID, Plan: request.Plan, State: request.State, PaidThrough: request.PaidThrough,
		Reason: request.Reason,
	})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, subscriptionAnswer{subscriptionOf(stored), revision})
}

func (s *server) revokeSubscription(w http.ResponseWriter, r *http.Request, by caller) error {
	return withdraw(w, r, by, s.entitlements.Revoke)
}

func (s *server) suspendSubscription(w http.ResponseWriter, r *http.Request, by caller) error {
	return withdraw(w, r, by, s.entitlements.Suspend)
}

// withdraw ends a subscription's features, and answers by when they are gone everywhere.
func withdraw(
	w http.ResponseWriter, r *http.Request, by caller,
	act func(ctx context.Context, actor string, id entitlements.SubscriptionID, reason string) (entitlements.Revocation, error),
) error {
	id, err := pathSubscription(r)
	if err != nil {
		return err
	}
	reason, err := decodeReason(r)
	if err != nil {
		return err
	}
	revocation, err := act(r.Context(), by.actor, id, reason)
	if err != nil {
		return err
	}
	return answerRevocation(w, revocation)
}

// showRevocation shows, before a revocation, what it would reach and, after it, how far it has come.
func (s *server) showRevocation(w http.ResponseWriter, r *http.Request, _ caller) error {
	id, err := pathSubscription(r)
	if err != nil {
		return err
	}
	revocation, err := s.entitlements.Revocation(r.Context(), id)
	if err != nil {
		return err
	}
	return answerRevocation(w, revocation)
}

func answerRevocation(w http.ResponseWriter, revocation entitlements.Revocation) error {
	type holder struct {
		ID                entitlements.DeviceID `json:"id"`
		Name              string                `json:"name"`
		DocumentExpiresAt *time.Time            `json:"document_expires_at"`
		LastReconciledAt  *time.Time            `json:"last_reconciled_at"`
		DocumentRevision  *int64                `json:"document_revision"`
		Removed           bool                  `json:"removed"`
		Quarantined       bool                  `json:"quarantined"`
	}
	holders := make([]holder, 0, len(revocation.Devices))
	for _, d := range revocation.Devices {
		holders = append(holders, holder{
			d.ID, d.Name, utc(d.DocumentExpiresAt), utc(d.LastReconciledAt), d.DocumentRevision, d.Removed, d.Quarantined(),
		})
	}
	return answer(w, http.StatusOK, struct {
		subscriptionAnswer
		OfflineUntil *time.Time                      `json:"offline_until"`
		Devices      []holder                        `json:"devices"`
		Kept         map[string]entitlements.Feature `json:"kept"`
	}{subscriptionAnswer{subscriptionOf(revocation.Subscription), revocation.Revision}, utc(revocation.OfflineUntil), holders, revocation.Kept})
}

func (s *server) reinstateSubscription(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathSubscription(r)
	if err != nil {
		return err
	}
	reason, err := decodeReason(r)
	if err != nil {
		return err
	}
	reinstated, revision, err := s.entitlements.Reinstate(r.Context(), by.actor, id, reason)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, subscriptionAnswer{subscriptionOf(reinstated), revision})
}

// grantDays gives a user free days. Revoking the subscription that they create takes them back.
func (s *server) grantDays(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	var request struct {
		Plan   entitlements.PlanID `json:"plan"`
		Days   int                 `json:"days"`
		Reason string              `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	key := r.Header.Get("Idempotency-Key")
	granted, revision, err := s.entitlements.Grant(r.Context(), by.actor, entitlements.UserID(id), entitlements.GrantRequest{
		Plan: request.Plan, Days: request.Days, Reason: request.Reason, Key: key,
	})
	if err != nil && key == "" {
		return notTwice(err, "Look at the user's subscriptions before you send it again: without an Idempotency-Key, that may grant the days twice.")
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, subscriptionAnswer{subscriptionOf(granted), revision})
}
