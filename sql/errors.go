package sql

import (
	"context"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// isUnique tells whether err is the violation of that unique constraint (or index).
func isUnique(err error, constraint string) bool {
	violation := pq.As(err, pqerror.UniqueViolation)
	return violation != nil && violation.Constraint == constraint
}

// transact runs f in one transaction, read committed: committed if f returns nil, else rolled back.
func transact(ctx context.Context, db *sqlx.DB, f func(*sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return failed("begin", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if err := f(tx); err != nil {
		return err
	}
	return failed("commit", tx.Commit())
}
