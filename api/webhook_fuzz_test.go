package api_test

import (
	"os"
	"testing"
	"time"

	"holdfast/api"
	"holdfast/entitlements/billing"
)

// FuzzWebhookMessage feeds arbitrary bodies to the parser: what it accepts, if complete, can be stored and leads to the one
// subscription that it is about, in a valid state.
func FuzzWebhookMessage(f *testing.F) {
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	_, message := webhookMessage("m", "s-1", "0c8f8e2a-0000-4000-8000-000000000001", time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	f.Add([]byte(message))
	f.Fuzz(func(t *testing.T, body []byte) {
		event, ok, err := api.ParseWebhook("msg_1", body)
		if err != nil || !ok {
			return
		}
		if event.ID != "msg_1" || event.Source != billing.Webhook || event.Customer != event.Subject || event.Subject != event.Facts.Subscription {
			t.Fatalf("%+v", event)
		}
		if event.Validate() != nil {
			return // too long, out of range or without a user: the service refuses it
		}
		outcomes := billing.Reduce([]billing.Event{event}, nil)
		outcome := outcomes[event.Subject]
		if len(outcomes) != 1 || outcome.Plan != event.Facts.Plan || outcome.State != event.Facts.Status || outcome.PaidThrough.Unix() != event.Facts.PaidThrough {
			t.Fatalf("%+v comes to %+v", event, outcomes)
		}
	})
}
