package passkey

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The audited actions that give a notice.
const (
	ActionRejected  = "passkey.rejected"
	ActionRecovered = "account.recovered"
)

const maxNotices = 20 // of each code in one answer, the newest

// NoticeCode names what a notice is about.
type NoticeCode string

const (
	// AccountRecovered: a passkey was registered with a recovery code or a recovery link.
	AccountRecovered NoticeCode = "account_recovered"
	// PasskeyRejected: a passkey's signature was right, but something about it means that it may have been copied.
	PasskeyRejected NoticeCode = "passkey_rejected"
)

// Notice is something that has happened to the account and that its user should hear of. It is read from the audit trail,
// where nobody can take it away. Whoever signs in is told what has happened since that same passkey was last used: one who
// has got into the account with another passkey cannot use the notice up, nor hide it behind many of another code.
type Notice struct {
	Code    NoticeCode
	At      time.Time
	Passkey []byte // credential id of the passkey that it is about
	// Reason is for AccountRecovered "recovery_code" or "recovery" (support's link), for PasskeyRejected "sign_count",
	// "backup_eligible" or "user_verification".
	Reason string
}

// cause is the state after the change of the audit entries that become notices.
type cause struct {
	Cause string `json:"cause"`
}

// Notices lists what the session's user is told during it, the newest first. The recovery that began it, they know of.
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
