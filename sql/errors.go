package sql

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// isUnique reports whether err is a violation of the named unique constraint or index. Citus appends the shard's number to
// the name, and reports no name from another node: a statement must have no second one that a caller's input can violate.
func isUnique(err error, constraint string) bool {
	violation := pq.As(err, pqerror.UniqueViolation)
	if violation == nil {
		return false
	}
	name := strings.TrimRight(violation.Constraint, "0123456789")
	return name == "" || violation.Constraint == constraint || name == constraint+"_"
}

// list runs a query, whose name is what, and converts its rows.
func list[R, T any](ctx context.Context, db sqlx.QueryerContext, what string, convert func(R) T, query string, args ...any) ([]T, error) {
	var rows []R
	if err := sqlx.SelectContext(ctx, db, &rows, query, args...); err != nil {
		return nil, failed(what, err)
	}
	converted := make([]T, len(rows))
	for i, row := range rows {
		converted[i] = convert(row)
	}
	return converted, nil
}

// maxAttempts is how often a transaction is tried if others deadlock with it.
const maxAttempts = 10

// transact runs f in a read committed transaction. It commits if f returns nil, and otherwise rolls back. After a deadlock
// it runs f again.
func transact(ctx context.Context, db *sqlx.DB, f func(*sqlx.Tx) error) (err error) {
	for range maxAttempts {
		if err = transactOnce(ctx, db, f); pq.As(err, pqerror.TRDeadlockDetected) == nil {
			break
		}
	}
	return err
}

func transactOnce(ctx context.Context, db *sqlx.DB, f func(*sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return failed("begin", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit
	if err := f(tx); err != nil {
		return err
	}
	return failed("commit", tx.Commit())
}
