package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"math"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// audit adds an entry to the trail, and its reason beside it.
func audit(ctx context.Context, tx sqlx.ExtContext, entry entitlements.AuditEntry) error {
	_, err := tx.ExecContext(ctx, `
		WITH entry AS (
			INSERT INTO audit (at, actor, action, object, user_id, before, after)
			VALUES ($1, $2, $3, $4, nullif($5, '')::uuid, $6, $7) RETURNING id, user_id
		)
		INSERT INTO audit_reasons (audit_id, user_id, reason) SELECT id, user_id, $8 FROM entry WHERE $8 <> ''`,
		entry.At, entry.Actor, entry.Action, entry.Object, entry.User, jsonOrNull(entry.Before), jsonOrNull(entry.After), entry.Reason)
	return failed("audit", err)
}

// Audit implements [entitlements.Store].
func (s *Entitlements) Audit(ctx context.Context, query entitlements.AuditQuery) ([]entitlements.AuditEntry, error) {
	var rows []struct {
		ID     int64
		At     time.Time
		Actor  string
		Action string
		Object string
		User   stdsql.NullString `db:"user_id"`
		Before []byte
		After  []byte
		Reason stdsql.NullString
	}
	before, whose, arguments := query.Before, "", []any{query.Limit}
	if before == 0 {
		before = math.MaxInt64
	}
	arguments = append(arguments, before)
	if query.User != "" {
		whose, arguments = "AND a.user_id = $3", append(arguments, query.User)
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT a.id, a.at, a.actor, a.action, a.object, a.user_id, a.before, a.after, r.reason
		FROM audit a LEFT JOIN audit_reasons r ON r.audit_id = a.id
		WHERE a.id < $2 `+whose+` ORDER BY a.id DESC LIMIT $1`, arguments...)
	if err != nil {
		return nil, failed("read audit", err)
	}
	entries := make([]entitlements.AuditEntry, 0, len(rows))
	for _, row := range rows {
		entries = append(entries, entitlements.AuditEntry{
			ID: row.ID, At: row.At.UTC(), Actor: row.Actor, Action: row.Action, Object: row.Object, User: row.User.String,
			Before: row.Before, After: row.After, Reason: row.Reason.String,
		})
	}
	return entries, nil
}

// UserAudit implements [passkey.CredentialStore].
func (p *Passkeys) UserAudit(
	ctx context.Context, user passkey.UserID, actions []string, since time.Time, limit int,
) ([]passkey.AuditEntry, error) {
	var rows []struct {
		At                    time.Time
		Actor, Action, Object string
		After                 []byte
	}
	err := p.db.SelectContext(ctx, &rows, `
		SELECT e.at, e.actor, e.action, e.object, e.after FROM unnest($2::text[]) AS wanted (action) CROSS JOIN LATERAL (
			SELECT id, at, actor, action, object, after FROM audit
			WHERE user_id = $1 AND action = ANY($2) AND action = wanted.action AND at >= $3 ORDER BY at DESC, id DESC LIMIT $4
		) AS e
		ORDER BY e.at DESC, e.id DESC`,
		user, pq.Array(actions), since, limit)
	if err != nil {
		return nil, failed("read audit", err)
	}
	entries := make([]passkey.AuditEntry, len(rows))
	for i, row := range rows {
		entries[i] = passkey.AuditEntry{
			At: row.At.UTC(), Actor: row.Actor, Action: row.Action, Object: row.Object, User: user, After: row.After,
		}
	}
	return entries, nil
}

func jsonOrNull(value json.RawMessage) stdsql.NullString {
	return stdsql.NullString{String: string(value), Valid: value != nil}
}
