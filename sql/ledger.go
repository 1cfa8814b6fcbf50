package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/entitlements/ledger"
	"holdfast/entitlements/outbox"
)

// LedgerStanding implements [entitlements.Store].
func (s *Entitlements) LedgerStanding(
	ctx context.Context, user entitlements.UserID, device entitlements.DeviceID, first, last int64, since time.Time,
) (entitlements.LedgerStanding, error) {
	var row struct {
		Taken         jsonColumn[[]takenRow]
		Subscriptions jsonColumn[[]pastSubscriptionsRow]
		Plans         jsonColumn[[]pastPlanRow]
		Catalogue     jsonColumn[[]planRow]
		Accepted      jsonColumn[map[string]int64]
		StoredUntil   *time.Time `db:"stored_until"`
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT (SELECT coalesce(json_agg(json_build_object('seq', seq, 'hash', encode(hash, 'hex'), 'verdict', verdict, 'reason', reason)
				ORDER BY seq, received_at), '[]')
				FROM ledger_entries WHERE user_id = $1 AND device_id = $2 AND seq BETWEEN $3 AND $4) AS taken,
			(SELECT coalesce(json_agg(json_build_object('until', until, 'subscriptions', subscriptions) ORDER BY until), '[]')
				FROM past_subscriptions WHERE user_id = $1 AND until > $5) AS subscriptions,
			(SELECT coalesce(json_agg(json_build_object('until', until, 'plan', plan) ORDER BY until), '[]')
				FROM past_plans WHERE until > $5) AS plans,
			`+allPlans+` AS catalogue,
			(SELECT coalesce(json_object_agg(feature, acts), '{}') FROM ledger_accepted WHERE user_id = $1) AS accepted,
			(SELECT stored_until FROM users WHERE id = $1) AS stored_until`,
		user, device, first, last, since)
	if err != nil {
		return entitlements.LedgerStanding{}, failed("read ledger", err)
	}
	standing := entitlements.LedgerStanding{
		Accepted: row.Accepted.V, History: entitlements.History{Catalogue: map[entitlements.PlanID]entitlements.Plan{}},
	}
	if row.StoredUntil != nil {
		standing.StoredUntil = row.StoredUntil.UTC()
	}
	for _, taken := range row.Taken.V {
		known := entitlements.Taken{Seq: taken.Seq, Verdict: ledger.Verdict{Outcome: taken.Verdict, Reason: taken.Reason}}
		if _, err := hex.Decode(known.Hash[:], []byte(taken.Hash)); err != nil {
			return entitlements.LedgerStanding{}, fmt.Errorf("read ledger: %w", err)
		}
		standing.Taken = append(standing.Taken, known)
	}
	for _, past := range row.Subscriptions.V {
		then := entitlements.PastSubscriptions{Until: past.Until}
		for _, subscription := range past.Subscriptions {
			then.Subscriptions = append(then.Subscriptions, subscription.subscription())
		}
		standing.History.Subscriptions = append(standing.History.Subscriptions, then)
	}
	for _, past := range row.Plans.V {
		standing.History.Plans = append(standing.History.Plans, entitlements.PastPlan{Until: past.Until, Plan: past.Plan.plan()})
	}
	for _, plan := range row.Catalogue.V {
		standing.History.Catalogue[plan.ID] = plan.plan()
	}
	return standing, nil
}

type takenRow struct {
	Seq     int64          `json:"seq"`
	Hash    string         `json:"hash"` // in hexadecimal
	Verdict ledger.Outcome `json:"verdict"`
	Reason  ledger.Reason  `json:"reason"`
}

type pastSubscriptionsRow struct {
	Until         time.Time         `json:"until"`
	Subscriptions []subscriptionRow `json:"subscriptions"`
}

type pastPlanRow struct {
	Until time.Time `json:"until"`
	Plan  planRow   `json:"plan"`
}

// keepSubscriptions keeps the user's subscriptions as they are until now. Of several changes at one instant, the first
// finds them as they were.
func keepSubscriptions(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO past_subscriptions (user_id, until, subscriptions)
		SELECT $1, $2, coalesce(jsonb_agg(s ORDER BY s.created_at, s.id), '[]') FROM subscriptions s WHERE s.user_id = $1
		ON CONFLICT DO NOTHING`, user, at)
	return failed("keep past subscriptions", err)
}

// errChanged rolls a step back whose account or device has changed since it was read.
var errChanged = errors.New("changed since it was read")

// stepWithLedger stores a step with judged entries, in one transaction. It locks in the order user, device, as every change
// of an account does.
func (s *Entitlements) stepWithLedger(ctx context.Context, read entitlements.Standing, step entitlements.Step) (stored bool, err error) {
	user, device, l := read.Account.User, read.Device.ID, step.Ledger
	err = transact(ctx, s.db, func(tx *sqlx.Tx) error {
		before := stdsql.NullTime{Time: l.Before, Valid: !l.Before.IsZero()}
		err := atOnce(tx.ExecContext(ctx, `
			UPDATE users SET actions = $2, stored_until = $4 WHERE id = $1 AND actions = $3 AND stored_until IS NOT DISTINCT FROM $5`,
			user, l.Actions, read.Account.Actions, l.StoredUntil, before))
		if err != nil {
			return err
		}
		if err := announceActions(ctx, tx, user, read.Account.Actions, l.Actions); err != nil {
			return err
		}
		stored, err := s.storeStep(ctx, tx.StmtxContext(ctx, s.step), read, step)
		if err != nil {
			return err
		}
		if !stored {
			return errChanged
		}
		// The row is locked now, and read again: no other step of the device comes in between.
		err = atOnce(tx.ExecContext(ctx, `UPDATE devices SET ledger_seq = $3, ledger_hash = $4 WHERE user_id = $1 AND id = $2 AND ledger_seq = $5`,
			user, device, l.Head.Seq, headHash(l.Head), read.Device.Ledger.Seq))
		if err != nil {
			return err
		}
		if err := insertEntries(ctx, tx, user, device, *l); err != nil {
			return err
		}
		return countAccepted(ctx, tx, user, l.Accepted)
	})
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return err == nil, err
}

// announceActions announces the position of the user's last action, if it has risen.
func announceActions(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, from, to int64) error {
	if to == from {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, $2)`, actionChannel, string(user)+" "+strconv.FormatInt(to, 10))
	return failed("announce actions", err)
}

// atOnce returns the error of a change on condition: errChanged if it changed nothing.
func atOnce(result stdsql.Result, err error) error {
	none, err := affectedNone(result, failed("store step", err))
	if err == nil && none {
		err = errChanged
	}
	return err
}

func insertEntries(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, l entitlements.LedgerStep) error {
	n := len(l.Judged)
	seqs, positions, verdicts, reasons := make([]int64, n), make([]stdsql.NullInt64, n), make([]string, n), make([]string, n)
	hashes, entries := make([][]byte, n), make([][]byte, n)
	for i, judged := range l.Judged {
		seqs[i], hashes[i], entries[i] = judged.Entry.Seq, judged.Entry.Hash[:], judged.Entry.Bytes
		verdicts[i], reasons[i] = string(judged.Verdict.Outcome), string(judged.Verdict.Reason)
		positions[i] = stdsql.NullInt64{Int64: judged.Position, Valid: judged.Position > 0}
	}
	var told bool // whether anybody wants to hear of them
	err := tx.GetContext(ctx, &told, `
		WITH stored AS (
			INSERT INTO ledger_entries (user_id, device_id, seq, hash, entry, verdict, reason, position, received_at)
			SELECT $1, $2, seq, hash, entry, verdict, reason, position, $9
			FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::bigint[]) AS new (seq, hash, entry, verdict, reason, position)
		)
		SELECT EXISTS (SELECT FROM webhook_endpoints WHERE active)`,
		user, device, pq.Array(seqs), pq.Array(hashes), pq.Array(entries), pq.Array(verdicts), pq.Array(reasons), pq.Array(positions), l.At)
	if err != nil || !told {
		return failed("store ledger entries", err)
	}
	var messages []outbox.Message
	for _, judged := range l.Judged {
		if judged.Position > 0 {
			messages = append(messages, outbox.ActionMessage(user, entitlements.Action{
				Position: judged.Position, Device: device, Entry: judged.Entry, Verdict: judged.Verdict,
			}, l.At))
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return writeDeliveries(ctx, tx, string(user), l.At, messages...)
}

// countAccepted adds to the numbers of accepted acts, by feature.
func countAccepted(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, more map[string]int64) error {
	features := slices.Sorted(maps.Keys(more))
	counts := make([]int64, len(features))
	for i, feature := range features {
		counts[i] = more[feature]
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO ledger_accepted (user_id, feature, acts) SELECT $1, feature, acts FROM unnest($2::text[], $3::bigint[]) AS new (feature, acts)
		ON CONFLICT (user_id, feature) DO UPDATE SET acts = ledger_accepted.acts + excluded.acts`,
		user, pq.Array(features), pq.Array(counts))
	return failed("count acts", err)
}

// Actions implements [entitlements.Store].
func (s *Entitlements) Actions(ctx context.Context, user entitlements.UserID, after int64, limit int) ([]entitlements.Action, error) {
	return actions(ctx, s.db, `position > $2 ORDER BY position LIMIT $3`, user, after, limit)
}

// actions reads stored entries of the user $1.
func actions(ctx context.Context, db sqlx.QueryerContext, where string, arguments ...any) ([]entitlements.Action, error) {
	var rows []actionRow
	err := sqlx.SelectContext(ctx, db, &rows, `
		SELECT device_id, entry, verdict, reason, coalesce(position, 0) AS position, received_at
		FROM ledger_entries WHERE user_id = $1 AND `+where, arguments...)
	if err != nil {
		return nil, failed("read actions", err)
	}
	actions := make([]entitlements.Action, 0, len(rows))
	for _, row := range rows {
		entry, err := ledger.ReadEntry(row.Entry)
		if err != nil {
			return nil, fmt.Errorf("read actions: %w", err)
		}
		actions = append(actions, entitlements.Action{
			Position: row.Position, Device: row.Device, Entry: entry, ReceivedAt: row.ReceivedAt.UTC(),
			Verdict: ledger.Verdict{Outcome: row.Verdict, Reason: row.Reason},
		})
	}
	return actions, nil
}

type actionRow struct {
	Device     entitlements.DeviceID `db:"device_id"`
	Entry      []byte
	Verdict    ledger.Outcome
	Reason     ledger.Reason
	Position   int64
	ReceivedAt time.Time `db:"received_at"`
}

// Ledger implements [entitlements.Store].
func (s *Entitlements) Ledger(ctx context.Context, query entitlements.LedgerQuery) ([]entitlements.Action, error) {
	var before []byte
	if query.Before != (ledger.Hash{}) {
		before = query.Before[:]
	}
	return actions(ctx, s.db, `($2::text = '' OR verdict = $2)
		AND ($3::bytea IS NULL OR (received_at, device_id, seq, hash) < (SELECT received_at, device_id, seq, hash FROM ledger_entries WHERE user_id = $1 AND hash = $3))
		ORDER BY received_at DESC, device_id DESC, seq DESC, hash DESC LIMIT $4`, query.User, query.Outcome, before, query.Limit)
}

// ChangeVerdicts implements [entitlements.Store].
func (s *Entitlements) ChangeVerdicts(
	ctx context.Context, user entitlements.UserID, ids []ledger.Hash, at time.Time,
	change func(position int64, entries []entitlements.Action) (entitlements.VerdictChange, error),
) error {
	hashes := make([][]byte, len(ids))
	for i := range ids {
		hashes[i] = ids[i][:]
	}
	return transact(ctx, s.db, func(tx *sqlx.Tx) error {
		var position int64
		err := tx.GetContext(ctx, &position, `SELECT actions FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
		if errors.Is(err, stdsql.ErrNoRows) {
			return entitlements.ErrNotFound
		}
		if err != nil {
			return failed("lock user", err)
		}
		entries, err := actions(ctx, tx, `hash = ANY($2::bytea[]) ORDER BY received_at, device_id, seq`, user, pq.Array(hashes))
		if err != nil {
			return err
		}
		c, err := change(position, entries)
		if err != nil || len(c.Changed) == 0 {
			return err
		}
		var messages []outbox.Message
		for _, action := range c.Changed {
			_, err := tx.ExecContext(ctx, `
				UPDATE ledger_entries SET verdict = $5, reason = $6, position = nullif($7, 0)
				WHERE user_id = $1 AND device_id = $2 AND seq = $3 AND hash = $4`,
				user, action.Device, action.Entry.Seq, action.Entry.Hash[:], action.Verdict.Outcome, action.Verdict.Reason, action.Position)
			if err != nil {
				return failed("change verdict", err)
			}
			if action.Position > position {
				messages = append(messages, outbox.ActionMessage(user, action, at))
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET actions = $2 WHERE id = $1`, user, c.Actions); err != nil {
			return failed("raise actions", err)
		}
		if err := announceActions(ctx, tx, user, position, c.Actions); err != nil {
			return err
		}
		if err := countAccepted(ctx, tx, user, c.Accepted); err != nil {
			return err
		}
		if err := writeDeliveries(ctx, tx, string(user), at, messages...); err != nil {
			return err
		}
		c.Audit.At, c.Audit.User = at, string(user)
		return audit(ctx, tx, c.Audit)
	})
}
