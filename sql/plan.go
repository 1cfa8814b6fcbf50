package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

const (
	// firstHolder is below every user's id.
	firstHolder = nobody
	// holdersAtOnce is how many users are raised in one transaction: their reconciles wait for it, about a tenth of a
	// second.
	holdersAtOnce = 250
)

// catalogue is the lock that transactions share while they change accounts based on the plans that they have read.
const catalogue = `hashtextextended('plans', 0)`

// awaitChanges waits for running changes of accounts and delays new ones only meanwhile: rolling back to the savepoint
// releases the lock.
const awaitChanges = `SAVEPOINT before; SELECT pg_advisory_xact_lock(` + catalogue + `); ROLLBACK TO SAVEPOINT before`

// withdrawing is true if documents of user $1 are to be withdrawn because of a plan of theirs.
const withdrawing = `EXISTS (SELECT FROM subscriptions s JOIN plans p ON p.id = s.plan
	WHERE s.user_id = $1 AND $1 > p.losing_after AND $1 > p.raising_after)`

// Plans implements [entitlements.Store].
func (s *Entitlements) Plans(ctx context.Context) ([]entitlements.Plan, error) {
	var rows jsonColumn[[]planRow]
	if err := s.db.GetContext(ctx, &rows, `SELECT `+allPlans); err != nil {
		return nil, failed("read plans", err)
	}
	plans := make([]entitlements.Plan, 0, len(rows.V))
	for _, row := range rows.V {
		plans = append(plans, row.plan())
	}
	return plans, nil
}

// PutPlan implements [entitlements.Store].
func (s *Entitlements) PutPlan(
	ctx context.Context, plan entitlements.Plan, at time.Time, change func(before *entitlements.Plan) (entitlements.PlanChange, error),
) error {
	features, err := json.Marshal(plan.Features)
	if err != nil {
		return fmt.Errorf("put plan: %w", err)
	}
	window := stdsql.NullInt64{Int64: int64(plan.Window / time.Second), Valid: plan.Window > 0}
	values := []any{plan.ID, string(features), window, int64(plan.Grace / time.Second), plan.DeviceLimit, plan.Rank, at}
	return transact(ctx, s.db, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO plans (id, features, window_seconds, grace_seconds, device_limit, rank, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`, values...)
		found, err := affectedNone(result, failed("put plan", err))
		if err != nil {
			return err
		}
		var before *entitlements.Plan
		if found {
			var row jsonColumn[planRow]
			if err := tx.GetContext(ctx, &row, `SELECT to_json(p) FROM plans p WHERE id = $1 FOR NO KEY UPDATE`, plan.ID); err != nil {
				return failed("lock plan", err)
			}
			before = new(row.V.plan())
		}
		c, err := change(before)
		if err != nil {
			return err
		}
		if found {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO past_plans (id, until, plan) SELECT id, $2, to_jsonb(p) FROM plans p WHERE id = $1
				ON CONFLICT DO NOTHING`, plan.ID, at); err != nil {
				return failed("keep past plan", err)
			}
			// Holders still awaiting withdrawal from an earlier change are withdrawn for this one too.
			_, err := tx.ExecContext(ctx, `
				UPDATE plans SET features = $2, window_seconds = $3, grace_seconds = $4, device_limit = $5, rank = $6, updated_at = $7,
					raising_after = CASE WHEN $8 THEN $9::uuid ELSE raising_after END,
					losing_after = CASE WHEN $10 THEN $9::uuid WHEN losing_after IS NOT NULL THEN greatest(losing_after, raising_after) END
				WHERE id = $1`, append(values, c.Raise || c.Withdraw, firstHolder, c.Withdraw)...)
			if err != nil {
				return failed("put plan", err)
			}
			if c.Raise || c.Withdraw {
				if err := notify(ctx, tx, planChannel); err != nil {
					return err
				}
			}
		}
		c.Audit.At = at
		return audit(ctx, tx, c.Audit)
	})
}

// RaiseHolders implements [entitlements.Store]. Locks are taken in the same order as in all transactions: plan, catalogue,
// users (by id), devices. The lock on the plan does not block new subscriptions to it.
func (s *Entitlements) RaiseHolders(ctx context.Context, at time.Time) (more bool, err error) {
	err = transact(ctx, s.db, func(tx *sqlx.Tx) error {
		more, err = raiseHolders(ctx, tx, at)
		return err
	})
	return more && err == nil, err
}

func raiseHolders(ctx context.Context, tx *sqlx.Tx, at time.Time) (more bool, err error) {
	if distributed(tx) { // otherwise, plans could not be changed after users on several nodes
		if _, err := tx.ExecContext(ctx, `SET LOCAL citus.multi_shard_modify_mode TO 'sequential'`); err != nil {
			return false, failed("work on one node at a time", err)
		}
	}
	// Always the first plan: concurrent transactions for different plans could deadlock on status indices.
	var plan struct {
		ID      entitlements.PlanID
		Raising string  `db:"raising_after"`
		Losing  *string `db:"losing_after"`
	}
	err = tx.GetContext(ctx, &plan, `
		SELECT id, raising_after, losing_after FROM plans
		WHERE id = (SELECT min(id) FROM plans WHERE raising_after IS NOT NULL) AND raising_after IS NOT NULL
		FOR NO KEY UPDATE SKIP LOCKED`)
	if errors.Is(err, stdsql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, failed("lock plan", err)
	}
	if plan.Raising == firstHolder {
		// Users who are subscribing under the old plan become holders when their transactions commit.
		if _, err := tx.ExecContext(ctx, awaitChanges); err != nil {
			return false, failed("await changes", err)
		}
	}
	var holders []string
	err = tx.SelectContext(ctx, &holders, `
		SELECT DISTINCT user_id FROM subscriptions WHERE plan = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`,
		plan.ID, plan.Raising, holdersAtOnce)
	if err != nil {
		return false, failed("find holders", err)
	}
	if len(holders) > 0 {
		// Citus refuses to lock users on several nodes before they are changed: a deadlock starts the transaction again.
		if !distributed(tx) {
			if _, err := tx.ExecContext(ctx, `SELECT FROM users WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`, pq.Array(holders)); err != nil {
				return false, failed("lock holders", err)
			}
		}
		if _, err := raise(ctx, tx, at, 0, plan.Losing != nil, holders...); err != nil {
			return false, err
		}
		if plan.Losing != nil {
			if err := withdrawDocuments(ctx, tx, holders, *plan.Losing, at); err != nil {
				return false, err
			}
		}
	}
	var next *string
	if len(holders) == holdersAtOnce {
		next = &holders[len(holders)-1]
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE plans SET raising_after = $2, losing_after = CASE WHEN $2::uuid IS NOT NULL THEN losing_after END WHERE id = $1`,
		plan.ID, next)
	return true, failed("remember the last holder", err)
}

// withdrawDocuments sets the status of devices that lose their documents to INVALID, for the users with ids above losing,
// and gives the devices new indices. The caller has locked the users' rows.
func withdrawDocuments(ctx context.Context, tx *sqlx.Tx, users []string, losing string, at time.Time) error {
	var rows []struct {
		UserID string `db:"user_id"`
		deviceRow
	}
	err := tx.SelectContext(ctx, &rows, `
		SELECT user_id, `+deviceColumns+` FROM devices WHERE user_id = ANY($1::uuid[]) AND `+mattering+` AND user_id > $3`, pq.Array(users), at, losing)
	if err != nil {
		return failed("read devices", err)
	}
	var losers []entitlements.Device
	owners := map[string]string{}
	for _, row := range rows {
		device, err := row.device()
		if err != nil {
			return err
		}
		if device.LosesWithPlan(at) {
			losers, owners[string(device.ID)] = append(losers, device), row.UserID
		}
	}
	devices, err := setStatuses(ctx, tx, entitlements.StatusInvalid, losers)
	if err != nil {
		return err
	}
	indices, err := allotIndices(ctx, tx, len(devices))
	if err != nil {
		return err
	}
	theirs, lists, places := make([]string, len(indices)), make([]int, len(indices)), make([]int, len(indices))
	for i, index := range indices {
		theirs[i], lists[i], places[i] = owners[devices[i]], index.List, index.Idx
	}
	_, err = tx.ExecContext(ctx, giveIndices, pq.Array(theirs), pq.Array(devices), pq.Array(lists), pq.Array(places))
	return failed("allot status indices", err)
}

const giveIndices = `
	UPDATE devices d SET status_list = n.list, status_idx = n.idx
	FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS n (user_id, id, list, idx) WHERE d.user_id = n.user_id AND d.id = n.id`

type planRow struct {
	ID          entitlements.PlanID                         `json:"id"`
	Features    jsonColumn[map[string]entitlements.Feature] `json:"features"`
	Window      *int64                                      `json:"window_seconds" db:"window_seconds"`
	Grace       int64                                       `json:"grace_seconds" db:"grace_seconds"`
	DeviceLimit int                                         `json:"device_limit" db:"device_limit"`
	Rank        int                                         `json:"rank"`
}

func (r planRow) plan() entitlements.Plan {
	plan := entitlements.Plan{
		ID: r.ID, Features: r.Features.V, Grace: time.Duration(r.Grace) * time.Second, DeviceLimit: r.DeviceLimit, Rank: r.Rank,
	}
	if r.Window != nil {
		plan.Window = time.Duration(*r.Window) * time.Second
	}
	return plan
}
