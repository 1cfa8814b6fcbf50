package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

func putSubscription(
	ctx context.Context, tx *sqlx.Tx, account entitlements.Account, sub entitlements.Subscription, lookAt time.Time,
) error {
	disputes, err := json.Marshal(append([]entitlements.Dispute{}, sub.Disputes...))
	if err != nil {
		return fmt.Errorf("put subscription: %w", err)
	}
	if !slices.ContainsFunc(account.Subscriptions, func(held entitlements.Subscription) bool { return held.ID == sub.ID }) {
		mine, err := enter(ctx, tx, sub.User, listing{subscriptionKey, string(sub.ID)})
		if err == nil && !mine {
			err = fmt.Errorf("%w: the subscription is another user's", entitlements.ErrConflict)
		}
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, ends, revoked, suspended, disputes,
			withdrawn_at, created_at, updated_at, due_at, withdrawn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (user_id, id) DO UPDATE SET plan = excluded.plan, state = excluded.state, paid_through = excluded.paid_through,
			ends = excluded.ends, revoked = excluded.revoked, suspended = excluded.suspended, disputes = excluded.disputes,
			withdrawn_at = excluded.withdrawn_at, updated_at = excluded.updated_at, due_at = excluded.due_at,
			withdrawn = excluded.withdrawn`,
		sub.ID, sub.User, sub.Plan, sub.State, sub.PaidThrough, sub.Ends, sub.Revoked, sub.Suspended, string(disputes),
		stdsql.NullTime{Time: sub.WithdrawnAt, Valid: !sub.WithdrawnAt.IsZero()}, sub.CreatedAt, sub.UpdatedAt,
		stdsql.NullTime{Time: lookAt, Valid: !lookAt.IsZero()}, sub.Withdrawn())
	return failed("put subscription", err)
}

// Subscriptions implements [entitlements.Store].
func (s *Entitlements) Subscriptions(ctx context.Context, users []entitlements.UserID) ([]entitlements.Subscription, error) {
	return list(ctx, s.db, "read subscriptions", func(row struct{ S jsonColumn[subscriptionRow] }) entitlements.Subscription {
		return row.S.V.subscription()
	}, `SELECT to_json(s) AS s FROM subscriptions s WHERE s.user_id = ANY($1::uuid[])`, pq.Array(users))
}

// dueLock admits one server at a time to the subscriptions that are due.
const dueLock = `hashtextextended('due subscriptions', 0)`

// UpdateDue implements [entitlements.Store].
func (s *Entitlements) UpdateDue(
	ctx context.Context, at time.Time, change func(entitlements.Account) (entitlements.Change, error),
) (found bool, err error) {
	err = transact(ctx, s.db, func(tx *sqlx.Tx) error {
		found = false
		var mine bool
		if err := tx.GetContext(ctx, &mine, `SELECT pg_try_advisory_xact_lock(`+dueLock+`)`); err != nil || !mine {
			return failed("lock what is due", err)
		}
		var user entitlements.UserID
		err := tx.GetContext(ctx, &user, `SELECT user_id FROM subscriptions WHERE due_at <= $1 ORDER BY due_at LIMIT 1`, at)
		if errors.Is(err, stdsql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return failed("find what is due", err)
		}
		account, err := lockAccount(ctx, tx, user, "", at)
		if err != nil {
			return err
		}
		c, err := change(account)
		if err != nil {
			return err
		}
		for _, due := range c.Due {
			_, err := tx.ExecContext(ctx, `
				UPDATE subscriptions SET due_at = $3, expiring_told = CASE WHEN $4 THEN paid_through ELSE expiring_told END,
					grace_told = CASE WHEN $5 THEN paid_through ELSE grace_told END
				WHERE user_id = $1 AND id = $2`,
				user, due.ID, stdsql.NullTime{Time: due.At, Valid: !due.At.IsZero()}, due.Expiring, due.Grace)
			if err != nil {
				return failed("put what is due", err)
			}
		}
		found = true
		_, err = apply(ctx, tx, account, at, c)
		return err
	})
	return found && err == nil, err
}

// SubscriptionOwner implements [entitlements.Store].
func (s *Entitlements) SubscriptionOwner(ctx context.Context, id entitlements.SubscriptionID) (entitlements.UserID, error) {
	return s.user(ctx, `SELECT user_id FROM directory WHERE kind = '`+subscriptionKey+`' AND key = $1`, id)
}

// UserByExternalID implements [entitlements.Store].
func (s *Entitlements) UserByExternalID(ctx context.Context, externalID string) (entitlements.UserID, error) {
	return s.user(ctx, `SELECT user_id FROM directory WHERE kind = '`+externalKey+`' AND key = $1`, externalID)
}

func (s *Entitlements) user(ctx context.Context, query string, argument any) (user entitlements.UserID, err error) {
	err = s.db.GetContext(ctx, &user, query, argument)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", entitlements.ErrNotFound
	}
	return user, failed("find user", err)
}

type subscriptionRow struct {
	ID          entitlements.SubscriptionID        `json:"id"`
	User        entitlements.UserID                `json:"user_id"`
	Plan        entitlements.PlanID                `json:"plan"`
	State       entitlements.SubscriptionState     `json:"state"`
	PaidThrough time.Time                          `json:"paid_through" db:"paid_through"`
	Ends        bool                               `json:"ends"`
	Revoked     bool                               `json:"revoked"`
	Suspended   bool                               `json:"suspended"`
	Disputes    jsonColumn[[]entitlements.Dispute] `json:"disputes"`
	WithdrawnAt time.Time                          `json:"withdrawn_at" db:"withdrawn_at"` // null leaves it zero
	CreatedAt   time.Time                          `json:"created_at" db:"created_at"`
	UpdatedAt   time.Time                          `json:"updated_at" db:"updated_at"`

	ExpiringTold time.Time `json:"expiring_told" db:"expiring_told"` // null leaves it zero
	GraceTold    time.Time `json:"grace_told" db:"grace_told"`       // likewise
}

func (r subscriptionRow) subscription() entitlements.Subscription {
	disputes := r.Disputes.V
	if len(disputes) == 0 {
		disputes = nil
	}
	return entitlements.Subscription{
		ID: r.ID, User: r.User, Plan: r.Plan, State: r.State, PaidThrough: r.PaidThrough.UTC(), Ends: r.Ends, Disputes: disputes,
		Revoked: r.Revoked, Suspended: r.Suspended, WithdrawnAt: r.WithdrawnAt.UTC(), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		ExpiringTold: r.ExpiringTold.UTC(), GraceTold: r.GraceTold.UTC(),
	}
}
