package sql

import (
	"context"
	"math"
	"time"

	"holdfast/entitlements"
)

// isGap says whether the audit entry a tells of a gap.
const isGap = `a.action = 'gap.found'`

// isClosed says whether the gap that the audit entry a tells of is closed.
const isClosed = `EXISTS (SELECT FROM audit c WHERE c.action = 'gap.closed' AND c.object = 'gap:' || a.id)`

const listGaps = `
	SELECT a.id, a.at, a.user_id, substring(a.object FROM '^device:(.*)$') AS device,
		(a.after->>'revision')::bigint AS device_revision, (a.before->>'revision')::bigint AS database_revision
	FROM audit a JOIN users u ON u.id = a.user_id
	WHERE a.id < $1 AND ` + isGap + ` AND NOT ` + isClosed + ` ORDER BY a.id DESC LIMIT $2`

// Gaps implements [entitlements.Store].
func (s *Entitlements) Gaps(ctx context.Context, query entitlements.GapQuery) ([]entitlements.Gap, error) {
	var rows []struct {
		ID               int64
		At               time.Time
		User             entitlements.UserID   `db:"user_id"`
		Device           entitlements.DeviceID `db:"device"`
		DeviceRevision   int64                 `db:"device_revision"`
		DatabaseRevision int64                 `db:"database_revision"`
	}
	before := query.Before
	if before == 0 {
		before = math.MaxInt64
	}
	if err := s.db.SelectContext(ctx, &rows, listGaps, before, query.Limit); err != nil {
		return nil, failed("read gaps", err)
	}
	gaps := make([]entitlements.Gap, len(rows))
	for i, row := range rows {
		row.At = row.At.UTC()
		gaps[i] = entitlements.Gap(row)
	}
	return gaps, nil
}

// CloseGap implements [entitlements.Store]. The user's row is locked against being erased meanwhile, which would leave the
// reason behind.
func (s *Entitlements) CloseGap(ctx context.Context, id int64, entry entitlements.AuditEntry) error {
	var found bool
	err := s.db.GetContext(ctx, &found, `
		WITH gap AS (
			SELECT a.id, a.user_id FROM audit a JOIN users u ON u.id = a.user_id WHERE a.id = $1 AND `+isGap+` FOR SHARE OF u
		), closed AS (
			INSERT INTO audit (at, actor, action, object, user_id) SELECT $2, $3, $4, 'gap:' || id, user_id FROM gap
			ON CONFLICT (object) WHERE action = 'gap.closed' DO NOTHING RETURNING id, user_id
		), reason AS (
			INSERT INTO audit_reasons (audit_id, user_id, reason) SELECT id, user_id, $5 FROM closed
		)
		SELECT EXISTS (SELECT FROM gap)`, id, entry.At, entry.Actor, entry.Action, entry.Reason)
	if err != nil {
		return failed("close gap", err)
	}
	if !found {
		return entitlements.ErrNotFound
	}
	return nil
}
