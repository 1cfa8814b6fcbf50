package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
)

// WebhookReceiver verifies webhooks signed according to Standard Webhooks.
type WebhookReceiver struct{ keys []*standardwebhooks.Webhook }

// NewWebhookReceiver takes the senders' signing secrets ("whsec_" and base64 of at least 24 bytes). During a rotation, the
// old and the new secret are both accepted. Errors contain no secret.
func NewWebhookReceiver(secrets []string) (*WebhookReceiver, error) {
	receiver := &WebhookReceiver{}
	for _, secret := range secrets {
		key, err := standardwebhooks.NewWebhook(secret)
		if err != nil || !strings.HasPrefix(secret, "whsec_") || len(secret) < len("whsec_")+32 {
			return nil, errors.New("a secret is whsec_ and the base64 form of at least 24 random bytes, such as from 'openssl rand -base64 32'")
		}
		receiver.keys = append(receiver.keys, key)
	}
	if len(receiver.keys) == 0 {
		return nil, errors.New("there is no secret")
	}
	return receiver, nil
}

// messageID matches valid message ids.
var messageID = regexp.MustCompile(`^[!-~]{1,255}$`)

// verify checks the signature over the exact bytes of the body and returns the message's id.
func (v *WebhookReceiver) verify(body []byte, header http.Header) (id string, err error) {
	for _, name := range []string{standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature} {
		if len(header.Values(name)) != 1 {
			return "", unsigned
		}
	}
	id = header.Get(standardwebhooks.HeaderWebhookID)
	signed := slices.ContainsFunc(v.keys, func(key *standardwebhooks.Webhook) bool { return key.Verify(body, header) == nil })
	if !signed || !messageID.MatchString(id) {
		return "", unsigned
	}
	return id, nil
}

// receiveStripe receives a webhook from Stripe.
func (s *server) receiveStripe(w http.ResponseWriter, r *http.Request, _ caller) error {
	if s.stripe == nil {
		return notFound
	}
	return s.receive(w, r, billing.Stripe, func(body []byte) (billing.Event, bool, error) {
		signatures := r.Header.Values("Stripe-Signature")
		if len(signatures) != 1 {
			return billing.Event{}, false, unsigned
		}
		if err := s.stripe.Verify(body, signatures[0]); err != nil {
			return billing.Event{}, false, err
		}
		if err := checkJSON(r, body, maxWebhookDepth); err != nil {
			return billing.Event{}, false, err
		}
		return s.stripe.Parse(body)
	}, s.stripe.Terms(), s.stripe.Refresh())
}

// receiveWebhook receives a webhook from any other billing system.
func (s *server) receiveWebhook(w http.ResponseWriter, r *http.Request, _ caller) error {
	if s.billing == nil {
		return notFound
	}
	return s.receive(w, r, billing.Webhook, func(body []byte) (billing.Event, bool, error) {
		id, err := s.billing.verify(body, r.Header)
		if err != nil {
			return billing.Event{}, false, err
		}
		if err := checkJSON(r, body, maxWebhookDepth); err != nil {
			return billing.Event{}, false, err
		}
		event, ours, err := parseWebhook(id, body)
		if err == nil && ours && event.At.After(s.now().Add(maxAhead)) {
			return event, false, refusal{invalidRequest.status, invalidRequest.code, "The timestamp is in the future."}
		}
		return event, ours, err
	}, billing.Terms{}, nil)
}

// maxAhead is how far a sender's clock may be ahead. An event from further ahead would outrank all later events.
const maxAhead = 5 * time.Minute

// parseWebhook parses a message. ok is false if its type is not relevant here. Unknown members are ignored.
func parseWebhook(id string, body []byte) (event billing.Event, ok bool, err error) {
	var message struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			ID          string         `json:"id"`
			User        *string        `json:"user"`
			ExternalID  string         `json:"external_id"`
			Plan        string         `json:"plan"`
			State       billing.Status `json:"state"`
			PaidThrough time.Time      `json:"paid_through"`
		} `json:"data"`
	}
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &kind) != nil || kind.Type == "" {
		return billing.Event{}, false, invalidRequest
	}
	if kind.Type != "subscription.updated" {
		return billing.Event{ID: id}, false, nil
	}
	if json.Unmarshal(body, &message) != nil {
		return billing.Event{}, false, invalidRequest
	}
	data := message.Data
	user, err := bodyUUID(data.User)
	states := []billing.Status{billing.Trialing, billing.Active, billing.PastDue, billing.Cancelled}
	if err != nil || !slices.Contains(states, data.State) || data.Plan == "" {
		return billing.Event{}, false, invalidRequest
	}
	return billing.Event{
		Source: billing.Webhook, ID: id, Customer: data.ID, Subject: data.ID, At: message.Timestamp,
		Facts: billing.Facts{
			Kind: billing.Snapshot, Subscription: data.ID, User: user, ExternalID: data.ExternalID,
			Status: data.State, Plan: data.Plan, PaidThrough: data.PaidThrough.Unix(),
		},
	}, true, nil
}

// receive reads and verifies the body, applies its event, and reports the result to the sender, the log and the metrics.
// Before the signature is verified, nothing of the body is parsed or logged.
func (s *server) receive(
	w http.ResponseWriter, r *http.Request, source string, open func(body []byte) (billing.Event, bool, error),
	terms billing.Terms, refresh func(context.Context, *billing.Event) error,
) error {
	var event billing.Event
	outcome := entitlements.BillingIgnored
	body, err := readBody(r.Body)
	if err == nil {
		var ours bool
		if event, ours, err = open(body); err == nil && ours {
			outcome, err = s.entitlements.TakeBilling(r.Context(), event, terms, refresh)
		}
	}
	result, level := string(outcome), slog.LevelInfo
	if outcome == entitlements.BillingErased || outcome == entitlements.BillingUnclaimed {
		level = slog.LevelWarn // the payer may be charged without getting anything
	}
	if err != nil {
		refused, _ := classify(r.Context(), err)
		result, level = refused.code, slog.LevelWarn
	}
	s.metrics.billing.WithLabelValues(source, result).Inc()
	s.log.LogAttrs(r.Context(), level, "billing event", slog.String("request", requestID(r.Context())), slog.String("source", source),
		slog.String("event", event.ID), slog.String("outcome", result))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Outcome entitlements.BillingOutcome `json:"outcome"`
	}{outcome})
}
