package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// Entitlements is the PostgreSQL [entitlements.Store].
type Entitlements struct {
	db             *sqlx.DB
	standing, step *sqlx.Stmt
}

var _ entitlements.Store = (*Entitlements)(nil)

// NewEntitlements prepares the two statements that every reconcile runs.
func NewEntitlements(ctx context.Context, db *sqlx.DB) (*Entitlements, error) {
	s := &Entitlements{db: db}
	for statement, text := range map[**sqlx.Stmt]string{&s.standing: readStanding, &s.step: storeStep} {
		var err error
		if *statement, err = db.PreparexContext(ctx, text); err != nil {
			return nil, failed("prepare reconcile", err)
		}
	}
	return s, nil
}

// Secret implements [entitlements.Store].
func (s *Entitlements) Secret(ctx context.Context, name string, candidate []byte) ([]byte, error) {
	return secret(ctx, s.db, name, candidate)
}

// secret returns the secret with that name. If there is none, it stores the candidate and returns that.
func secret(ctx context.Context, db *sqlx.DB, name string, candidate []byte) ([]byte, error) {
	_, err := db.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, candidate)
	if err != nil {
		return nil, failed("store secret", err)
	}
	var value []byte
	if err := db.GetContext(ctx, &value, `SELECT value FROM secrets WHERE name = $1`, name); err != nil {
		return nil, failed("read secret", err)
	}
	return value, nil
}

// subscriptionsOf and plansOf select, as JSON, the rows that determine the entitlements of the user in row u.
const (
	subscriptionsOf = `(SELECT coalesce(json_agg(s ORDER BY s.created_at, s.id), '[]') FROM subscriptions s WHERE s.user_id = u.id)`
	plansOf         = `(SELECT coalesce(json_agg(p), '[]') FROM plans p
		WHERE p.id IN (SELECT s.plan FROM subscriptions s WHERE s.user_id = u.id))`
	allPlans = `(SELECT coalesce(json_agg(p), '[]') FROM plans p)`
)

// mattering is true for a device that still matters at $2: one that is linked, or that was removed but may have a live
// document.
const mattering = `(removed_at IS NULL OR document_bound > $2)`

const deviceColumns = `id, name, jkt, linked_at, last_reconciled_at, document_bound, document_revision, removed_at IS NOT NULL AS removed,
	place, lineage_n, encode(lineage_parent, 'hex') AS lineage_parent, forked_at IS NOT NULL AS forked,
	ledger_seq, coalesce(encode(ledger_hash, 'hex'), '') AS ledger_hash, status_list, status_idx`

// Account implements [entitlements.Store].
func (s *Entitlements) Account(ctx context.Context, user entitlements.UserID, at time.Time) (entitlements.Account, error) {
	return s.account(ctx, `$1::uuid`, user, at)
}

// SubscriberAccount implements [entitlements.Store].
func (s *Entitlements) SubscriberAccount(
	ctx context.Context, id entitlements.SubscriptionID, at time.Time,
) (entitlements.Account, error) {
	return s.account(ctx, ownerOf(subscriptionKey, `$1`), id, at)
}

// account reads an account. The SQL expression user finds its user from the argument $1.
func (s *Entitlements) account(ctx context.Context, user string, argument any, at time.Time) (entitlements.Account, error) {
	var row struct {
		accountRow
		Devices jsonColumn[[]deviceRow]
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT u.id AS user_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
			`+subscriptionsOf+` AS subscriptions, `+plansOf+` AS plans,
			(SELECT coalesce(json_agg(d ORDER BY d.linked_at, d.id), '[]')
				FROM (SELECT `+deviceColumns+` FROM devices WHERE user_id = u.id AND `+mattering+`) d) AS devices
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

// Revisions implements [entitlements.Store].
func (s *Entitlements) Revisions(ctx context.Context, users []entitlements.UserID) (map[entitlements.UserID]int64, error) {
	var rows []struct {
		ID       entitlements.UserID
		Revision int64
	}
	if err := s.db.SelectContext(ctx, &rows, `SELECT id, revision FROM users WHERE id = ANY($1::uuid[])`, pq.Array(users)); err != nil {
		return nil, failed("read revisions", err)
	}
	revisions := make(map[entitlements.UserID]int64, len(rows))
	for _, row := range rows {
		revisions[row.ID] = row.Revision
	}
	return revisions, nil
}

// EveryDevice implements [entitlements.Store].
func (s *Entitlements) EveryDevice(ctx context.Context, user entitlements.UserID) ([]entitlements.Device, error) {
	var rows []deviceRow
	err := s.db.SelectContext(ctx, &rows, `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 ORDER BY linked_at, id`, user)
	if err != nil {
		return nil, failed("read devices", err)
	}
	return devicesOf(rows)
}

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
	for range maxAttempts {
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
		if !isDeadlock(err) {
			break
		}
	}
	if err != nil {
		return entitlements.Account{}, err
	}
	return account, nil
}

// maxAttempts is how often a statement or transaction is tried if concurrent ones interfere.
const maxAttempts = 10

// lockAccount locks and reads an account for a change: the devices that matter and the named one.
func lockAccount(
	ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, at time.Time,
) (entitlements.Account, error) {
	// The catalogue is locked first, in shared mode: before RaiseHolders raises a changed plan's holders, it waits for
	// transactions that have read the old plan.
	var found bool
	err := tx.GetContext(ctx, &found, `
		SELECT true FROM users WHERE id = $1 AND (SELECT pg_advisory_xact_lock_shared(`+catalogue+`)) IS NOT NULL FOR NO KEY UPDATE`, user)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.Account{}, entitlements.ErrNotFound
	}
	if err != nil {
		return entitlements.Account{}, failed("lock user", err)
	}
	// A separate statement, so that its snapshot is younger than the lock: nobody else can change the account now.
	var devices []deviceRow
	err = tx.SelectContext(ctx, &devices, `
		SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 AND (`+mattering+` OR id = nullif($3, '')::uuid)
		ORDER BY linked_at, id FOR NO KEY UPDATE`, user, at, device)
	if err != nil {
		return entitlements.Account{}, failed("lock devices", err)
	}
	var row struct {
		accountRow
		Withdrawing bool
		Links       jsonColumn[[]time.Time]
	}
	err = tx.GetContext(ctx, &row, `
		SELECT u.id AS user_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
			`+subscriptionsOf+` AS subscriptions, `+allPlans+` AS plans, `+withdrawing+` AS withdrawing,
			(SELECT coalesce(json_agg(d.linked_at ORDER BY d.linked_at), '[]')
				FROM devices d WHERE d.user_id = u.id AND d.linked_at > $2) AS links
		FROM users u WHERE u.id = $1`, user, at.Add(-entitlements.LinkSpan))
	if err != nil {
		return entitlements.Account{}, failed("read account", err)
	}
	account := row.account()
	account.Withdrawing, account.Links = row.Withdrawing, row.Links.V
	account.Devices, err = devicesOf(devices)
	return account, err
}

func apply(
	ctx context.Context, tx *sqlx.Tx, account entitlements.Account, at time.Time, c entitlements.Change,
) (revision int64, err error) {
	revision = account.Revision
	if c.Raise || c.RaiseTo > revision {
		if revision, err = raise(ctx, tx, at, c.RaiseTo, string(account.User)); err != nil {
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
	if c.Subscription != nil {
		if err := putSubscription(ctx, tx, *c.Subscription); err != nil {
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
		if err := setStatus(ctx, tx, account.User, device, status); err != nil {
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

// raise raises the revisions of users, to least at the minimum, and announces them. It raises their devices' revisions,
// too: see devices.revision in the schema. It returns the highest revision.
func raise(ctx context.Context, tx *sqlx.Tx, at time.Time, least int64, users ...string) (revision int64, err error) {
	err = tx.GetContext(ctx, &revision, `
		WITH raised AS (
			UPDATE users SET revision = greatest(revision + 1, $3) WHERE id = ANY($1::uuid[]) RETURNING id, revision
		), devices AS (
			UPDATE devices d SET revision = r.revision FROM raised r WHERE d.user_id = r.id AND `+mattering+`
		)
		SELECT coalesce(max(revision), 0) FROM raised, pg_notify('`+revisionChannel+`', id || ' ' || revision)`, pq.Array(users), at, least)
	return revision, failed("raise revision", err)
}

func putSubscription(ctx context.Context, tx *sqlx.Tx, sub entitlements.Subscription) error {
	disputes, err := json.Marshal(append([]entitlements.Dispute{}, sub.Disputes...))
	if err != nil {
		return fmt.Errorf("put subscription: %w", err)
	}
	mine, err := enter(ctx, tx, sub.User, listing{subscriptionKey, string(sub.ID)})
	if err == nil && !mine {
		err = fmt.Errorf("%w: the subscription is another user's", entitlements.ErrConflict)
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, ends, revoked, suspended, disputes,
			withdrawn_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (user_id, id) DO UPDATE SET plan = excluded.plan, state = excluded.state, paid_through = excluded.paid_through,
			ends = excluded.ends, revoked = excluded.revoked, suspended = excluded.suspended, disputes = excluded.disputes,
			withdrawn_at = excluded.withdrawn_at, updated_at = excluded.updated_at`,
		sub.ID, sub.User, sub.Plan, sub.State, sub.PaidThrough, sub.Ends, sub.Revoked, sub.Suspended, string(disputes),
		stdsql.NullTime{Time: sub.WithdrawnAt, Valid: !sub.WithdrawnAt.IsZero()}, sub.CreatedAt, sub.UpdatedAt)
	return failed("put subscription", err)
}

func changeLineage(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, at time.Time, c entitlements.LineageChange) error {
	var hash []byte
	if c.Ledger.Seq > 0 {
		hash = c.Ledger.Hash[:]
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE devices SET lineage_n = $3, lineage_parent = $4, forked_at = CASE WHEN $5 THEN coalesce(forked_at, $6) END,
			ledger_seq = $7, ledger_hash = $8, document_bound = greatest(document_bound, $9)
		WHERE user_id = $1 AND id = $2`,
		user, c.Device, c.Lineage.N, c.Lineage.Parent[:], c.Lineage.Forked, at, c.Ledger.Seq, hash, c.DocumentExpiresAt)
	return failed("change lineage", err)
}

// setStatus sets the status of a device's index. After INVALID, which is final, a device that may still get features gets a
// new index.
func setStatus(
	ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, status entitlements.Status,
) error {
	if _, err := setStatuses(ctx, tx, status, `d.user_id = $2 AND d.id = $3`, user, device); err != nil {
		return err
	}
	if status != entitlements.StatusInvalid {
		return nil
	}
	var stays bool
	err := tx.GetContext(ctx, &stays, `
		SELECT removed_at IS NULL AND forked_at IS NULL FROM devices WHERE user_id = $1 AND id = $2`, user, device)
	if err != nil || !stays {
		return failed("read device", err)
	}
	list, index, err := allotIndex(ctx, tx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE devices SET status_list = $3, status_idx = $4 WHERE user_id = $1 AND id = $2`,
		user, device, list, index)
	return failed("allot status index", err)
}

// allotIndices allots n random indices of the newest list. If eight attempts in a row find only taken indices, or one
// attempt at many finds most of them taken, the list is considered full and a new one begins.
func allotIndices(ctx context.Context, tx *sqlx.Tx, n int) ([]statusIndex, error) {
	indices := make([]statusIndex, 0, n)
	for misses := 0; len(indices) < n; {
		var free []statusIndex
		wanted := n - len(indices)
		err := tx.SelectContext(ctx, &free, `
			INSERT INTO status_entries (list, idx)
			SELECT newest.list + $1::int, floor(random() * 1048576)::int
			FROM (SELECT coalesce(max(list), 0) AS list FROM status_entries) newest, generate_series(1, $2::int)
			ON CONFLICT DO NOTHING RETURNING list, idx`, misses/8, wanted)
		if err != nil {
			return nil, failed("allot status index", err)
		}
		switch indices = append(indices, free...); {
		case len(free) == 0:
			misses++
		case 8*len(free) < wanted:
			misses = 8
		default:
			misses = 0
		}
	}
	return indices, nil
}

// statusIndex is a position in a status list.
type statusIndex struct {
	List int
	Idx  int
}

// allotIndex allots one index, like allotIndices.
func allotIndex(ctx context.Context, tx *sqlx.Tx) (list, index int, err error) {
	indices, err := allotIndices(ctx, tx, 1)
	if err != nil {
		return 0, 0, err
	}
	return indices[0].List, indices[0].Idx, nil
}

func linkDevice(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, revision int64, device entitlements.Device) error {
	list, index, err := allotIndex(ctx, tx)
	if err != nil {
		return err
	}
	mine, err := enter(ctx, tx, user, listing{deviceKey, string(device.ID)}, listing{deviceKeyKey, device.JKT})
	if err == nil && !mine {
		err = fmt.Errorf("%w: the device key is in use", entitlements.ErrConflict)
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO devices (user_id, id, name, jkt, linked_at, revision, status_list, status_idx)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		user, device.ID, device.Name, device.JKT, device.LinkedAt, revision, list, index)
	if violated := (*pq.Error)(nil); errors.As(err, &violated) && violated.Code == pqerror.UniqueViolation {
		return fmt.Errorf("%w: the device key is in use", entitlements.ErrConflict)
	}
	return failed("link device", err)
}

const readStanding = `
	SELECT u.id AS user_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
		` + subscriptionsOf + ` AS subscriptions, ` + plansOf + ` AS plans, d.*,
		(SELECT coalesce(json_agg(json_build_object('id', encode(k.credential_id, 'hex'), 'jwk', k.public_jwk)
				ORDER BY k.created_at, k.credential_id), '[]')
			FROM passkeys k WHERE k.user_id = u.id AND k.rp_id = $4) AS passkeys
	FROM users u, (SELECT ` + deviceColumns + ` FROM devices WHERE user_id = $1 AND id = $2 AND jkt = $3) d
	WHERE u.id = $1`

// Standing implements [entitlements.Store].
func (s *Entitlements) Standing(
	ctx context.Context, user entitlements.UserID, device entitlements.DeviceID, jkt, rpID string,
) (entitlements.Standing, error) {
	var row struct {
		accountRow
		deviceRow
		Passkeys jsonColumn[[]entitlements.OfflinePasskey]
	}
	err := s.standing.GetContext(ctx, &row, user, device, jkt, rpID)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.Standing{}, entitlements.ErrDeviceUnknown
	}
	if err != nil {
		return entitlements.Standing{}, failed("read standing", err)
	}
	standing := entitlements.Standing{Account: row.account(), Passkeys: row.Passkeys.V}
	if standing.Device, err = row.device(); err != nil {
		return entitlements.Standing{}, err
	}
	for i, passkey := range standing.Passkeys {
		id, err := hex.DecodeString(passkey.ID)
		if err != nil {
			return entitlements.Standing{}, fmt.Errorf("read passkeys: %w", err)
		}
		standing.Passkeys[i].ID = jose.EncodeBase64(id)
	}
	return standing, nil
}

// storeStep updates no row if the account was changed in between: each change raises devices.revision.
const storeStep = `
	UPDATE devices SET lineage_n = $8, lineage_parent = $9, document_bound = greatest(document_bound, $10),
		document_revision = greatest(document_revision, $11), last_reconciled_at = greatest(last_reconciled_at, $12)
	WHERE user_id = $1 AND id = $2 AND revision <= $3 AND lineage_n = $4 AND lineage_parent = $5
		AND (forked_at IS NOT NULL) = $6 AND (removed_at IS NOT NULL) = $7`

// Step implements [entitlements.Store].
func (s *Entitlements) Step(ctx context.Context, read entitlements.Standing, step entitlements.Step) (stored bool, err error) {
	held := read.Device
	result, err := s.step.ExecContext(ctx, read.Account.User, held.ID, read.Account.Revision, held.Lineage.N, held.Lineage.Parent[:],
		held.Lineage.Forked, held.Removed, step.Lineage.N, step.Lineage.Parent[:], step.DocumentExpiresAt, step.DocumentRevision,
		step.ReconciledAt)
	none, err := affectedNone(result, failed("store step", err))
	return err == nil && !none, err
}

// DeviceByKey implements [entitlements.Store].
func (s *Entitlements) DeviceByKey(ctx context.Context, jkt string) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, deviceKeyKey, `jkt`, jkt)
}

// DeviceByID implements [entitlements.Store].
func (s *Entitlements) DeviceByID(ctx context.Context, id entitlements.DeviceID) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, deviceKey, `id::text`, string(id))
}

func (s *Entitlements) device(ctx context.Context, kind, column, key string) (entitlements.UserID, entitlements.Device, error) {
	var row struct {
		UserID entitlements.UserID `db:"user_id"`
		deviceRow
	}
	err := s.db.GetContext(ctx, &row, `SELECT user_id, `+deviceColumns+` FROM devices WHERE user_id = `+ownerOf(kind, "$1")+` AND `+column+` = $1`, key)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", entitlements.Device{}, entitlements.ErrDeviceUnknown
	}
	if err != nil {
		return "", entitlements.Device{}, failed("read device", err)
	}
	device, err := row.device()
	return row.UserID, device, err
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

// accountRow holds the columns that every read of an account needs.
type accountRow struct {
	User          entitlements.UserID `db:"user_id"`
	Revision      int64
	TrialStarted  bool `db:"trial_started"`
	Subscriptions jsonColumn[[]subscriptionRow]
	Plans         jsonColumn[[]planRow]
}

func (r accountRow) account() entitlements.Account {
	account := entitlements.Account{
		User: r.User, Revision: r.Revision, TrialStarted: r.TrialStarted, Plans: map[entitlements.PlanID]entitlements.Plan{},
	}
	for _, row := range r.Subscriptions.V {
		account.Subscriptions = append(account.Subscriptions, row.subscription())
	}
	for _, row := range r.Plans.V {
		account.Plans[row.ID] = row.plan()
	}
	return account
}

type subscriptionRow struct {
	ID          entitlements.SubscriptionID    `json:"id"`
	User        entitlements.UserID            `json:"user_id"`
	Plan        entitlements.PlanID            `json:"plan"`
	State       entitlements.SubscriptionState `json:"state"`
	PaidThrough time.Time                      `json:"paid_through"`
	Ends        bool                           `json:"ends"`
	Revoked     bool                           `json:"revoked"`
	Suspended   bool                           `json:"suspended"`
	Disputes    []entitlements.Dispute         `json:"disputes"`
	WithdrawnAt time.Time                      `json:"withdrawn_at"` // null leaves it zero
	CreatedAt   time.Time                      `json:"created_at"`
	UpdatedAt   time.Time                      `json:"updated_at"`
}

func (r subscriptionRow) subscription() entitlements.Subscription {
	disputes := r.Disputes
	if len(disputes) == 0 {
		disputes = nil
	}
	return entitlements.Subscription{
		ID: r.ID, User: r.User, Plan: r.Plan, State: r.State, PaidThrough: r.PaidThrough.UTC(), Ends: r.Ends, Disputes: disputes,
		Revoked: r.Revoked, Suspended: r.Suspended, WithdrawnAt: r.WithdrawnAt.UTC(), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

type planRow struct {
	ID          entitlements.PlanID             `json:"id"`
	Features    map[string]entitlements.Feature `json:"features"`
	Window      *int64                          `json:"window_seconds"`
	Grace       int64                           `json:"grace_seconds"`
	DeviceLimit int                             `json:"device_limit"`
	Rank        int                             `json:"rank"`
}

func (r planRow) plan() entitlements.Plan {
	plan := entitlements.Plan{
		ID: r.ID, Features: r.Features, Grace: time.Duration(r.Grace) * time.Second, DeviceLimit: r.DeviceLimit, Rank: r.Rank,
	}
	if r.Window != nil {
		plan.Window = time.Duration(*r.Window) * time.Second
	}
	return plan
}

type deviceRow struct {
	ID               entitlements.DeviceID `json:"id"`
	Name             string                `json:"name"`
	JKT              string                `json:"jkt"`
	LinkedAt         time.Time             `json:"linked_at" db:"linked_at"`
	LastReconciledAt *time.Time            `json:"last_reconciled_at" db:"last_reconciled_at"`
	DocumentBound    *time.Time            `json:"document_bound" db:"document_bound"`
	DocumentRevision *int64                `json:"document_revision" db:"document_revision"`
	Removed          bool                  `json:"removed"`
	Place            entitlements.Place    `json:"place"`
	LineageN         int64                 `json:"lineage_n" db:"lineage_n"`
	LineageParent    string                `json:"lineage_parent" db:"lineage_parent"` // in hexadecimal
	Forked           bool                  `json:"forked"`
	LedgerSeq        int64                 `json:"ledger_seq" db:"ledger_seq"`
	LedgerHash       string                `json:"ledger_hash" db:"ledger_hash"` // in hexadecimal; empty if LedgerSeq is 0
	StatusList       int                   `json:"status_list" db:"status_list"`
	StatusIndex      int                   `json:"status_idx" db:"status_idx"`
}

func (r deviceRow) device() (entitlements.Device, error) {
	d := entitlements.Device{
		ID: r.ID, Name: r.Name, JKT: r.JKT, LinkedAt: r.LinkedAt.UTC(), LastReconciledAt: utc(r.LastReconciledAt),
		DocumentExpiresAt: utc(r.DocumentBound), DocumentRevision: r.DocumentRevision, Removed: r.Removed, Place: r.Place,
		Lineage: entitlements.Lineage{N: r.LineageN, Forked: r.Forked}, Ledger: entitlements.LedgerHead{Seq: r.LedgerSeq},
		StatusList: r.StatusList, StatusIndex: r.StatusIndex,
	}
	_, parent := hex.Decode(d.Lineage.Parent[:], []byte(r.LineageParent))
	_, hash := hex.Decode(d.Ledger.Hash[:], []byte(r.LedgerHash))
	if err := errors.Join(parent, hash); err != nil {
		return entitlements.Device{}, fmt.Errorf("read device: %w", err)
	}
	return d, nil
}

func devicesOf(rows []deviceRow) ([]entitlements.Device, error) {
	devices := make([]entitlements.Device, 0, len(rows))
	for _, row := range rows {
		device, err := row.device()
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// jsonColumn scans a column of JSON.
type jsonColumn[T any] struct{ V T }

// Scan implements database/sql's Scanner.
func (c *jsonColumn[T]) Scan(value any) error {
	text, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("a column of JSON is %T", value)
	}
	return json.Unmarshal(text, &c.V)
}

func isDeadlock(err error) bool {
	var server *pq.Error
	return errors.As(err, &server) && server.Code == pqerror.TRDeadlockDetected
}
