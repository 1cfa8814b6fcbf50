package api

import (
	"net/http"
	"time"

	"holdfast/entitlements/outbox"
)

// delivery is an outgoing webhook to one endpoint, shown without the credentials in its address.
type delivery struct {
	ID            string       `json:"id"`
	Message       string       `json:"message"`
	Type          string       `json:"type"`
	Endpoint      string       `json:"endpoint"`
	User          *string      `json:"user"`
	State         outbox.State `json:"state"`
	Attempts      int          `json:"attempts"`
	CreatedAt     time.Time    `json:"created_at"`
	NextAttemptAt *time.Time   `json:"next_attempt_at"` // null: no attempt is due
	DeliveredAt   *time.Time   `json:"delivered_at"`
	LastStatus    *int         `json:"last_status"`
	LastError     *string      `json:"last_error"`
	FailingSince  *time.Time   `json:"failing_since"`
	Configured    bool         `json:"endpoint_configured"`
}

func deliveryOf(d outbox.Delivery) delivery {
	shown := delivery{
		ID: d.ID, Message: d.Message, Type: d.Type, Endpoint: d.Endpoint, User: orNull(d.User), State: d.State, Attempts: d.Attempts,
		CreatedAt: d.CreatedAt.UTC(), DeliveredAt: utc(d.DeliveredAt), LastError: orNull(string(d.LastError)), FailingSince: utc(d.FailingSince), Configured: d.Configured,
	}
	if d.State == outbox.Pending {
		shown.NextAttemptAt = utc(&d.NextAttemptAt)
	}
	if d.LastStatus != 0 {
		shown.LastStatus = &d.LastStatus
	}
	return shown
}

// listWebhooks pages through outgoing webhooks, newest first.
func (s *server) listWebhooks(w http.ResponseWriter, r *http.Request, _ caller) error {
	limit, before, err := queryPage(r)
	if err != nil {
		return err
	}
	found, err := s.webhooks.Deliveries(r.Context(), outbox.Query{
		State: outbox.State(r.URL.Query().Get("state")), Before: before, Limit: limit + 1,
	})
	if err != nil {
		return err
	}
	found, next := cutPage(found, limit, func(d outbox.Delivery) string { return d.ID })
	known, err := s.names(r.Context(), each(found, func(d outbox.Delivery) string { return d.User }))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Deliveries []delivery        `json:"deliveries"`
		Names      map[string]string `json:"names"`
		Next       *string           `json:"next"`
	}{each(found, deliveryOf), known, next})
}

func (s *server) resendWebhook(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	reason, err := optionalReason(r)
	if err != nil {
		return err
	}
	resent, err := s.webhooks.Resend(r.Context(), by.actor, id, reason)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, deliveryOf(resent))
}
