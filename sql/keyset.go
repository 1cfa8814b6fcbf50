package sql

import (
	"context"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
)

// MarkKeyset implements [entitlements.Store].
func (s *Entitlements) MarkKeyset(ctx context.Context, mark entitlements.KeysetMark) error {
	return transact(ctx, s.db, func(tx *sqlx.Tx) error {
		// Replicas that take a keyset do so one after another; it happens a few times a year.
		if _, err := tx.ExecContext(ctx, `LOCK TABLE keyset_marks IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return failed("lock keyset marks", err)
		}
		var rows []struct {
			Root    string
			Version int64
			Digest  string
		}
		if err := tx.SelectContext(ctx, &rows, `SELECT root, version, digest FROM keyset_marks ORDER BY place`); err != nil {
			return failed("read keyset marks", err)
		}
		marks := make([]entitlements.KeysetMark, len(rows))
		for i, row := range rows {
			marks[i] = entitlements.KeysetMark{Root: row.Root, Version: row.Version, Digest: row.Digest}
		}
		if err := mark.Follows(marks); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO keyset_marks (root, version, digest) VALUES ($1, $2, $3)
			ON CONFLICT (root) DO UPDATE SET version = excluded.version, digest = excluded.digest`,
			mark.Root, mark.Version, mark.Digest)
		return failed("store keyset mark", err)
	})
}
