package outbox_test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/entitlements/outbox"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A failed attempt is followed by another, each after a longer pause, until three days are over.
func TestSchedule(t *testing.T) {
	t.Parallel()
	delivery := outbox.Delivery{ID: "1"}
	var soonest, latest time.Duration
	for {
		delivery.Attempts++
		early := outbox.Judge(delivery, 503, outbox.Refused, noon, 0)
		late := outbox.Judge(delivery, 503, outbox.Refused, noon, 1)
		if early.Attempt != delivery.Attempts || early.Status != 503 || early.Failure != outbox.Refused || early.At != noon {
			t.Errorf("attempt %d: %+v", delivery.Attempts, early)
		}
		if early.State == outbox.Dead {
			break
		}
		pause, most := early.Next.Sub(noon), late.Next.Sub(noon)
		if delivery.Attempts == 1 && pause != 5*time.Second || pause <= 0 || most < pause || most > pause*6/5 || early.State != outbox.Pending {
			t.Errorf("attempt %d: the next one after %v to %v", delivery.Attempts, pause, most)
		}
		soonest, latest = soonest+pause, latest+most
	}
	if delivery.Attempts != 10 || soonest < 72*time.Hour || latest > 96*time.Hour {
		t.Errorf("given up after %d attempts, %v to %v after the first", delivery.Attempts, soonest, latest)
	}
	if done := outbox.Judge(delivery, 204, "", noon, 0); done.State != outbox.Delivered || done.Failure != "" {
		t.Errorf("the last attempt succeeds: %+v", done)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	key := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for _, text := range []string{"", "whsec_", key(32), "whsec_" + key(23), "whsec_" + key(65), "whsec_" + key(32) + "!", "whsec_" + strings.TrimRight(key(32), "=")} {
		_, err := outbox.ParseSecret(text)
		if err == nil || strings.Contains(err.Error(), key(3)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, n := range []int{24, 64} {
		if _, err := outbox.ParseSecret("whsec_" + key(n)); err != nil {
			t.Error(err)
		}
	}
}

// A holder of one of the secrets can verify a message with the official library, and nobody else can.
func TestSignatures(t *testing.T) {
	t.Parallel()
	text := func(c string) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32)))
	}
	var secrets []outbox.Secret
	for _, c := range []string{"a", "b"} {
		secret, err := outbox.ParseSecret(text(c))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret)
	}
	now, payload := time.Now(), []byte(`{"type":"user.erased"}`)
	header := http.Header{}
	header.Set("webhook-id", "1")
	header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("webhook-signature", outbox.Sign(secrets, "1", now, payload))
	for _, c := range []string{"a", "b", "c"} {
		webhook, err := standardwebhooks.NewWebhook(text(c))
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.Verify(payload, header); (err == nil) != (c != "c") {
			t.Errorf("secret %s: %v", c, err)
		}
		if webhook.Verify([]byte(`{"type":"user.erased "}`), header) == nil {
			t.Error("another payload verifies")
		}
	}
}
