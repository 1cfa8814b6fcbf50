package outbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
)

func TestMessageOf(t *testing.T) {
	at := time.Date(2026, 1, 2, 4, 4, 5, 6000, time.FixedZone("", 3600))
	state := json.RawMessage(`{"revoked":true}`)
	for _, test := range []struct{ action, object, payload string }{
		{"subscription.revoke", "subscription:billing:1", `{"type":"subscription.revoked","timestamp":"2026-01-02T03:04:05.000006Z",` +
			`"data":{"user":"u","subscription":"billing:1","revision":7,"before":null,"after":{"revoked":true}}}`},
		{"device.forked", "device:d", `{"type":"device.forked","timestamp":"2026-01-02T03:04:05.000006Z",` +
			`"data":{"user":"u","device":"d","revision":7,"before":null,"after":{"revoked":true}}}`},
		{"device.limit_reached", "user:u", `{"type":"device.limit_reached","timestamp":"2026-01-02T03:04:05.000006Z",` +
			`"data":{"user":"u","revision":7,"before":null,"after":{"revoked":true}}}`},
		{"account.erased", "user:u", `{"type":"user.erased","timestamp":"2026-01-02T03:04:05.000006Z","data":{"user":"u"}}`},
		{"passkey.renamed", "passkey:p", ""},
	} {
		message, told := outbox.MessageOf(entitlements.AuditEntry{At: at, Action: test.action, Object: test.object, User: "u", After: state}, 7)
		if string(message.Payload) != test.payload || told != (test.payload != "") {
			t.Errorf("%s: %s, %t", test.action, message.Payload, told)
		}
	}
}
