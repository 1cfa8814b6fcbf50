package passkey

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The audited actions that become notices.
const (
	ActionRejected  = "passkey.rejected"
	ActionRecovered = "account.recovered"
)

const maxNotices = 20 // per code in one answer, the newest first

// NoticeCode is the subject of a notice.
type NoticeCode string

const (
	// AccountRecovered: a passkey was registered with a recovery code or a recovery link.
	AccountRecovered NoticeCode = "account_recovered"
	// PasskeyRejected: a passkey's signature was valid, but its data suggests that it may have been copied.
	PasskeyRejected NoticeCode = "passkey_rejected"
)

// Notice reports an event in the account to its user. It is read from the audit trail, where no user can remove it. A
// sign-in reports the events since the same passkey was last used. So an intruder with another passkey can neither use
// up a notice nor hide it behind many of another code.
type Notice struct {
	Code    NoticeCode
	At      time.Time
	Passkey []byte // credential id of the passkey concerned
	// Reason is for AccountRecovered "recovery_code" or "recovery" (support's link), for PasskeyRejected "sign_count",
	// "backup_eligible" or "user_verification".
	Reason string
}

// cause is the audited state after the change, in entries that become notices.
type cause struct {
	Cause string `json:"cause"`
}

// Notices lists the session's notices, newest first, without the recovery that began the session.
func (s *Service) Notices(ctx context.Context, session Session) ([]Notice, error) {
	if session.ToldFrom == nil {
		return nil, nil
	}
	entries, err := s.store.NoticeEntries(ctx, session.User.ID, *session.ToldFrom, maxNotices)
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return noticesOf(session, entries)
}

// noticesOf turns the entries since session.ToldFrom into notices.
func noticesOf(session Session, entries []AuditEntry) ([]Notice, error) {
	notices := make([]Notice, 0, len(entries))
	for _, entry := range entries {
		notice, err := noticeOf(entry)
		if err != nil {
			return nil, fmt.Errorf("read notices: %w", err)
		}
		if notice.Code == AccountRecovered && notice.At.Equal(session.AuthenticatedAt) && bytes.Equal(notice.Passkey, session.Passkey) {
			continue
		}
		notices = append(notices, notice)
	}
	return notices, nil
}

func noticeOf(entry AuditEntry) (Notice, error) {
	id, err := decode(strings.TrimPrefix(entry.Object, "passkey:"))
	if err != nil {
		return Notice{}, err
	}
	var after cause
	if err := json.Unmarshal(entry.After, &after); err != nil {
		return Notice{}, err
	}
	code := PasskeyRejected
	if entry.Action == ActionRecovered {
		code = AccountRecovered
	}
	return Notice{Code: code, At: entry.At, Passkey: id, Reason: after.Cause}, nil
}
