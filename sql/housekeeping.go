package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
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
	{table: "status_changes", key: "list, id", at: "at", keep: 10 * time.Minute, ended: `at < (SELECT max(at) FROM status_changes)`},
	// An index is never reused, so those of the newest list stay, and of the list before it, which a running statement may
	// still see as the newest. No document outlives its keyset, not even one without features.
	{
		table: "status_entries", key: "list, idx", at: "ended_at", keep: entitlements.KeysetLife, order: "list, ended_at",
		ended: `list < (SELECT max(list) - 1 FROM status_entries)
			AND NOT EXISTS (SELECT FROM devices d WHERE d.status_list = list AND d.status_idx = idx)`,
	},
}

// expiry says which rows of a table expire.
type expiry struct {
	table, key, at, ended string
	keep                  time.Duration
	order                 string    // the index's, if it is not at
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

// errElsewhere is returned while another replica does the housekeeping.
var errElsewhere = errors.New("another replica keeps house")

// sweep deletes all rows that have expired at now.
func sweep(ctx context.Context, db *sqlx.DB, now time.Time) error {
	for _, h := range housekeeping {
		returned, leave := h.at+` AS at`, ``
		for i, e := range h.listed {
			returned += fmt.Sprintf(`, %s AS key%d`, e.key, i)
			leave += fmt.Sprintf(`, left%d AS (DELETE FROM directory d USING gone WHERE d.kind = '%s' AND d.key = gone.key%d)`, i, e.kind, i)
		}
		statement := `
			WITH gone AS (
				DELETE FROM ` + h.table + ` WHERE (` + h.key + `) IN (
					SELECT ` + h.key + ` FROM ` + h.table + ` WHERE ` + h.at + ` >= $2 AND ` + h.condition() + `
					ORDER BY ` + cmp.Or(h.order, h.at) + ` LIMIT $3 FOR UPDATE SKIP LOCKED)
				RETURNING ` + returned + `
			)` + leave + `
			SELECT count(*), max(at) FROM gone`
		for from, left := time.Unix(0, 0), true; left; {
			err := transact(ctx, db, func(tx *sqlx.Tx) error {
				var mine bool
				if err := tx.GetContext(ctx, &mine, `SELECT pg_try_advisory_xact_lock(`+housekeepingLock+`)`); err != nil {
					return failed("lock housekeeping", err)
				}
				if !mine {
					return errElsewhere
				}
				var n int
				var last stdsql.NullTime
				if err := tx.QueryRowxContext(ctx, statement, now.Add(-h.keep), from, housekeepingBatch).Scan(&n, &last); err != nil {
					return failed("sweep "+h.table, err)
				}
				from, left = last.Time, n == housekeepingBatch
				return nil
			})
			if errors.Is(err, errElsewhere) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
