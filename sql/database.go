package sql

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// Database is a pool of connections with the stores on it.
type Database struct {
	Passkeys     *Passkeys
	Entitlements *Entitlements
	Answers      *Answers
	Outbox       *Outbox

	db    *sqlx.DB
	swept atomic.Int64 // when the housekeeping last found nothing more to do; Unix seconds
}

// OpenDatabase is [Open] for a database on whose schema this program must work, with at most that many connections. Close its
// result.
func OpenDatabase(ctx context.Context, url string, connections int) (_ *Database, err error) {
	d := &Database{}
	if d.db, err = Open(ctx, url); err != nil {
		return nil, err
	}
	d.db.SetMaxOpenConns(connections)
	d.db.SetMaxIdleConns(connections)
	d.Answers, d.Outbox = NewAnswers(d.db), NewOutbox(d.db)
	if err = CheckVersion(ctx, d.db); err == nil {
		d.Passkeys, err = NewPasskeys(ctx, d.db)
	}
	if err == nil {
		d.Entitlements, err = NewEntitlements(ctx, d.db)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Pool returns the numbers of the pool of connections.
func (d *Database) Pool() sql.DBStats { return d.db.Stats() }

// Close ends all connections.
func (d *Database) Close() error { return d.db.Close() }

// CheckWritable fails unless the database can commit a change as it is configured: the server answers, is not read-only,
// has disk space, and its synchronous standby confirms. It leaves nothing behind.
func (d *Database) CheckWritable(ctx context.Context) error {
	// This runs outside a transaction because our transactions ask for READ WRITE, which a database that is read-only by
	// default grants.
	if _, err := d.db.ExecContext(ctx, `DELETE FROM sessions WHERE false`); err != nil {
		return failed("write", err)
	}
	return transact(ctx, d.db, func(tx *sqlx.Tx) error {
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
