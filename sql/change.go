package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// Update implements [entitlements.Store]. Locks are taken in the order catalogue, user, devices.
func (s *Entitlements) Update(
	ctx context.Context, user entitlements.UserID, at time.Time,
	change func(entitlements.Account) (entitlements.Change, error),
) (entitlements.Account, error) {
	return s.UpdateDevice(ctx, user, "", at, change)
}

// UpdateDevice implements [entitlements.Store].
func (s *Entitlements) UpdateDevice(
	ctx context.Context, user entitlements.UserID, device entitlements.DeviceID, at time.Time,
	change func(entitlements.Account) (entitlements.Change, error),
) (account entitlements.Account, err error) {
	err = transact(ctx, s.db, func(tx *sqlx.Tx) error {
		if account, err = lockAccount(ctx, tx, user, device, at); err != nil {
			return err
		}
		c, err := change(account)
		if err != nil || len(c.Audit) == 0 {
			return err
		}
		account.Revision, err = apply(ctx, tx, account, at, c)
		return err
	})
	if err != nil {
		return entitlements.Account{}, err
	}
	return account, nil
}

// lockAccount locks and reads an account for a change: the devices that matter and the named one.
func lockAccount(
	ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, at time.Time,
) (entitlements.Account, error) {
	// The catalogue is locked first, in shared mode: before RaiseHolders raises a changed plan's holders, it waits for
	// transactions that have read the old plan.
	const lockCatalogue = `SELECT pg_advisory_xact_lock_shared(` + catalogue + `)`
	locked := ` AND (` + lockCatalogue + `) IS NOT NULL`
	if distributed(tx) { // the lock is the coordinator's, the user's row another node's
		locked = ""
		if _, err := tx.ExecContext(ctx, lockCatalogue); err != nil {
			return entitlements.Account{}, failed("lock plans", err)
		}
	}
	var found bool
	err := tx.GetContext(ctx, &found, `SELECT true FROM users WHERE id = $1`+locked+` FOR NO KEY UPDATE`, user)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.Account{}, entitlements.ErrNotFound
	}
	if err != nil {
		return entitlements.Account{}, failed("lock user", err)
	}
	var row struct {
		accountRow
		Withdrawing bool
		Devices     jsonColumn[[]deviceRow]
		Links       jsonColumn[[]time.Time]
		LimitToldAt time.Time `db:"limit_told_at"`
	}
	// A separate statement, so that its snapshot is younger than the lock: nobody else can change the account now. Of a device
	// that a reconcile has changed meanwhile, PostgreSQL locks and reads the newest row.
	err = tx.GetContext(ctx, &row, `
		WITH held AS (
			SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 AND (`+mattering+` OR id = nullif($3, '')::uuid)
			ORDER BY linked_at, id FOR NO KEY UPDATE
		)
		SELECT u.id AS user_id, coalesce(u.external_id, '') AS external_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
			`+subscriptionsOf(`$1`)+` AS subscriptions, `+allPlans+` AS plans, `+withdrawing+` AS withdrawing,
			coalesce(u.limit_told_at, '0001-01-01Z') AS limit_told_at, (SELECT coalesce(json_agg(h), '[]') FROM held h) AS devices,
			(SELECT coalesce(json_agg(d.linked_at ORDER BY d.linked_at), '[]')
				FROM devices d WHERE d.user_id = $1 AND d.linked_at > $4) AS links
		FROM users u WHERE u.id = $1`, user, at, device, at.Add(-entitlements.LinkSpan))
	if err != nil {
		return entitlements.Account{}, failed("read account", err)
	}
	account := row.account()
	account.Withdrawing, account.Links, account.LimitToldAt = row.Withdrawing, row.Links.V, row.LimitToldAt.UTC()
	account.Devices, err = devicesOf(row.Devices.V)
	return account, err
}

func apply(
	ctx context.Context, tx *sqlx.Tx, account entitlements.Account, at time.Time, c entitlements.Change,
) (revision int64, err error) {
	revision = account.Revision
	if c.Raise || c.RaiseTo > revision {
		if revision, err = raise(ctx, tx, at, c.RaiseTo, c.RaisesVaultEpoch(), string(account.User)); err != nil {
			return 0, err
		}
	}
	if c.Lineage != nil {
		if err := changeLineage(ctx, tx, account.User, at, *c.Lineage); err != nil {
			return 0, err
		}
	}
	if c.StartTrial {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET trial_started_at = $2 WHERE id = $1`, account.User, at); err != nil {
			return 0, failed("start trial", err)
		}
	}
	if c.TellLimit {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET limit_told_at = $2 WHERE id = $1`, account.User, at); err != nil {
			return 0, failed("tell limit", err)
		}
	}
	if c.Subscription != nil || c.Drop != "" {
		if err := keepSubscriptions(ctx, tx, account.User, at); err != nil {
			return 0, err
		}
	}
	if c.Subscription != nil {
		if err := putSubscription(ctx, tx, account, *c.Subscription, c.LookAt); err != nil {
			return 0, err
		}
	}
	if c.Drop != "" {
		if _, err := tx.ExecContext(ctx, `DELETE FROM subscriptions WHERE id = $1 AND user_id = $2`, c.Drop, account.User); err != nil {
			return 0, failed("drop subscription", err)
		}
		if err := leave(ctx, tx, listing{subscriptionKey, string(c.Drop)}); err != nil {
			return 0, err
		}
	}
	if len(c.Remove) > 0 {
		_, err := tx.ExecContext(ctx, `
			UPDATE devices SET removed_at = $3 WHERE user_id = $1 AND id = ANY($2::uuid[]) AND removed_at IS NULL`,
			account.User, pq.Array(c.Remove), at)
		if err != nil {
			return 0, failed("remove devices", err)
		}
	}
	for device, place := range c.Place {
		_, err := tx.ExecContext(ctx, `UPDATE devices SET place = $3 WHERE user_id = $1 AND id = $2`, account.User, device, place)
		if err != nil {
			return 0, failed("change a device's place", err)
		}
	}
	for device, status := range c.Status {
		if err := setStatus(ctx, tx, account, device, status); err != nil {
			return 0, err
		}
	}
	if c.Link != nil {
		if err := linkDevice(ctx, tx, account.User, revision, *c.Link); err != nil {
			return 0, err
		}
	}
	for _, entry := range c.Audit {
		entry.At, entry.User = at, string(account.User)
		if err := audit(ctx, tx, entry); err != nil {
			return 0, err
		}
	}
	return revision, nil
}

// Marks implements [entitlements.Store].
func (s *Entitlements) Marks(ctx context.Context, users []entitlements.UserID) (map[entitlements.UserID]entitlements.Marks, error) {
	var rows []struct {
		ID entitlements.UserID
		entitlements.Marks
	}
	if err := s.db.SelectContext(ctx, &rows, `SELECT id, revision, actions FROM users WHERE id = ANY($1::uuid[])`, pq.Array(users)); err != nil {
		return nil, failed("read marks", err)
	}
	marks := make(map[entitlements.UserID]entitlements.Marks, len(rows))
	for _, row := range rows {
		marks[row.ID] = row.Marks
	}
	return marks, nil
}

// raise raises the revisions of users, to least at the minimum, and announces them. It raises their devices' revisions,
// too: see devices.revision in the schema. With vault, it raises the epochs of their vaults. It returns the highest revision.
func raise(ctx context.Context, tx *sqlx.Tx, at time.Time, least int64, vault bool, users ...string) (revision int64, err error) {
	var raised []struct {
		ID       string
		Revision int64
	}
	chosen, theirs, argument := `ANY($1::uuid[])`, `r.id`, any(pq.Array(users))
	if len(users) == 1 { // on one node, with Citus
		chosen, theirs, argument = `$1::uuid`, `$1::uuid`, users[0]
	}
	err = tx.SelectContext(ctx, &raised, `
		WITH raised AS (
			UPDATE users SET revision = greatest(revision + 1, $3), vault_epoch = vault_epoch + $4::boolean::int WHERE id = `+chosen+` RETURNING id, revision
		), devices AS (
			UPDATE devices d SET revision = r.revision FROM raised r WHERE d.user_id = `+theirs+` AND `+mattering+`
		)
		SELECT id, revision FROM raised`+announcing(tx, revisionChannel, `id || ' ' || revision`), argument, at, least, vault)
	if err != nil {
		return 0, failed("raise revision", err)
	}
	texts := make([]string, len(raised))
	for i, user := range raised {
		texts[i], revision = user.ID+" "+strconv.FormatInt(user.Revision, 10), max(revision, user.Revision)
	}
	return revision, announced(ctx, tx, revisionChannel, texts)
}
