package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// classTable is the classes as a table c. Its arguments, which classArgs returns, are the first eight of a statement.
const classTable = `classes AS MATERIALIZED (
	SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::bool[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::bool[])
		WITH ORDINALITY AS c (plan, state, ends, withdrawn, paid_from, paid_until, rank, trial, place)
)`

func classArgs(classes []entitlements.Class) []any {
	var (
		plans, states, from, until []string
		ends, withdrawn, trials    []bool
		ranks                      []int64
	)
	for _, class := range classes {
		plans, states = append(plans, string(class.Plan)), append(states, string(class.State))
		ends, withdrawn = append(ends, class.Ends), append(withdrawn, class.Withdrawn)
		from, until = append(from, bound(class.From, "-infinity")), append(until, bound(class.Until, "infinity"))
		ranks, trials = append(ranks, int64(class.Rank)), append(trials, class.RunningTrial())
	}
	return []any{pq.Array(plans), pq.Array(states), pq.Array(ends), pq.Array(withdrawn), pq.Array(from), pq.Array(until), pq.Array(ranks), pq.Array(trials)}
}

// bound returns a time, or without one the end of time.
func bound(at time.Time, end string) string {
	if at.IsZero() {
		return end
	}
	return at.Format(time.RFC3339Nano)
}

// inClass is true if the subscription s is in the class c.
func inClass(s, c string) string {
	return fmt.Sprintf(`%[1]s.plan = %[2]s.plan AND %[1]s.state = %[2]s.state AND %[1]s.ends = %[2]s.ends AND %[1]s.withdrawn = %[2]s.withdrawn
		AND %[1]s.paid_through >= %[2]s.paid_from AND %[1]s.paid_through < %[2]s.paid_until`, s, c)
}

// ofClass joins the subscriptions s of each class c. OFFSET makes each class a range of subscriptions_by_class.
func ofClass(classes string) string {
	return classes + ` c CROSS JOIN LATERAL (SELECT s.user_id FROM subscriptions s WHERE ` + inClass("s", "c") + ` OFFSET 0) s`
}

// fewSubscriptions is how many subscriptions are looked up one by one for better ones of the same user.
const fewSubscriptions = 2000

// subscribers finds the subscriptions of the selected classes by index. It looks up whether the users of few have a better
// subscription; of many, it subtracts the users of all better ones.
var subscribers = `WITH ` + classTable + `,
	selected AS MATERIALIZED (SELECT * FROM classes WHERE place - 1 = ANY($9::int[])),
	better AS MATERIALIZED (SELECT * FROM classes WHERE rank < (SELECT min(rank) FROM selected)),
	few AS MATERIALIZED (SELECT s.user_id FROM ` + ofClass("selected") + ` LIMIT ` + strconv.Itoa(fewSubscriptions+1) + `),
	many AS MATERIALIZED (SELECT count(*) > ` + strconv.Itoa(fewSubscriptions) + ` FROM few)
	SELECT DISTINCT user_id FROM few WHERE NOT (SELECT * FROM many) AND NOT EXISTS (
		SELECT FROM subscriptions s JOIN better c ON ` + inClass("s", "c") + ` WHERE s.user_id = few.user_id)
	UNION ALL (
		SELECT s.user_id FROM ` + ofClass("selected") + ` WHERE (SELECT * FROM many)
		EXCEPT SELECT s.user_id FROM ` + ofClass("better") + ` WHERE (SELECT * FROM many))
	LIMIT $10`

// Subscribers implements [entitlements.Store].
func (s *Entitlements) Subscribers(ctx context.Context, classes []entitlements.Class, selected []int, limit int) ([]entitlements.UserID, error) {
	var users []entitlements.UserID
	err := s.db.SelectContext(ctx, &users, subscribers, append(classArgs(classes), pq.Array(selected), limit)...)
	return users, failed("read subscribers", err)
}

const unsubscribed = `SELECT id FROM users u WHERE NOT EXISTS (SELECT FROM subscriptions s WHERE s.user_id = u.id) LIMIT $1`

// Unsubscribed implements [entitlements.Store].
func (s *Entitlements) Unsubscribed(ctx context.Context, limit int) ([]entitlements.UserID, error) {
	var users []entitlements.UserID
	err := s.db.SelectContext(ctx, &users, unsubscribed, limit)
	return users, failed("read unsubscribed users", err)
}

// dayOf is the start of the UTC day of a time.
func dayOf(column string) string {
	return `date_bin('1 day', ` + column + `, timestamptz 'epoch')`
}

// The statements of Figures. $1 is the time, except in countBest.
var (
	countBest = `WITH ` + classTable + `
		SELECT rank, count(*) AS users, 0 AS trials
			FROM (SELECT s.user_id, min(c.rank) AS rank FROM ` + ofClass("classes") + ` GROUP BY s.user_id) best GROUP BY rank
		UNION ALL SELECT 0, 0, count(DISTINCT s.user_id) FROM ` + ofClass("classes") + ` WHERE c.trial`
	countUsers = `SELECT (SELECT count(*) FROM users) - (SELECT count(*) FROM staff m WHERE NOT EXISTS (
			SELECT FROM subscriptions s WHERE s.user_id = m.user_id))`
	countSignUps = `SELECT ` + dayOf("created_at") + ` AS day, count(*) FROM users WHERE created_at >= $1 GROUP BY day ORDER BY day`
	// Ids are in the order of the database's clock.
	countRevocations = `SELECT ` + dayOf("at") + ` AS day, count(*) FROM audit
		WHERE action = 'subscription.revoke' AND id >= $2 AND at >= $1 GROUP BY day ORDER BY day`
	// One scan for all that is counted of devices: an index on columns that every reconcile writes would cost each of them.
	countDevices = `SELECT CASE WHEN document_bound > $1 THEN ` + dayOf("document_bound") + ` END AS day, count(*) AS documents,
			count(*) FILTER (WHERE linked) AS linked,
			count(*) FILTER (WHERE linked AND seen < $1 - interval '1 day') AS silentday,
			count(*) FILTER (WHERE linked AND seen < $1 - interval '7 days') AS silentweek,
			count(*) FILTER (WHERE linked AND seen < $1 - interval '30 days') AS silentmonth
		FROM (SELECT document_bound, coalesce(last_reconciled_at, linked_at) AS seen, removed_at IS NULL AND forked_at IS NULL AS linked FROM devices) d
		GROUP BY day ORDER BY day`
	countWaiting = `SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending' AND last_error IS NOT NULL) AS failing,
			(SELECT count(*) FROM webhook_deliveries WHERE state = 'dead') AS abandoned,
			(SELECT count(*) FROM audit a JOIN users u ON u.id = a.user_id WHERE ` + isGap + ` AND NOT ` + isClosed + `) AS gaps`
)

// Figures implements [entitlements.Store].
func (s *Entitlements) Figures(ctx context.Context, classes []entitlements.Class, now time.Time) (entitlements.Figures, error) {
	var (
		since   = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-entitlements.OverviewDays)
		figures entitlements.Figures
		best    []struct{ Rank, Users, Trials int }
		devices []struct {
			Day                                stdsql.NullTime
			Documents, Linked                  int
			SilentDay, SilentWeek, SilentMonth int
		}
		waiting struct{ Failing, Abandoned, Gaps int }
	)
	err := transact(ctx, s.db, func(tx *sqlx.Tx) error {
		// Grouping users by hash, in memory.
		if _, err := tx.ExecContext(ctx, `SET LOCAL work_mem = '32MB'`); err != nil {
			return failed("set work_mem", err)
		}
		if err := tx.SelectContext(ctx, &best, countBest, classArgs(classes)...); err != nil {
			return failed("count subscribers", err)
		}
		if err := tx.GetContext(ctx, &figures.Users, countUsers); err != nil {
			return failed("count users", err)
		}
		if err := tx.SelectContext(ctx, &figures.SignUps, countSignUps, since); err != nil {
			return failed("count sign-ups", err)
		}
		if err := tx.SelectContext(ctx, &figures.Revocations, countRevocations, since, idAt(since.Add(-idSkew))); err != nil {
			return failed("count revocations", err)
		}
		if err := tx.SelectContext(ctx, &devices, countDevices, now); err != nil {
			return failed("count devices", err)
		}
		return failed("count what waits", tx.GetContext(ctx, &waiting, countWaiting))
	})
	if err != nil {
		return entitlements.Figures{}, err
	}
	figures.Best = make([]int, len(classes))
	for _, row := range best {
		figures.Best[row.Rank] += row.Users
		figures.TrialUsers += row.Trials
	}
	for _, row := range devices {
		if row.Day.Valid {
			figures.Documents = append(figures.Documents, entitlements.DayCount{Day: row.Day.Time, Count: row.Documents})
		}
		figures.Devices += row.Linked
		figures.SilentDay += row.SilentDay
		figures.SilentWeek += row.SilentWeek
		figures.SilentMonth += row.SilentMonth
	}
	figures.FailingHooks, figures.AbandonedHooks, figures.Gaps = waiting.Failing, waiting.Abandoned, waiting.Gaps
	return figures, nil
}
