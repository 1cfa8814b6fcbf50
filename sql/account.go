package sql

import (
	"context"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// EraseUser implements [passkey.UserStore]. Locks are taken in the order user, devices, as in every change of an account.
func (p *Passkeys) EraseUser(ctx context.Context, user passkey.UserID, may passkey.MayRemove, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error { return erase(ctx, tx, user, may, entry) })
}

func erase(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, may passkey.MayRemove, entry passkey.AuditEntry) error {
	role, err := findAccount(ctx, tx, user, func(passkey.Role) error { return nil })
	if err == nil && role != "" {
		_, err = leaving(ctx, tx, user, may)
	}
	if err != nil {
		return err
	}
	// Wait for a running reconcile: the document that it issues must be invalidated, too.
	var rows []deviceRow
	if err := tx.SelectContext(ctx, &rows, `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 FOR UPDATE`, user); err != nil {
		return failed("lock devices", err)
	}
	devices, err := devicesOf(rows)
	if err != nil {
		return err
	}
	// The status indices stay allocated, and stay INVALID.
	if _, err := setStatuses(ctx, tx, entitlements.StatusInvalid, devices); err != nil {
		return err
	}
	if _, err := endSessions(ctx, tx, `user_id = $1`, user); err != nil {
		return err
	}
	for _, step := range []struct{ what, statement string }{
		{"delete reasons", `DELETE FROM audit_reasons WHERE user_id = $1::uuid`},
		// Answers to support's requests about the user, whose path contains the id of the user or of something of theirs:
		// "POST /admin/v1/users/<id>/…".
		{"delete kept answers", `
			DELETE FROM idempotency WHERE actor = 'staff:' || $1::text OR split_part(route, '/', 5) IN (
				SELECT $1::text UNION ALL SELECT id::text FROM devices WHERE user_id = $1::uuid
				UNION ALL SELECT id FROM subscriptions WHERE user_id = $1::uuid
				UNION ALL SELECT id::text FROM webhook_deliveries WHERE user_id = $1::uuid)`},
		{"delete webhooks", `DELETE FROM webhook_deliveries WHERE user_id = $1::uuid`}, // the erasure's own comes later
		{"remember what is erased", rememberErased},
		{"delete acts", `DELETE FROM ledger_entries WHERE user_id = $1::uuid`},
		{"delete billing events", `DELETE FROM billing_events WHERE user_id = $1::uuid`},
		{"delete keys", `DELETE FROM directory WHERE user_id = $1::uuid`},
		// All other rows are deleted in cascade with the user's row.
		{"delete user", `DELETE FROM users WHERE id = $1::uuid`},
	} {
		if _, err := tx.ExecContext(ctx, step.statement, string(user)); err != nil {
			return failed(step.what, err)
		}
	}
	return insertEntry(ctx, tx, entry)
}
