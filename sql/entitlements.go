package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// Entitlements is the PostgreSQL [entitlements.Store].
type Entitlements struct {
	db      *sqlx.DB
	advance *sqlx.Stmt
}

var _ entitlements.Store = (*Entitlements)(nil)

// NewEntitlements prepares the statement that every reconcile runs.
func NewEntitlements(ctx context.Context, db *sqlx.DB) (*Entitlements, error) {
	advance, err := db.PreparexContext(ctx, advanceStatement)
	if err != nil {
		return nil, failed("prepare reconcile", err)
	}
	return &Entitlements{db: db, advance: advance}, nil
}

// Secret implements [entitlements.Store].
func (s *Entitlements) Secret(ctx context.Context, name string, candidate []byte) ([]byte, error) {
	_, err := s.db.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, candidate)
	if err != nil {
		return nil, failed("store secret", err)
	}
	var value []byte
	if err := s.db.GetContext(ctx, &value, `SELECT value FROM secrets WHERE name = $1`, name); err != nil {
		return nil, failed("read secret", err)
	}
	return value, nil
}

// subscriptionsOf and plansOf are the rows that decide about the user of the row u, as JSON.
const (
	subscriptionsOf = `(SELECT coalesce(json_agg(s ORDER BY s.created_at, s.id), '[]') FROM subscriptions s WHERE s.user_id = u.id)`
	plansOf         = `(SELECT coalesce(json_agg(p), '[]') FROM plans p
		WHERE p.id IN (SELECT s.plan FROM subscriptions s WHERE s.user_id = u.id))`
	allPlans = `(SELECT coalesce(json_agg(p), '[]') FROM plans p)`
)

const (
	// mattering says of a device that it still matters at $2: a removed one does while a document of it may live.
	mattering = `(removed_at IS NULL OR document_bound > $2)`
	// keptDevices are the devices of the user $1 that do.
	keptDevices = `user_id = $1 AND ` + mattering
)

const deviceColumns = `id, name, jkt, linked_at, last_reconciled_at, document_bound, document_revision, forked_at IS NOT NULL AS quarantined,
	removed_at IS NOT NULL AS removed, place`

// Account implements [entitlements.Store].
func (s *Entitlements) Account(ctx context.Context, user entitlements.UserID, at time.Time) (entitlements.Account, error) {
	return s.account(ctx, `$1::uuid`, user, at)
}

// SubscriberAccount implements [entitlements.Store].
func (s *Entitlements) SubscriberAccount(
	ctx context.Context, id entitlements.SubscriptionID, at time.Time,
) (entitlements.Account, error) {
	return s.account(ctx, `(SELECT user_id FROM subscriptions WHERE id = $1)`, id, at)
}

// account reads the account of the user whom the expression user finds by the argument $1.
func (s *Entitlements) account(ctx context.Context, user string, argument any, at time.Time) (entitlements.Account, error) {
	var row struct {
		accountRow
		Devices jsonColumn[[]deviceRow]
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT u.id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
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
	for _, device := range row.Devices.V {
		account.Devices = append(account.Devices, device.device())
	}
	return account, nil
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
	devices := make([]entitlements.Device, len(rows))
	for i, row := range rows {
		devices[i] = row.device()
	}
	return devices, nil
}

// Update implements [entitlements.Store]. Locks are taken in the order catalogue, user, devices. The one statement that takes them
// the other way round, after commits were lost or where a device becomes quarantined, can deadlock with it; PostgreSQL
// ends one of the two, which starts again.
func (s *Entitlements) Update(
	ctx context.Context, user entitlements.UserID, at time.Time,
	change func(entitlements.Account) (entitlements.Change, error),
) (account entitlements.Account, err error) {
	for range maxAttempts {
		err = transact(ctx, s.db, func(tx *sqlx.Tx) error {
			if account, err = lockAccount(ctx, tx, user, at); err != nil {
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

// maxAttempts bounds how often a statement or transaction starts again because another one came in between.
const maxAttempts = 10

func lockAccount(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, at time.Time) (entitlements.Account, error) {
	// The catalogue comes first, shared: holders of a plan that has changed are not raised before those have been committed
	// who have gone over to it as it was.
	var found bool
	err := tx.GetContext(ctx, &found, `
		SELECT true FROM users WHERE id = $1 AND (SELECT pg_advisory_xact_lock_shared(`+catalogue+`)) IS NOT NULL FOR NO KEY UPDATE`, user)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.Account{}, entitlements.ErrNotFound
	}
	if err != nil {
		return entitlements.Account{}, failed("lock user", err)
	}
	// A statement of its own, so that its snapshot is younger than the lock: nobody else changes the account now.
	var devices []deviceRow
	err = tx.SelectContext(ctx, &devices, `
		SELECT `+deviceColumns+` FROM devices WHERE `+keptDevices+` ORDER BY linked_at, id FOR NO KEY UPDATE`, user, at)
	if err != nil {
		return entitlements.Account{}, failed("lock devices", err)
	}
	var row struct {
		accountRow
		Withdrawing bool
		Links       jsonColumn[[]time.Time]
	}
	err = tx.GetContext(ctx, &row, `
		SELECT u.id, u.revision, u.trial_started_at IS NOT NULL AS trial_started,
			`+subscriptionsOf+` AS subscriptions, `+allPlans+` AS plans, `+withdrawing+` AS withdrawing,
			(SELECT coalesce(json_agg(d.linked_at ORDER BY d.linked_at), '[]')
				FROM devices d WHERE d.user_id = u.id AND d.linked_at > $2::timestamptz - interval '1 hour') AS links
		FROM users u WHERE u.id = $1`, user, at)
	if err != nil {
		return entitlements.Account{}, failed("read account", err)
	}
	account := row.account()
	account.Withdrawing, account.Links = row.Withdrawing, row.Links.V
	for _, device := range devices {
		account.Devices = append(account.Devices, device.device())
	}
	return account, nil
}

func apply(
	ctx context.Context, tx *sqlx.Tx, account entitlements.Account, at time.Time, c entitlements.Change,
) (revision int64, err error) {
	revision = account.Revision
	if c.Raise {
		if revision, err = raise(ctx, tx, account.User, at); err != nil {
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

// raise raises the revision of a user and, with it, of the user's devices: see devices.revision in the schema.
func raise(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, at time.Time) (revision int64, err error) {
	err = tx.GetContext(ctx, &revision, `UPDATE users SET revision = revision + 1 WHERE id = $1 RETURNING revision`, user)
	if err != nil {
		return 0, failed("raise revision", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE devices SET revision = $3 WHERE `+keptDevices, user, at, revision); err != nil {
		return 0, failed("raise devices' revision", err)
	}
	return revision, nil
}

func putSubscription(ctx context.Context, tx *sqlx.Tx, sub entitlements.Subscription) error {
	disputes, err := json.Marshal(append([]entitlements.Dispute{}, sub.Disputes...))
	if err != nil {
		return fmt.Errorf("put subscription: %w", err)
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO subscriptions AS s (id, user_id, plan, state, paid_through, ends, revoked, suspended, disputes, withheld,
			withdrawn_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (id) DO UPDATE SET plan = excluded.plan, state = excluded.state, paid_through = excluded.paid_through,
			ends = excluded.ends, revoked = excluded.revoked, suspended = excluded.suspended, disputes = excluded.disputes,
			withheld = excluded.withheld, withdrawn_at = excluded.withdrawn_at, updated_at = excluded.updated_at
		WHERE s.user_id = excluded.user_id`,
		sub.ID, sub.User, sub.Plan, sub.State, sub.PaidThrough, sub.Ends, sub.Revoked, sub.Suspended, string(disputes), sub.Withheld(),
		stdsql.NullTime{Time: sub.WithdrawnAt, Valid: !sub.WithdrawnAt.IsZero()}, sub.CreatedAt, sub.UpdatedAt)
	if err != nil {
		return failed("put subscription", err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return failed("put subscription", err)
	} else if n == 0 {
		return fmt.Errorf("%w: the subscription is another user's", entitlements.ErrConflict)
	}
	return nil
}

// setStatus sets the status of a device's index. After INVALID, which is final, a device that stays gets a new index.
func setStatus(
	ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, status entitlements.Status,
) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE status_entries e SET status = $3 FROM devices d
		WHERE d.user_id = $1 AND d.id = $2 AND e.list = d.status_list AND e.idx = d.status_idx AND e.status <> $3 AND e.status <> 1`,
		user, device, status)
	if err != nil {
		return failed("set status", err)
	}
	if status != entitlements.StatusInvalid {
		return nil
	}
	var stays bool
	err = tx.GetContext(ctx, &stays, `SELECT removed_at IS NULL FROM devices WHERE user_id = $1 AND id = $2`, user, device)
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

// allotIndices takes n indices at random from the newest list. Where eight times in a row all that are tried are taken,
// or most of many, the list is so full that a new one is begun.
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

// statusIndex is a place in a status list.
type statusIndex struct {
	List int
	Idx  int
}

// allotIndex is allotIndices for one.
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
	_, err = tx.ExecContext(ctx, `
		INSERT INTO devices (user_id, id, name, jkt, linked_at, revision, status_list, status_idx)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		user, device.ID, device.Name, device.JKT, device.LinkedAt, revision, list, index)
	if violated := (*pq.Error)(nil); errors.As(err, &violated) && violated.Code == pqerror.UniqueViolation {
		return fmt.Errorf("%w: the device key is in use", entitlements.ErrConflict)
	}
	return failed("link device", err)
}

// The three rules of a lineage (entitlements.Lineage.Judge) in SQL: d is the device's row, as it is when its lock is
// held; $4, $5 and $6 are the token's generation, tag and parent, $7 is what the nonce was bound to.
const (
	ruleRepeated = `(d.forked_at IS NULL AND d.lineage_parent = $5)`
	ruleAdvances = `(d.forked_at IS NULL AND d.lineage_parent <> $5
		AND ($4 > d.lineage_n OR $4 = d.lineage_n AND d.lineage_parent = $6))`
	ruleTaken = `(` + ruleRepeated + ` OR ` + ruleAdvances + `)`
	ruleForks = `(d.forked_at IS NULL AND NOT ` + ruleTaken + ` AND $7 = d.lineage_n)`
)

// advanceStatement carries out entitlements.Step. The account is read in the statement's snapshot, but the device's row
// as it is once its lock is held; a change of the account that committed in between has raised the row's revision above
// the snapshot's, and then nothing is done and the caller starts again.
const advanceStatement = `
WITH seen AS (
	SELECT u.revision, d.lineage_n, d.forked_at, d.document_revision
	FROM users u JOIN devices d ON d.user_id = u.id
	WHERE u.id = $1 AND d.id = $2 AND d.jkt = $3
), granted AS (
	SELECT max(least(
		s.paid_through + make_interval(secs => CASE WHEN s.ends THEN 0 ELSE p.grace_seconds END),
		$8::timestamptz + make_interval(secs => least(p.window_seconds, $9::bigint)),
		$10::timestamptz)) + make_interval(secs => $15::bigint) AS bound
	FROM subscriptions s JOIN plans p ON p.id = s.plan
	WHERE s.user_id = $1 AND NOT s.revoked AND NOT s.suspended AND NOT s.withheld
		AND s.paid_through + make_interval(secs => CASE WHEN s.ends THEN 0 ELSE p.grace_seconds END) > $8::timestamptz
), stepped AS (
	UPDATE devices d SET
		lineage_n = CASE WHEN ` + ruleAdvances + ` THEN $4::bigint + 1 ELSE d.lineage_n END,
		lineage_parent = CASE WHEN ` + ruleAdvances + ` THEN $5::bytea ELSE d.lineage_parent END,
		ledger_seq = CASE WHEN ` + ruleAdvances + ` THEN greatest(d.ledger_seq, $13::bigint) ELSE d.ledger_seq END,
		ledger_hash = CASE WHEN ` + ruleAdvances + ` AND $13::bigint > d.ledger_seq THEN $14::bytea ELSE d.ledger_hash END,
		forked_at = CASE WHEN ` + ruleForks + ` THEN $8::timestamptz ELSE d.forked_at END,
		last_reconciled_at = CASE WHEN ` + ruleTaken + ` THEN greatest(d.last_reconciled_at, $8::timestamptz)
			ELSE d.last_reconciled_at END,
		document_bound = CASE
			WHEN NOT ` + ruleTaken + ` THEN d.document_bound
			WHEN $4 > d.lineage_n OR $12::bigint > seen.revision -- commits were lost, and with them what bounds they held
				THEN greatest(d.document_bound, least($8::timestamptz + make_interval(secs => $9::bigint), $10::timestamptz)
					+ make_interval(secs => $16::bigint))
			WHEN d.removed_at IS NULL THEN greatest(d.document_bound, granted.bound)
			ELSE d.document_bound END,
		document_revision = CASE
			WHEN ` + ruleForks + ` THEN greatest(d.document_revision, seen.revision + 1, $12::bigint)
			WHEN ` + ruleTaken + ` OR d.forked_at IS NOT NULL THEN greatest(d.document_revision, seen.revision, $12::bigint)
			ELSE d.document_revision END
	FROM seen, granted
	WHERE d.user_id = $1 AND d.id = $2 AND d.jkt = $3 AND d.revision <= seen.revision
	RETURNING d.*
), raised AS (
	UPDATE users u SET revision = CASE WHEN d.forked_at IS NULL THEN $12::bigint ELSE u.revision + 1 END FROM stepped d, seen
	WHERE u.id = $1 AND (u.revision < $12::bigint AND d.forked_at IS NULL AND d.lineage_parent = $5
		OR d.forked_at = $8::timestamptz AND seen.forked_at IS NULL)
	RETURNING u.revision
), withdrawn AS (
	UPDATE status_entries e SET status = 1 FROM stepped d, seen
	WHERE d.forked_at = $8::timestamptz AND seen.forked_at IS NULL AND e.list = d.status_list AND e.idx = d.status_idx
), audited AS (
	INSERT INTO audit (at, actor, action, object, user_id, before, after)
	SELECT $8::timestamptz, 'device:' || d.id, 'device.forked', 'device:' || d.id, $1,
		jsonb_build_object('generation', d.lineage_n), jsonb_build_object('generation', $4::bigint)
	FROM stepped d, seen WHERE d.forked_at = $8::timestamptz AND seen.forked_at IS NULL
	UNION ALL
	SELECT $8::timestamptz, 'device:' || d.id, 'lineage.recovered', 'device:' || d.id, $1,
		jsonb_build_object('generation', seen.lineage_n, 'revision', seen.revision, 'document_revision', seen.document_revision),
		jsonb_build_object('generation', $4::bigint, 'revision', $12::bigint)
	FROM stepped d, seen
	WHERE d.forked_at IS NULL AND d.lineage_parent = $5 AND ($4::bigint > seen.lineage_n OR $12::bigint > seen.revision)
)
SELECT u.id, coalesce((SELECT revision FROM raised), u.revision) AS revision, false AS trial_started,
	` + subscriptionsOf + ` AS subscriptions, ` + plansOf + ` AS plans,
	d.id IS NOT NULL AS stepped, coalesce(d.lineage_n, 0) AS lineage_n, d.lineage_parent, d.forked_at IS NOT NULL AS forked,
	d.removed_at IS NOT NULL AS removed, d.document_bound, coalesce(d.status_list, 0) AS status_list,
	coalesce(d.status_idx, 0) AS status_idx, coalesce(d.ledger_seq, 0) AS ledger_seq, d.ledger_hash,
	(SELECT coalesce(json_agg(json_build_object('id', encode(k.credential_id, 'hex'), 'jwk', k.public_jwk)
			ORDER BY k.created_at, k.credential_id), '[]')
		FROM passkeys k WHERE k.user_id = u.id AND k.rp_id = $11) AS passkeys
FROM users u, seen LEFT JOIN stepped d ON true
WHERE u.id = $1`

// Advance implements [entitlements.Store].
func (s *Entitlements) Advance(ctx context.Context, step entitlements.Step) (entitlements.Advanced, error) {
	var ledgerHash []byte
	if step.Token.Ledger.Seq > 0 {
		ledgerHash = step.Token.Ledger.Hash[:]
	}
	for attempt := 1; ; attempt++ {
		var row advancedRow
		err := s.advance.GetContext(ctx, &row, step.Token.User, step.Token.Device, step.JKT,
			step.Token.Generation, step.Token.Tag[:], step.Token.Parent[:], step.Bound,
			step.Now, int64(step.Window/time.Second), step.KeysetEnd, step.RPID,
			step.Token.Revision, step.Token.Ledger.Seq, ledgerHash,
			int64(step.Allowance/time.Second), int64(entitlements.MaxSkew/time.Second))
		switch {
		case errors.Is(err, stdsql.ErrNoRows):
			return entitlements.Advanced{}, entitlements.ErrDeviceUnknown
		case isDeadlock(err) && attempt < maxAttempts:
			continue
		case err != nil:
			return entitlements.Advanced{}, failed("advance lineage", err)
		case row.Stepped:
			return row.advanced()
		case attempt == maxAttempts:
			return entitlements.Advanced{}, failed("advance lineage", &UnavailableError{errors.New("the account keeps changing")})
		}
	}
}

type advancedRow struct {
	accountRow
	Stepped       bool
	LineageN      int64  `db:"lineage_n"`
	LineageParent []byte `db:"lineage_parent"`
	Forked        bool
	Removed       bool
	DocumentBound stdsql.NullTime `db:"document_bound"`
	StatusList    int             `db:"status_list"`
	StatusIndex   int             `db:"status_idx"`
	LedgerSeq     int64           `db:"ledger_seq"`
	LedgerHash    []byte          `db:"ledger_hash"`
	Passkeys      jsonColumn[[]entitlements.OfflinePasskey]
}

func (r advancedRow) advanced() (entitlements.Advanced, error) {
	a := entitlements.Advanced{
		Account: r.account(), Lineage: entitlements.Lineage{N: r.LineageN, Forked: r.Forked}, Removed: r.Removed,
		Bound: r.DocumentBound.Time, List: r.StatusList, Index: r.StatusIndex,
		Ledger: entitlements.LedgerHead{Seq: r.LedgerSeq}, Passkeys: r.Passkeys.V,
	}
	copy(a.Lineage.Parent[:], r.LineageParent)
	copy(a.Ledger.Hash[:], r.LedgerHash)
	for i, passkey := range a.Passkeys {
		id, err := hex.DecodeString(passkey.ID)
		if err != nil {
			return entitlements.Advanced{}, fmt.Errorf("read passkeys: %w", err)
		}
		a.Passkeys[i].ID = jose.EncodeBase64(id)
	}
	return a, nil
}

// DeviceByKey implements [entitlements.Store].
func (s *Entitlements) DeviceByKey(ctx context.Context, jkt string) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, `jkt = $1`, jkt)
}

// DeviceByID implements [entitlements.Store].
func (s *Entitlements) DeviceByID(ctx context.Context, id entitlements.DeviceID) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, `id = $1`, id)
}

func (s *Entitlements) device(ctx context.Context, where string, argument any) (entitlements.UserID, entitlements.Device, error) {
	var row struct {
		UserID entitlements.UserID `db:"user_id"`
		deviceRow
	}
	err := s.db.GetContext(ctx, &row, `SELECT user_id, `+deviceColumns+` FROM devices WHERE `+where, argument)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", entitlements.Device{}, entitlements.ErrDeviceUnknown
	}
	if err != nil {
		return "", entitlements.Device{}, failed("read device", err)
	}
	return row.UserID, row.device(), nil
}

// SubscriptionOwner implements [entitlements.Store].
func (s *Entitlements) SubscriptionOwner(ctx context.Context, id entitlements.SubscriptionID) (entitlements.UserID, error) {
	return s.user(ctx, `SELECT user_id FROM subscriptions WHERE id = $1`, id)
}

// UserByExternalID implements [entitlements.Store].
func (s *Entitlements) UserByExternalID(ctx context.Context, externalID string) (entitlements.UserID, error) {
	return s.user(ctx, `SELECT id FROM users WHERE external_id = $1`, externalID)
}

func (s *Entitlements) user(ctx context.Context, query string, argument any) (user entitlements.UserID, err error) {
	err = s.db.GetContext(ctx, &user, query, argument)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", entitlements.ErrNotFound
	}
	return user, failed("find user", err)
}

// accountRow is the columns that every read of an account has.
type accountRow struct {
	ID            entitlements.UserID
	Revision      int64
	TrialStarted  bool `db:"trial_started"`
	Subscriptions jsonColumn[[]subscriptionRow]
	Plans         jsonColumn[[]planRow]
}

func (r accountRow) account() entitlements.Account {
	account := entitlements.Account{
		User: r.ID, Revision: r.Revision, TrialStarted: r.TrialStarted, Plans: map[entitlements.PlanID]entitlements.Plan{},
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
	Quarantined      bool                  `json:"quarantined"`
	Removed          bool                  `json:"removed"`
	Place            entitlements.Place    `json:"place"`
}

func (r deviceRow) device() entitlements.Device {
	return entitlements.Device{
		ID: r.ID, Name: r.Name, JKT: r.JKT, LinkedAt: r.LinkedAt.UTC(), LastReconciledAt: utc(r.LastReconciledAt),
		DocumentExpiresAt: utc(r.DocumentBound), DocumentRevision: r.DocumentRevision, Quarantined: r.Quarantined, Removed: r.Removed, Place: r.Place,
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// jsonColumn reads a column of JSON.
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
