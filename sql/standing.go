package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"slices"
	"time"

	"holdfast/entitlements"
)

// subscriptionsOf and plansOf return SQL that selects, as JSON, the rows that determine a user's entitlements. The user is an
// SQL expression. If it is an argument, Citus sends the whole statement to that user's node.
func subscriptionsOf(user string) string {
	return `(SELECT coalesce(json_agg(s ORDER BY s.created_at, s.id), '[]') FROM subscriptions s WHERE s.user_id = ` + user + `)`
}

func plansOf(user string) string { // a plan once for each subscription to it
	return `(SELECT coalesce(json_agg(p), '[]') FROM subscriptions s JOIN plans p ON p.id = s.plan WHERE s.user_id = ` + user + `)`
}

const allPlans = `(SELECT coalesce(json_agg(p), '[]') FROM plans p)`

// Account implements [entitlements.Store].
func (s *Entitlements) Account(ctx context.Context, user entitlements.UserID, at time.Time) (entitlements.Account, error) {
	return s.account(ctx, `$1::uuid`, `$1::uuid`, user, at)
}

// SubscriberAccount implements [entitlements.Store].
func (s *Entitlements) SubscriberAccount(
	ctx context.Context, id entitlements.SubscriptionID, at time.Time,
) (entitlements.Account, error) {
	if !distributed(s.db) {
		return s.account(ctx, ownerOf(subscriptionKey, `$1`), `u.id`, id, at)
	}
	user, err := s.SubscriptionOwner(ctx, id)
	if err != nil {
		return entitlements.Account{}, err
	}
	account, err := s.Account(ctx, user, at)
	if err == nil && !slices.ContainsFunc(account.Subscriptions, func(held entitlements.Subscription) bool { return held.ID == id }) {
		err = entitlements.ErrNotFound // it has just moved
	}
	return account, err
}

// account reads an account. The SQL expression user finds its user from the argument $1; in subqueries, own stands for it.
func (s *Entitlements) account(ctx context.Context, user, own string, argument any, at time.Time) (entitlements.Account, error) {
	var row struct {
		accountRow
		Devices jsonColumn[[]deviceRow]
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT u.id AS user_id, coalesce(u.external_id, '') AS external_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
			`+subscriptionsOf(own)+` AS subscriptions, `+plansOf(own)+` AS plans,
			(SELECT coalesce(json_agg(d ORDER BY d.linked_at, d.id), '[]')
				FROM (SELECT `+deviceColumns+` FROM devices WHERE user_id = `+own+` AND `+mattering+`) d) AS devices
		FROM users u WHERE u.id = `+user, argument, at)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.Account{}, entitlements.ErrNotFound
	}
	if err != nil {
		return entitlements.Account{}, failed("read account", err)
	}
	account := row.account()
	account.Devices, err = devicesOf(row.Devices.V)
	return account, err
}

// accountRow holds the columns that every read of an account needs.
type accountRow struct {
	User          entitlements.UserID `db:"user_id"`
	ExternalID    string              `db:"external_id"`
	Revision      int64
	TrialStarted  bool `db:"trial_started"`
	Subscriptions jsonColumn[[]subscriptionRow]
	Plans         jsonColumn[[]planRow]
}

func (r accountRow) account() entitlements.Account {
	account := entitlements.Account{
		User: r.User, ExternalID: r.ExternalID, Revision: r.Revision, TrialStarted: r.TrialStarted, Plans: map[entitlements.PlanID]entitlements.Plan{},
	}
	for _, row := range r.Subscriptions.V {
		account.Subscriptions = append(account.Subscriptions, row.subscription())
	}
	for _, row := range r.Plans.V {
		account.Plans[row.ID] = row.plan()
	}
	return account
}
