package sql

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// CheckWritable fails unless the database can commit a change as it is configured: the server answers, is not read-only,
// has disk space, and its synchronous standby confirms. It leaves nothing behind.
func CheckWritable(ctx context.Context, db *sqlx.DB) error {
	// This runs outside a transaction because our transactions ask for READ WRITE, which a database that is read-only by
	// default grants.
	if _, err := db.ExecContext(ctx, `DELETE FROM sessions WHERE false`); err != nil {
		return failed("write", err)
	}
	return transact(ctx, db, func(tx *sqlx.Tx) error {
		for _, step := range []struct{ what, statement string }{
			{"limit memory", `SET LOCAL work_mem = '64kB'`},
			// A few hundred kilobytes more than work_mem go to the disk temporarily. Updating a row would not do: it can
			// reuse the space of an old version, even on a full disk.
			{"write to the disk", `SELECT count(*) FROM generate_series(1, 20000)`},
			{"write to the log", `SELECT pg_logical_emit_message(true, 'holdfast', 'ready')`}, // something to commit
		} {
			if _, err := tx.ExecContext(ctx, step.statement); err != nil {
				return failed(step.what, err)
			}
		}
		return nil
	})
}
