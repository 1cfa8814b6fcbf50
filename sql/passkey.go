package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// Passkeys is the PostgreSQL [passkey.Store]. Its other methods are in session.go, user.go, staff.go, code.go, account.go,
// audit.go and token.go.
type Passkeys struct {
	db                                                                   *sqlx.DB
	spend, spendOn, signIn, useSession, register, storePasskey, announce *sqlx.Stmt
	ends                                                                 announcements
}

var _ passkey.Store = (*Passkeys)(nil)

// NewPasskeys returns the store in db and prepares the statements that finish ceremonies and that read sessions. It does not close db.
func NewPasskeys(ctx context.Context, db *sqlx.DB) (*Passkeys, error) {
	p := &Passkeys{db: db}
	for statement, text := range map[**sqlx.Stmt]string{
		&p.spend: spendCeremony, &p.spendOn: spendOnCredential, &p.signIn: signIn, &p.useSession: useSession, &p.register: register,
		&p.storePasskey: storePasskey, &p.announce: announceEnds,
	} {
		var err error
		if *statement, err = db.PreparexContext(ctx, text); err != nil {
			return nil, failed("prepare sign-in", err)
		}
	}
	return p, nil
}

// Secret implements [passkey.SecretStore].
func (p *Passkeys) Secret(ctx context.Context, name string, candidate []byte) ([]byte, error) {
	return secret(ctx, p.db, name, candidate)
}

// spendCeremony is flushed to the disk but does not wait for a synchronous standby. A successful sign-in afterwards waits
// for one, and that covers all earlier commits: a failover can lose the row only if the try did not succeed.
const spendCeremony = `
	INSERT INTO spent (id, expires_at) SELECT $1::uuid, $2::timestamptz WHERE set_config('synchronous_commit', 'local', true) <> ''
	ON CONFLICT DO NOTHING RETURNING id`

// Spend implements [passkey.CeremonyStore]. Of concurrent insertions of one id, only the first inserts; the others wait and
// do nothing.
func (p *Passkeys) Spend(ctx context.Context, id string, end time.Time) error {
	err := p.spend.GetContext(brief(ctx), &id, id, end)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.ErrCeremony
	}
	return failed("spend ceremony", err)
}

// credentialRow is a row of passkeys.
type credentialRow struct {
	RPID           string         `db:"rp_id"`
	ID             []byte         `db:"credential_id"`
	User           passkey.UserID `db:"user_id"`
	Name           string
	PublicKey      []byte          `db:"public_key"`
	PublicJWK      json.RawMessage `db:"public_jwk"`
	AAGUID         uuid.UUID       `db:"aaguid"`
	Transports     pq.StringArray
	SignCount      uint32     `db:"sign_count"`
	BackupEligible bool       `db:"backup_eligible"`
	BackupState    bool       `db:"backup_state"`
	CreatedAt      time.Time  `db:"created_at"`
	LastUsedAt     *time.Time `db:"last_used_at"`
}

const credentialColumns = `p.rp_id, p.credential_id, p.user_id, p.name, p.public_key, p.public_jwk, p.aaguid, p.transports,
	p.sign_count, p.backup_eligible, p.backup_state, p.created_at, p.last_used_at`

func (r credentialRow) credential() passkey.Credential {
	return passkey.Credential{
		RPID:           r.RPID,
		ID:             r.ID,
		User:           r.User,
		Name:           r.Name,
		PublicKey:      r.PublicKey,
		PublicJWK:      r.PublicJWK,
		AAGUID:         r.AAGUID,
		Transports:     r.Transports,
		SignCount:      r.SignCount,
		BackupEligible: r.BackupEligible,
		BackupState:    r.BackupState,
		CreatedAt:      r.CreatedAt.UTC(),
		LastUsedAt:     utc(r.LastUsedAt),
	}
}

// ownedCredentialRow is a row of passkeys with its user.
type ownedCredentialRow struct {
	credentialRow
	Owner userRow `db:"owner"`
}

// Credential implements [passkey.CredentialStore].
func (p *Passkeys) Credential(ctx context.Context, rpID string, user passkey.UserID, id []byte) (passkey.User, passkey.Credential, error) {
	var row ownedCredentialRow
	err := p.db.GetContext(ctx, &row, `
		SELECT `+credentialColumns+`, u.id AS "owner.id", u.name AS "owner.name",
			coalesce(u.external_id, '') AS "owner.external_id", u.created_at AS "owner.created_at"
		FROM passkeys p JOIN users u ON u.id = p.user_id
		WHERE p.user_id = $1 AND p.credential_id = $2 AND p.rp_id = $3`, user, id, rpID)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.User{}, passkey.Credential{}, passkey.ErrNotFound
	}
	if err != nil {
		return passkey.User{}, passkey.Credential{}, failed("select passkey", err)
	}
	return row.Owner.user(), row.credential(), nil
}

// spendOnCredential returns a row if the ceremony was not spent before. Without such a credential, the row has zero values.
const spendOnCredential = `
	WITH fresh AS (` + spendCeremony + `)
	SELECT coalesce(p.rp_id, '') AS rp_id, p.credential_id, coalesce(p.user_id::text, '') AS user_id, coalesce(p.name, '') AS name, p.public_key,
		coalesce(p.public_jwk, 'null') AS public_jwk, coalesce(p.aaguid::text, '') AS aaguid, p.transports, coalesce(p.sign_count, 0) AS sign_count,
		coalesce(p.backup_eligible, false) AS backup_eligible, coalesce(p.backup_state, false) AS backup_state,
		coalesce(p.created_at, 'epoch') AS created_at, p.last_used_at, coalesce(u.id::text, '') AS "owner.id", coalesce(u.name, '') AS "owner.name",
		coalesce(u.external_id, '') AS "owner.external_id", coalesce(u.created_at, 'epoch') AS "owner.created_at"
	FROM fresh LEFT JOIN (passkeys p JOIN users u ON u.id = p.user_id)
		ON p.user_id = $3 AND p.credential_id = $4 AND p.rp_id = $5 AND u.id = $3`

// SpendOn implements [passkey.CeremonyStore].
func (p *Passkeys) SpendOn(
	ctx context.Context, id string, end time.Time, rpID string, user passkey.UserID, credential []byte,
) (passkey.User, passkey.Credential, error) {
	var row ownedCredentialRow
	err := p.spendOn.GetContext(brief(ctx), &row, id, end, user, credential, rpID)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.User{}, passkey.Credential{}, passkey.ErrCeremony
	}
	if err != nil {
		return passkey.User{}, passkey.Credential{}, failed("spend ceremony", err)
	}
	if row.User == "" {
		return passkey.User{}, passkey.Credential{}, passkey.ErrNotFound
	}
	return row.Owner.user(), row.credential(), nil
}

// Credentials implements [passkey.CredentialStore].
func (p *Passkeys) Credentials(ctx context.Context, rpID string, user passkey.UserID) ([]passkey.Credential, error) {
	return p.credentials(ctx, `p.user_id = $1 AND p.rp_id = $2`, user, rpID)
}

// EveryCredential implements [passkey.CredentialStore].
func (p *Passkeys) EveryCredential(ctx context.Context, user passkey.UserID) ([]passkey.Credential, error) {
	return p.credentials(ctx, `p.user_id = $1`, user)
}

func (p *Passkeys) credentials(ctx context.Context, condition string, args ...any) ([]passkey.Credential, error) {
	return list(ctx, p.db, "select passkeys", credentialRow.credential, `
		SELECT `+credentialColumns+` FROM passkeys p WHERE `+condition+` ORDER BY p.created_at, p.credential_id`, args...)
}

// Register implements [passkey.CredentialStore]. No endpoint is notified of a registration, so that its audit entry is one
// row and everything fits into one statement.
func (p *Passkeys) Register(
	ctx context.Context, user passkey.User, c passkey.Credential, session passkey.NewSession, entry passkey.AuditEntry,
) error {
	_, err := p.register.ExecContext(brief(ctx), slices.Concat(passkeyArgs(c, session), userArgs(user), entryArgs(entryOf(entry)))...)
	return passkeyStored(err)
}

// AddPasskey implements [passkey.CredentialStore].
func (p *Passkeys) AddPasskey(
	ctx context.Context, c passkey.Credential, limit int, replaced string, session passkey.NewSession, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := lockUser(ctx, tx, c.User); err != nil {
			return err
		}
		toldFrom, err := endSessions(ctx, tx, `user_id = $1 AND id = $2`, c.User, replaced)
		if err != nil {
			return err
		}
		if len(toldFrom) == 0 {
			return passkey.ErrUnauthenticated
		}
		if toldFrom[0].Valid {
			session.ToldFrom = &toldFrom[0].Time
		}
		if err := checkLimit(ctx, tx, c, limit); err != nil {
			return err
		}
		return p.insertPasskey(ctx, tx, c, session, entry)
	})
}

// Recover implements [passkey.CredentialStore].
func (p *Passkeys) Recover(
	ctx context.Context, c passkey.Credential, limit int, code passkey.CodeKey,
	previous *passkey.TokenKey, session passkey.NewSession, entries []passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := lockUser(ctx, tx, c.User); err != nil {
			return err
		}
		if err := spend(ctx, tx, c.User, code, session.AuthenticatedAt); err != nil {
			return err
		}
		if code.Recovers() {
			if _, err := endSessions(ctx, tx, `user_id = $1`, c.User); err != nil {
				return err
			}
			if _, err := deleteLinks(ctx, tx, `user_id = $1`, c.User); err != nil {
				return err
			}
		} else if err := checkLimit(ctx, tx, c, limit); err != nil {
			return err
		}
		if previous != nil {
			if _, err := endSessions(ctx, tx, `user_id = $1 AND token_hash = $2`, previous.User, previous.Hash); err != nil {
				return err
			}
		}
		return p.insertPasskey(ctx, tx, c, session, entries...)
	})
}

// lockUser serialises changes of a user's passkeys and recovery codes. Later statements of the transaction see what the
// previous holder of the lock committed. An unknown user is not an error: later statements will find nothing of theirs.
func lockUser(ctx context.Context, tx *sqlx.Tx, user passkey.UserID) error {
	_, err := tx.ExecContext(ctx, `SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
	return failed("lock user", err)
}

// checkLimit requires lockUser before it.
func checkLimit(ctx context.Context, tx *sqlx.Tx, c passkey.Credential, limit int) error {
	var n int
	err := tx.GetContext(ctx, &n, `SELECT count(*) FROM passkeys WHERE user_id = $1 AND rp_id = $2`, c.User, c.RPID)
	if err != nil {
		return failed("count passkeys", err)
	}
	if n >= limit {
		return passkey.ErrTooManyPasskeys
	}
	return nil
}

const insertPasskey = `passkey AS (
		INSERT INTO passkeys (user_id, credential_id, rp_id, name, public_key, public_jwk, aaguid, transports,
			sign_count, backup_eligible, backup_state, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	), listed AS (
		INSERT INTO directory (kind, key, user_id) VALUES ('` + passkeyKey + `', $21, $1)
	)
	INSERT INTO sessions (user_id, id, token_hash, user_agent, authenticated_at, last_active_at, expires_at, credential_id, told_from, origin)
	VALUES ($1, $13, $14, $15, $16, $17, $18, $2, $19, $20)`

var (
	storePasskey = `WITH ` + insertPasskey
	register     = `WITH registered AS (` + newUser(22) + `), ` + newEntry(28) + `, ` + insertPasskey
)

// passkeyArgs returns the arguments of insertPasskey.
func passkeyArgs(c passkey.Credential, session passkey.NewSession) []any {
	return []any{
		c.User, c.ID, c.RPID, c.Name, c.PublicKey, string(c.PublicJWK), c.AAGUID, pq.StringArray(c.Transports),
		int64(c.SignCount), c.BackupEligible, c.BackupState, c.CreatedAt, session.ID, session.TokenHash, session.UserAgent,
		session.AuthenticatedAt, session.LastActiveAt, session.ExpiresAt, session.ToldFrom, session.Origin,
		passkeyListing(c.RPID, c.ID).key,
	}
}

// passkeyStored converts the error of a statement with insertPasskey.
func passkeyStored(err error) error {
	if isUnique(err, "directory_pkey") || isUnique(err, "passkeys_pkey") {
		return passkey.ErrCredentialTaken
	}
	return failed("insert passkey", err)
}

// insertPasskey stores a passkey with its session and audit entries.
func (p *Passkeys) insertPasskey(
	ctx context.Context, tx *sqlx.Tx, c passkey.Credential, session passkey.NewSession, entries ...passkey.AuditEntry,
) error {
	_, err := tx.StmtxContext(ctx, p.storePasskey).ExecContext(ctx, passkeyArgs(c, session)...)
	if err := passkeyStored(err); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := insertEntry(ctx, tx, entry); err != nil {
			return err
		}
	}
	return nil
}

// signIn finds no row if the passkey has changed since it was read: after waiting for another sign-in, PostgreSQL evaluates
// the condition again on the newest row. The first three arguments are those of noticeEntries.
var signIn = `
	WITH used AS (
		UPDATE passkeys SET sign_count = $8, backup_state = $9, last_used_at = $10
		WHERE user_id = $1 AND credential_id = $4 AND rp_id = $5 AND sign_count = $6 AND backup_eligible = $7
		RETURNING user_id
	), ` + endedSessions(`user_id = $11 AND token_hash = $12 AND EXISTS (SELECT FROM used)`) + `, begun AS (
		INSERT INTO sessions (user_id, id, token_hash, user_agent, authenticated_at, last_active_at, expires_at, credential_id, told_from, origin)
		SELECT user_id, $13, $14, $15, $10, $10, $16, $4, $2, $17 FROM used
	)
	SELECT (SELECT coalesce(json_agg(e), '[]') FROM (` + noticeEntries + `) e) AS told, (SELECT id::text FROM ended) AS ended
	FROM used`

// SignIn implements [passkey.CredentialStore].
func (p *Passkeys) SignIn(
	ctx context.Context, read passkey.Credential, use passkey.CredentialUse, previous *passkey.TokenKey, session passkey.NewSession, limit int,
) (told []passkey.AuditEntry, changed bool, err error) {
	var previousUser, previousHash any
	if previous != nil {
		previousUser, previousHash = previous.User, previous.Hash
	}
	var row struct {
		Told  jsonColumn[[]noticeEntry]
		Ended stdsql.NullString
	}
	err = p.signIn.GetContext(brief(ctx), &row, read.User, session.ToldFrom, limit, read.ID, read.RPID, int64(read.SignCount), read.BackupEligible,
		int64(use.SignCount), use.BackupState, use.At, previousUser, previousHash,
		session.ID, session.TokenHash, session.UserAgent, session.ExpiresAt, session.Origin)
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, failed("sign in", err)
	}
	if row.Ended.Valid {
		p.announceEnd(row.Ended.String)
	}
	return noticeEntriesOf(read.User, row.Told.V), false, nil
}

// RenamePasskey implements [passkey.CredentialStore].
func (p *Passkeys) RenamePasskey(ctx context.Context, rpID string, user passkey.UserID, id []byte, name string) (passkey.Credential, error) {
	var row credentialRow
	err := p.db.GetContext(ctx, &row, `
		UPDATE passkeys p SET name = $4 WHERE p.user_id = $1 AND p.credential_id = $2 AND p.rp_id = $3
		RETURNING `+credentialColumns, user, id, rpID, name)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.Credential{}, passkey.ErrNotFound
	}
	if err != nil {
		return passkey.Credential{}, failed("update passkey", err)
	}
	return row.credential(), nil
}

// DeletePasskey implements [passkey.CredentialStore].
func (p *Passkeys) DeletePasskey(
	ctx context.Context, rpID string, user passkey.UserID, id []byte, kept *string, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := lockUser(ctx, tx, user); err != nil {
			return err
		}
		var found struct {
			This, All int
			Codes     bool
		}
		err := tx.GetContext(ctx, &found, `
			SELECT count(*) FILTER (WHERE credential_id = $2) AS this, count(*) AS all,
				EXISTS (SELECT FROM recovery_codes WHERE user_id = $1) AS codes
			FROM passkeys WHERE user_id = $1 AND rp_id = $3`, user, id, rpID)
		switch {
		case err != nil:
			return failed("count passkeys", err)
		case found.This == 0:
			return passkey.ErrNotFound
		case found.All == 1 && !found.Codes:
			return passkey.ErrLastPasskey
		}
		if _, err := tx.ExecContext(ctx, `
			DELETE FROM passkeys WHERE user_id = $1 AND credential_id = $2 AND rp_id = $3`, user, id, rpID); err != nil {
			return failed("delete passkey", err)
		}
		if err := leave(ctx, tx, passkeyListing(rpID, id)); err != nil {
			return err
		}
		if kept != nil {
			if _, err := endSessions(ctx, tx, `user_id = $1 AND credential_id = $2 AND id <> $3`, user, id, *kept); err != nil {
				return err
			}
		}
		return insertEntry(ctx, tx, entry)
	})
}

// Record implements [passkey.CredentialStore].
func (p *Passkeys) Record(ctx context.Context, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error { return insertEntry(ctx, tx, entry) })
}

// insertEntry adds an entry to the audit trail, which all domains share.
func insertEntry(ctx context.Context, tx *sqlx.Tx, e passkey.AuditEntry) error {
	return audit(ctx, tx, entryOf(e))
}

func entryOf(e passkey.AuditEntry) entitlements.AuditEntry {
	return entitlements.AuditEntry{
		At: e.At, Actor: e.Actor, Action: e.Action, Object: e.Object, User: string(e.User),
		Before: e.Before, After: e.After, Reason: e.Reason,
	}
}

// optional returns nil, which becomes NULL, for "".
func optional[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// affectedNone reports whether a statement changed no row. err is the statement's own error.
func affectedNone(result stdsql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 0, err
}
