package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
)

// isGap is true if the audit entry a reports a gap.
const isGap = `a.action = 'gap.found'`

// isClosed is true if the gap that the audit entry a reports is closed.
const isClosed = `EXISTS (SELECT FROM audit c WHERE c.user_id = a.user_id AND c.action = 'gap.closed' AND c.object = 'gap:' || a.id)`

const listGaps = `
	SELECT a.id, a.at, a.user_id, substring(a.object FROM '^device:(.*)$') AS device,
		(a.after->>'revision')::bigint AS device_revision, (a.before->>'revision')::bigint AS database_revision,
		coalesce(a.after->>'acts', '0')::bigint AS device_acts, coalesce(a.before->>'acts', '0')::bigint AS database_acts
	FROM audit a JOIN users u ON u.id = a.user_id
	WHERE a.id < $1 AND ` + isGap + ` AND NOT ` + isClosed + ` ORDER BY a.id DESC LIMIT $2`

// Gaps implements [entitlements.Store].
func (s *Entitlements) Gaps(ctx context.Context, query entitlements.GapQuery) ([]entitlements.Gap, error) {
	var rows []struct {
		ID               string
		At               time.Time
		User             entitlements.UserID   `db:"user_id"`
		Device           entitlements.DeviceID `db:"device"`
		DeviceRevision   int64                 `db:"device_revision"`
		DatabaseRevision int64                 `db:"database_revision"`
		DeviceActs       int64                 `db:"device_acts"`
		DatabaseActs     int64                 `db:"database_acts"`
	}
	if err := s.db.SelectContext(ctx, &rows, listGaps, cmp.Or(query.Before, endOfIDs), query.Limit); err != nil {
		return nil, failed("read gaps", err)
	}
	gaps := make([]entitlements.Gap, len(rows))
	for i, row := range rows {
		row.At = row.At.UTC()
		gaps[i] = entitlements.Gap(row)
	}
	return gaps, nil
}

// CloseGap implements [entitlements.Store]. It locks the user's row against a concurrent erasure, which would miss the
// reason.
func (s *Entitlements) CloseGap(ctx context.Context, id string, entry entitlements.AuditEntry) error {
	err := transact(ctx, s.db, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &entry.User, `SELECT a.user_id FROM audit a WHERE a.id = $1 AND `+isGap, id)
		if err == nil {
			err = tx.GetContext(ctx, &entry.User, `SELECT id FROM users WHERE id = $1 FOR SHARE`, entry.User)
		}
		if errors.Is(err, stdsql.ErrNoRows) {
			return entitlements.ErrNotFound
		}
		if err != nil {
			return failed("find gap", err)
		}
		entry.Object = "gap:" + id
		return audit(ctx, tx, entry)
	})
	if isUnique(err, "audit_gaps_closed") {
		return nil
	}
	return err
}
