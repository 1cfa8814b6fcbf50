package outbox

import (
	"encoding/json"
	"strings"

	"holdfast/entitlements"
)

// Message reports one change to endpoints.
type Message struct {
	Type    string
	Payload []byte // JSON
}

// messageTypes maps the audited actions that endpoints are notified of to message types.
var messageTypes = map[string]string{
	"subscription.put":       "subscription.changed",
	"subscription.trial":     "subscription.changed",
	"subscription.grant":     "subscription.changed",
	"subscription.suspend":   "subscription.changed",
	"subscription.reinstate": "subscription.changed",
	"subscription.revoke":    "subscription.revoked",
	"subscription.expiring":  "subscription.expiring",
	"subscription.grace":     "subscription.grace",
	entitlements.ActionLimit: "device.limit_reached",
	"device.forked":          "device.forked",
	"account.erased":         "user.erased",
}

// MessageOf returns the message about an audited change that left the user with that revision. It returns false for
// changes that endpoints are not notified of.
func MessageOf(entry entitlements.AuditEntry, revision int64) (Message, bool) {
	kind, told := messageTypes[entry.Action]
	if !told {
		return Message{}, false
	}
	type change struct {
		Subscription string          `json:"subscription,omitempty"`
		Device       string          `json:"device,omitempty"`
		Revision     int64           `json:"revision"`
		Before       json.RawMessage `json:"before"`
		After        json.RawMessage `json:"after"`
	}
	var message struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      struct {
			User string `json:"user"`
			*change
		} `json:"data"`
	}
	message.Type, message.Timestamp, message.Data.User = kind, entry.At.UTC().Format("2006-01-02T15:04:05.000000Z"), entry.User
	if id, ok := strings.CutPrefix(entry.Object, "subscription:"); ok {
		message.Data.change = &change{Subscription: id, Revision: revision, Before: entry.Before, After: entry.After}
	} else if id, ok := strings.CutPrefix(entry.Object, "device:"); ok {
		message.Data.change = &change{Device: id, Revision: revision, Before: entry.Before, After: entry.After}
	} else if entry.Action == entitlements.ActionLimit {
		message.Data.change = &change{Revision: revision, After: entry.After}
	}
	payload, err := json.Marshal(message)
	if err != nil {
		panic(err) // the trail's own JSON
	}
	return Message{Type: kind, Payload: payload}, true
}
