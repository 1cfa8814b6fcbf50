package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
)

// claimLife is how long a request without an answer counts as in progress. No request may take that long, so the maker of
// an older claim has died.
const claimLife = time.Minute

// here, in the FROM of a single statement, makes the commit wait only for this server's disk, not for a synchronous
// standby. A failover may lose the claim, as if its request had died; a claim with an unknown outcome would block the next
// try.
const here = `set_config('synchronous_commit', 'local', true)`

// Answers stores the answers to requests with an Idempotency-Key for 24 hours. It implements the Answers interface of
// package api.
type Answers struct {
	db *sqlx.DB
}

// NewAnswers returns the store in db. It does not close db.
func NewAnswers(db *sqlx.DB) *Answers {
	return &Answers{db: db}
}

// Claim gives the caller the exclusive right to execute the request, and returns claimed as true. If the request has been
// executed before, claimed is false and status and answer are those passed to Keep. A status of 0 means that the request is
// in progress, or that the key was used with another body. A claim that is neither kept nor released within a minute passes
// to the next caller with the same body.
func (a *Answers) Claim(
	ctx context.Context, actor, route, key string, bodyHash []byte, now time.Time,
) (claimed bool, status int, answer []byte, err error) {
	ended := now.Add(-entitlements.KeyLife)
	result, err := a.db.ExecContext(ctx, `
		INSERT INTO idempotency AS i (actor, route, key, body_hash, created_at) SELECT $1, $2, $3, $4, $5 FROM `+here+`
		ON CONFLICT (actor, route, key) DO UPDATE
		SET body_hash = excluded.body_hash, status = NULL, answer = NULL, created_at = excluded.created_at
		WHERE i.created_at <= $6 OR i.status IS NULL AND i.created_at <= $7 AND i.body_hash = excluded.body_hash`,
		actor, route, key, bodyHash, now, ended, now.Add(-claimLife))
	none, err := affectedNone(result, failed("claim request", err))
	if err != nil || !none {
		return err == nil, 0, nil, err
	}
	err = a.db.QueryRowContext(ctx, `
		SELECT status, answer FROM idempotency
		WHERE actor = $1 AND route = $2 AND key = $3 AND body_hash = $4 AND status IS NOT NULL`,
		actor, route, key, bodyHash).Scan(&status, &answer)
	if errors.Is(err, stdsql.ErrNoRows) {
		return false, 0, nil, nil
	}
	return false, status, answer, failed("select answer", err)
}

// Keep ends the claim made at the time claimed and stores the answer for repetitions.
func (a *Answers) Keep(ctx context.Context, actor, route, key string, claimed time.Time, status int, answer []byte) error {
	_, err := a.db.ExecContext(ctx, `
		UPDATE idempotency SET status = $5, answer = $6
		WHERE actor = $1 AND route = $2 AND key = $3 AND created_at = $4 AND status IS NULL`,
		actor, route, key, claimed, status, answer)
	return failed("keep answer", err)
}

// Release ends the claim made at the time claimed as if it had never been made.
func (a *Answers) Release(ctx context.Context, actor, route, key string, claimed time.Time) error {
	_, err := a.db.ExecContext(ctx, `
		DELETE FROM idempotency USING `+here+` WHERE actor = $1 AND route = $2 AND key = $3 AND created_at = $4 AND status IS NULL`,
		actor, route, key, claimed)
	return failed("release request", err)
}
