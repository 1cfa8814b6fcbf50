package outbox

import (
	"encoding/json"
	"strings"
	"time"

	"holdfast/entitlements"
)

// Message reports one change to endpoints.
type Message struct {
	Type    string
	Payload []byte // JSON
}

const timestamp = "2006-01-02T15:04:05.000000Z"

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
	message.Type, message.Timestamp, message.Data.User = kind, entry.At.UTC().Format(timestamp), entry.User
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

// ActionMessage returns the message about an act that has entered the user's feed: it is accepted, or superseded after it
// was. The id of the act makes what a receiver does with it exactly once.
func ActionMessage(user entitlements.UserID, action entitlements.Action, at time.Time) Message {
	var message struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      struct {
			User     entitlements.UserID   `json:"user"`
			ID       string                `json:"id"`
			Position int64                 `json:"position"`
			Device   entitlements.DeviceID `json:"device"`
			Seq      int64                 `json:"seq"`
			At       int64                 `json:"at"`
			Feature  string                `json:"feature"`
			Action   string                `json:"action"`
			Payload  json.RawMessage       `json:"payload"`
		} `json:"data"`
	}
	entry, data := action.Entry, &message.Data
	message.Type, message.Timestamp = "action."+string(action.Verdict.Outcome), at.UTC().Format(timestamp)
	data.User, data.ID, data.Position, data.Device = user, entry.Hash.String(), action.Position, action.Device
	data.Seq, data.At, data.Feature, data.Action, data.Payload = entry.Seq, entry.At, entry.Feature, entry.Action, json.RawMessage(entry.Payload)
	payload, err := json.Marshal(message)
	if err != nil {
		panic(err) // the entry's own JSON
	}
	return Message{Type: message.Type, Payload: payload}
}
