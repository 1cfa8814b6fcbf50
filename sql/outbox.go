package sql

import (
	"cmp"
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
)

// Outbox is the PostgreSQL [outbox.Store].
type Outbox struct{ db *sqlx.DB }

var _ outbox.Store = (*Outbox)(nil)

// NewOutbox returns the store in db. It does not close db.
func NewOutbox(db *sqlx.DB) *Outbox { return &Outbox{db: db} }

// Register implements [outbox.Store].
func (o *Outbox) Register(ctx context.Context, endpoints []outbox.Endpoint) (ids []int64, err error) {
	digests, shown := make([][]byte, len(endpoints)), make([]string, len(endpoints))
	for i, endpoint := range endpoints {
		digest := sha256.Sum256([]byte(endpoint.URL))
		digests[i], shown[i] = digest[:], endpoint.Shown
	}
	var rows []struct {
		ID     int64
		Digest []byte
	}
	err = transact(ctx, o.db, func(tx *sqlx.Tx) error {
		rows = nil
		err := tx.SelectContext(ctx, &rows, `
			INSERT INTO webhook_endpoints (digest, shown, active)
			SELECT digest, shown, true FROM unnest($1::bytea[], $2::text[]) AS given (digest, shown) ORDER BY digest
			ON CONFLICT (digest) DO UPDATE SET active = true, shown = excluded.shown
			RETURNING id, digest`, pq.Array(digests), pq.Array(shown))
		if err != nil {
			return failed("put webhook endpoints", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE webhook_endpoints SET active = false WHERE active AND digest <> ALL ($1::bytea[])`, pq.Array(digests))
		return failed("end webhook endpoints", err)
	})
	if err != nil {
		return nil, err
	}
	byDigest := make(map[string]int64, len(rows))
	for _, row := range rows {
		byDigest[hex.EncodeToString(row.Digest)] = row.ID
	}
	for _, digest := range digests {
		ids = append(ids, byDigest[hex.EncodeToString(digest)])
	}
	return ids, nil
}

// writeDeliveries stores messages about changes of a user, once for each endpoint, and announces that.
func writeDeliveries(ctx context.Context, tx *sqlx.Tx, user string, at time.Time, messages ...outbox.Message) error {
	ids, types, payloads := make([]string, len(messages)), make([]string, len(messages)), make([]string, len(messages))
	for i, message := range messages {
		ids[i], types[i], payloads[i] = uuid.NewString(), message.Type, string(message.Payload)
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO webhook_deliveries (endpoint, message_id, type, user_id, payload, created_at, next_attempt_at)
		SELECT e.id, m.id, m.type, $1, m.payload::json, $5, $5
		FROM webhook_endpoints e, unnest($2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY AS m (id, type, payload, n)
		WHERE e.active ORDER BY m.n`, user, pq.Array(ids), pq.Array(types), pq.Array(payloads), at)
	none, err := affectedNone(result, failed("write webhooks", err))
	if err != nil || none {
		return err
	}
	return notify(ctx, tx, webhookChannel)
}

// deliveryColumns are the columns of a delivery d to the endpoint e.
const deliveryColumns = `d.id, d.message_id, d.type, e.shown AS endpoint, d.user_id, d.payload, d.state, d.attempts,
	d.created_at, d.next_attempt_at, d.delivered_at, d.last_status, d.last_error, d.failing_since, e.active`

// Claim implements [outbox.Store].
func (o *Outbox) Claim(ctx context.Context, endpoint int64, limit int, now, until time.Time) ([]outbox.Delivery, error) {
	const due = `state = 'pending' AND next_attempt_at <= $3`
	lock, again := skipLocked(o.db, "webhook_deliveries", due)
	claimed, err := list(ctx, o.db, "claim webhooks", deliveryRow.delivery, `
		WITH due AS (
			SELECT user_id, id FROM webhook_deliveries WHERE endpoint = $1 AND `+due+`
			ORDER BY next_attempt_at, id LIMIT $2`+lock+`
		)
		UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = $4
		FROM due, webhook_endpoints e WHERE d.user_id = due.user_id AND d.id = due.id AND e.id = d.endpoint`+again+`
		RETURNING `+deliveryColumns, endpoint, limit, now, until)
	slices.SortFunc(claimed, func(a, b outbox.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return claimed, err
}

// Settle implements [outbox.Store].
func (o *Outbox) Settle(ctx context.Context, result outbox.Result) error {
	_, err := o.db.ExecContext(ctx, `
		UPDATE webhook_deliveries SET state = $3::text, last_status = nullif($4::int, 0), last_error = nullif($5::text, ''),
			delivered_at = CASE WHEN $3 = 'delivered' THEN $6::timestamptz END,
			failing_since = CASE WHEN $3 <> 'delivered' THEN coalesce(failing_since, $6) END,
			next_attempt_at = CASE WHEN $3 = 'pending' THEN $7::timestamptz ELSE $6 END
		WHERE user_id = $8 AND id = $1 AND state = 'pending' AND (attempts = $2 OR $3 = 'delivered')`,
		result.Delivery, result.Attempt, result.State, result.Status, result.Failure, result.At, result.Next, result.User)
	return failed("settle webhook", err)
}

// Counts implements [outbox.Store].
func (o *Outbox) Counts(ctx context.Context) (pending, dead int64, err error) {
	err = o.db.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'),
			(SELECT count(*) FROM webhook_deliveries WHERE state = 'dead')`).Scan(&pending, &dead)
	return pending, dead, failed("count webhooks", err)
}

// sweptWebhooks is the number of deliveries swept at a time.
const sweptWebhooks = 1000

// Sweep implements [outbox.Store].
func (o *Outbox) Sweep(ctx context.Context, delivered, dead time.Time) error {
	for _, sweep := range []struct {
		change, condition string
		argument          any
	}{
		{`UPDATE webhook_deliveries SET state = 'dead', last_status = NULL, last_error = $1`,
			`state = 'pending' AND endpoint IN (SELECT id FROM webhook_endpoints WHERE NOT active)`, outbox.EndpointRemoved},
		{`DELETE FROM webhook_deliveries`, `state = 'delivered' AND delivered_at < $1`, delivered},
		{`DELETE FROM webhook_deliveries`, `state = 'dead' AND created_at < $1`, dead},
	} {
		lock, again := skipLocked(o.db, "webhook_deliveries", sweep.condition)
		statement := sweep.change + ` WHERE (user_id, id) IN (
			SELECT user_id, id FROM webhook_deliveries WHERE ` + sweep.condition + ` LIMIT $2` + lock + `)` + again
		for left := true; left; {
			result, err := o.db.ExecContext(ctx, statement, sweep.argument, sweptWebhooks)
			none, err := affectedNone(result, failed("sweep webhooks", err))
			if err != nil {
				return err
			}
			left = !none
		}
	}
	return nil
}

// Deliveries implements [outbox.Store].
func (o *Outbox) Deliveries(ctx context.Context, query outbox.Query) ([]outbox.Delivery, error) {
	which, arguments := "", []any{cmp.Or(query.Before, endOfIDs), query.Limit}
	if query.State != "" {
		which, arguments = "AND d.state = $3", append(arguments, query.State)
	}
	return list(ctx, o.db, "read webhooks", deliveryRow.delivery, `
		SELECT `+deliveryColumns+` FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint
		WHERE d.id < $1 `+which+` ORDER BY d.id DESC LIMIT $2`, arguments...)
}

// Resend implements [outbox.Store]. It locks the user's row against a concurrent erasure, which would miss the reason.
func (o *Outbox) Resend(ctx context.Context, id string, at time.Time, entry entitlements.AuditEntry) (delivery outbox.Delivery, err error) {
	err = transact(ctx, o.db, func(tx *sqlx.Tx) error {
		var user string
		err := tx.GetContext(ctx, &user, `SELECT user_id FROM webhook_deliveries WHERE id = $1`, id)
		if errors.Is(err, stdsql.ErrNoRows) {
			return entitlements.ErrNotFound
		}
		if err == nil {
			err = tx.GetContext(ctx, &entry.User, `SELECT id FROM users WHERE id = $1 FOR SHARE`, user)
		}
		if err != nil && !errors.Is(err, stdsql.ErrNoRows) { // an erased user has no trail any longer
			return failed("lock user", err)
		}
		var row deliveryRow
		err = tx.GetContext(ctx, &row, `
			SELECT `+deliveryColumns+` FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint
			WHERE d.user_id = $1 AND d.id = $2 FOR UPDATE OF d`, user, id)
		switch {
		case errors.Is(err, stdsql.ErrNoRows):
			return entitlements.ErrNotFound
		case err != nil:
			return failed("read webhook", err)
		case !row.Active:
			return outbox.ErrConflict
		}
		err = tx.GetContext(ctx, &row, `
			UPDATE webhook_deliveries d SET state = 'pending', attempts = 0, next_attempt_at = $2, delivered_at = NULL, failing_since = NULL
			FROM webhook_endpoints e WHERE d.user_id = $3 AND d.id = $1 AND e.id = d.endpoint RETURNING `+deliveryColumns, id, at, user)
		if err != nil {
			return failed("resend webhook", err)
		}
		if err := notify(ctx, tx, webhookChannel); err != nil {
			return err
		}
		delivery = row.delivery()
		entry.At = at
		return audit(ctx, tx, entry)
	})
	return delivery, err
}

type deliveryRow struct {
	ID            string
	Message       string `db:"message_id"`
	Type          string
	Endpoint      string
	User          string `db:"user_id"`
	Payload       []byte
	State         outbox.State
	Attempts      int
	CreatedAt     time.Time         `db:"created_at"`
	NextAttemptAt time.Time         `db:"next_attempt_at"`
	DeliveredAt   *time.Time        `db:"delivered_at"`
	LastStatus    stdsql.NullInt32  `db:"last_status"`
	LastError     stdsql.NullString `db:"last_error"`
	FailingSince  *time.Time        `db:"failing_since"`
	Active        bool
}

func (r deliveryRow) delivery() outbox.Delivery {
	return outbox.Delivery{
		ID: r.ID, Message: r.Message, Type: r.Type, Endpoint: r.Endpoint, User: r.User, Payload: r.Payload,
		State: r.State, Attempts: r.Attempts, CreatedAt: r.CreatedAt.UTC(), NextAttemptAt: r.NextAttemptAt.UTC(),
		DeliveredAt: utc(r.DeliveredAt), LastStatus: int(r.LastStatus.Int32), LastError: outbox.Failure(r.LastError.String),
		FailingSince: utc(r.FailingSince), Configured: r.Active,
	}
}
