package passkey

import (
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one line of the audit trail. It holds ids and enumerations only, never a name or free text.
type AuditEntry struct {
	At    time.Time
	Actor string // "user:<uuid>", "token:<uuid>", "staff:<uuid>", "operator" or "server"
	// Action is "passkey.added", "passkey.removed", "passkey.rejected", "user.created", "user.external_id_changed",
	// "user.signed_out", "recovery_codes.created", "recovery_link.created", "account.recovered", "account.erased",
	// "staff.invited", "staff.removed", "note.written", "note.deleted", "token.created" or "token.revoked".
	Action string
	Object string // "passkey:<base64url>", "user:<uuid>", "note:<uuid>", "token:<uuid>"
	User   UserID // the user concerned; "" for tokens
	Before json.RawMessage
	After  json.RawMessage
	Reason string // free text, stored apart from the entry so that it can be erased; "" = none
}

// passkeyEntry returns the audit entry for a user's action on a passkey.
func passkeyEntry(at time.Time, action string, user UserID, credentialID []byte) AuditEntry {
	return AuditEntry{
		At:     at,
		Actor:  "user:" + string(user),
		Action: action,
		Object: "passkey:" + encode(credentialID),
		User:   user,
	}
}

// with returns the entry with the state after the change.
func (e AuditEntry) with(after any) (AuditEntry, error) {
	text, err := json.Marshal(after)
	if err != nil {
		return AuditEntry{}, fmt.Errorf("encode audit entry: %w", err)
	}
	e.After = text
	return e, nil
}
