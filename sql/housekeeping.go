package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/passkey"
)

const (
	housekeepingPace  = time.Minute
	housekeepingBatch = 200 // rows in one transaction
	// housekeepingLock admits one replica at a time.
	housekeepingLock = `hashtextextended('housekeeping', 0)`
)

// housekeeping lists the tables whose rows expire, with the condition for a row that has expired at $1, in the order of an
// index. A batch begins where the previous one ended, to skip the rows deleted there: they stay in the index while an old
// snapshot, such as a dump's, exists. SECURITY.md documents how long rows are kept; spent ceremonies are kept longer for
// replicas whose clocks are behind.
var housekeeping = []expiry{
	{table: "spent", key: "id", at: "expires_at", keep: 2 * entitlements.MaxClockOff},
	{table: "sessions", key: "user_id, id", at: "expires_at"},
	{table: "sessions", key: "user_id, id", at: "last_active_at", keep: passkey.SessionIdleLife},
	{table: "enrolments", key: "user_id, code_hash", at: "expires_at", listed: []listing{{linkKey, "encode(code_hash, 'hex')"}}},
	{table: "idempotency", key: "actor, route, key", at: "created_at", keep: entitlements.KeyLife},
	{table: "billing_events", key: "source, id", at: "received_at", ended: "user_id IS NULL", keep: billing.UnclaimedLife},
	{table: "devices", key: "user_id, id", at: "removed_at", ended: "(document_bound IS NULL OR document_bound <= $1)", keep: entitlements.RemovedLife,
		listed: []listing{{deviceKey, "id::text"}, {deviceKeyKey, "jkt"}}},
	{table: "past_subscriptions", key: "user_id, until", at: "until", keep: entitlements.HistoryLife},
	{table: "past_plans", key: "id, until", at: "until", keep: entitlements.HistoryLife},
	{table: "status_changes", key: "list, id", at: "at", keep: 10 * time.Minute, ended: `at < (SELECT max(at) FROM status_changes)`},
}

// statusesKept is how long an index of a status list is kept after its end: no document outlives its keyset, not even one
// without features.
const statusesKept = entitlements.KeysetLife

// expiry says which rows of a table expire.
type expiry struct {
	table, key, at, ended string
	keep                  time.Duration
	listed                []listing // directory keys of each row, as SQL expressions
}

// condition is that of a row that has expired at $1.
func (e expiry) condition() string {
	if e.ended == "" {
		return e.at + ` <= $1`
	}
	return e.at + ` <= $1 AND ` + e.ended
}

// KeepHouse deletes expired rows until ctx ends, in small batches and on one replica at a time. It deletes nothing while
// clockOff returns an error: other replicas may still need what seems to have expired. It calls report as
// [entitlements.Repeat] does. Call KeepHouse once, in its own goroutine, so that no request waits for it.
func (d *Database) KeepHouse(ctx context.Context, clockOff func() error, report func(error)) {
	entitlements.Repeat(ctx, housekeepingPace, nil, func(ctx context.Context) error {
		if err := clockOff(); err != nil {
			return err
		}
		err := sweep(ctx, d.db, time.Now())
		if err == nil {
			d.swept.Store(time.Now().Unix())
		}
		return err
	}, report)
}

// Swept returns when KeepHouse last succeeded or found another replica at it, as Unix time; 0 before the first time.
func (d *Database) Swept() int64 { return d.swept.Load() }

// sweep deletes all rows that have expired at now.
func sweep(ctx context.Context, db *sqlx.DB, now time.Time) error {
	for _, h := range housekeeping {
		returned, leave := h.at+` AS at`, ``
		for i, e := range h.listed {
			returned += fmt.Sprintf(`, %s AS key%d`, e.key, i)
			leave += fmt.Sprintf(`, left%d AS (DELETE FROM directory d USING gone WHERE d.kind = '%s' AND d.key = gone.key%d)`, i, e.kind, i)
		}
		lock, again := skipLocked(db, h.table, h.condition())
		statement := `
			WITH gone AS (
				DELETE FROM ` + h.table + ` WHERE (` + h.key + `) IN (
					SELECT ` + h.key + ` FROM ` + h.table + ` WHERE ` + h.at + ` >= $2 AND ` + h.condition() + `
					ORDER BY ` + h.at + ` LIMIT $3` + lock + `)` + again + `
				RETURNING ` + returned + `
			)` + leave + `
			SELECT count(*), max(at) FROM gone`
		from := time.Unix(0, 0)
		if err := inBatches(ctx, db, func(tx *sqlx.Tx) (left bool, err error) {
			var n int
			var last stdsql.NullTime
			err = tx.QueryRowxContext(ctx, statement, now.Add(-h.keep), from, housekeepingBatch).Scan(&n, &last)
			from = last.Time
			return n == housekeepingBatch, failed("sweep "+h.table, err)
		}); err != nil {
			return err
		}
	}
	after := sweptStatus{}
	return inBatches(ctx, db, func(tx *sqlx.Tx) (left bool, err error) {
		lists, indices, last, err := endedStatuses(ctx, tx, now.Add(-statusesKept), after)
		if err != nil {
			return false, err
		}
		if last != nil {
			after = *last
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM status_entries e USING unnest($1::int[], $2::int[]) AS gone (list, idx) WHERE e.list = gone.list AND e.idx = gone.idx`,
			lists, indices)
		return last != nil, failed("sweep status_entries", err)
	})
}

// inBatches runs f, each time in a transaction, while rows are left. It returns nil at once while another replica keeps house.
func inBatches(ctx context.Context, db *sqlx.DB, f func(*sqlx.Tx) (left bool, err error)) error {
	for left := true; left; {
		if err := transact(ctx, db, func(tx *sqlx.Tx) error {
			var mine bool
			if err := tx.GetContext(ctx, &mine, `SELECT pg_try_advisory_xact_lock(`+housekeepingLock+`)`); err != nil {
				return failed("lock housekeeping", err)
			}
			if left = mine; !mine {
				return nil
			}
			var err error
			left, err = f(tx)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
