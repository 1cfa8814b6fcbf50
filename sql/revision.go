package sql

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// Revisions implements [entitlements.Store].
func (s *Entitlements) Revisions(ctx context.Context, users []entitlements.UserID) (map[entitlements.UserID]int64, error) {
	var rows []struct {
		ID       entitlements.UserID
		Revision int64
	}
	if err := s.db.SelectContext(ctx, &rows, `SELECT id, revision FROM users WHERE id = ANY($1::uuid[])`, pq.Array(users)); err != nil {
		return nil, failed("read revisions", err)
	}
	revisions := make(map[entitlements.UserID]int64, len(rows))
	for _, row := range rows {
		revisions[row.ID] = row.Revision
	}
	return revisions, nil
}

// raise raises the revisions of users, to least at the minimum, and announces them. It raises their devices' revisions,
// too: see devices.revision in the schema. It returns the highest revision.
func raise(ctx context.Context, tx *sqlx.Tx, at time.Time, least int64, users ...string) (revision int64, err error) {
	err = tx.GetContext(ctx, &revision, `
		WITH raised AS (
			UPDATE users SET revision = greatest(revision + 1, $3) WHERE id = ANY($1::uuid[]) RETURNING id, revision
		), devices AS (
			UPDATE devices d SET revision = r.revision FROM raised r WHERE d.user_id = r.id AND `+mattering+`
		)
		SELECT coalesce(max(revision), 0) FROM raised, pg_notify('`+revisionChannel+`', id || ' ' || revision)`, pq.Array(users), at, least)
	return revision, failed("raise revision", err)
}
