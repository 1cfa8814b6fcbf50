package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
)

func insertLink(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, link passkey.NewLink, now time.Time) error {
	mine, err := enter(ctx, tx, user, listing{linkKey, hex.EncodeToString(link.CodeHash)})
	if err == nil && !mine {
		err = passkey.ErrConflict // would mean a collision of 128 random bits
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO enrolments (user_id, kind, code_hash, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)`,
		user, link.Kind, link.CodeHash, link.ExpiresAt, now)
	return failed("insert link", err)
}

// deleteLinks deletes the links that meet the condition and returns their number.
func deleteLinks(ctx context.Context, tx *sqlx.Tx, condition string, args ...any) (deleted int, err error) {
	err = tx.GetContext(ctx, &deleted, `
		WITH gone AS (
			DELETE FROM enrolments WHERE `+condition+` RETURNING encode(code_hash, 'hex') AS key
		), listed AS (
			DELETE FROM directory d USING gone WHERE d.kind = '`+linkKey+`' AND d.key = gone.key
		)
		SELECT count(*) FROM gone`, args...)
	return deleted, failed("delete links", err)
}

// CreateRecoveryLink implements [passkey.CodeStore].
func (p *Passkeys) CreateRecoveryLink(
	ctx context.Context, user passkey.UserID, may func(passkey.Role) error, link passkey.NewLink, entry passkey.AuditEntry,
) (role passkey.Role, err error) {
	err = transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if role, err = findAccount(ctx, tx, user, may); err != nil {
			return err
		}
		if _, err := deleteLinks(ctx, tx, `user_id = $1 AND kind = $2`, user, link.Kind); err != nil {
			return err
		}
		if err := insertLink(ctx, tx, user, link, entry.At); err != nil {
			return err
		}
		return insertEntry(ctx, tx, entry)
	})
	return role, err
}

// Link implements [passkey.CodeStore].
func (p *Passkeys) Link(ctx context.Context, codeHash []byte, now time.Time) (passkey.User, passkey.CodeKind, error) {
	var row struct {
		Kind passkey.CodeKind
		userRow
	}
	err := p.db.GetContext(ctx, &row, `
		SELECT e.kind, `+userColumns+` FROM enrolments e JOIN users u ON u.id = e.user_id
		WHERE e.user_id = `+ownerOf(linkKey, `encode($1, 'hex')`)+` AND e.code_hash = $1 AND e.expires_at > $2`, codeHash, now)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.User{}, "", passkey.ErrNotFound
	}
	if err != nil {
		return passkey.User{}, "", failed("select link", err)
	}
	return row.user(), row.Kind, nil
}

// Links implements [passkey.CodeStore].
func (p *Passkeys) Links(ctx context.Context, user passkey.UserID) ([]passkey.NewLink, error) {
	var links []passkey.NewLink
	err := p.db.SelectContext(ctx, &links, `
		SELECT kind, code_hash AS codehash, expires_at AS expiresat FROM enrolments
		WHERE user_id = $1 ORDER BY created_at, code_hash`, user)
	if err != nil {
		return nil, failed("select links", err)
	}
	for i := range links {
		links[i].ExpiresAt = links[i].ExpiresAt.UTC()
	}
	return links, nil
}

// ReplaceRecoveryCodes implements [passkey.CodeStore]. The user's lock serialises concurrent replacements, and keeps the
// session that authorises it from ending before it is done.
func (p *Passkeys) ReplaceRecoveryCodes(
	ctx context.Context, user passkey.UserID, codes []passkey.NewRecoveryCode, session string, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := lockUser(ctx, tx, user); err != nil {
			return err
		}
		var live bool
		err := tx.GetContext(ctx, &live, `SELECT true FROM sessions WHERE user_id = $1 AND id = $2 FOR KEY SHARE`, user, session)
		if errors.Is(err, stdsql.ErrNoRows) {
			return passkey.ErrUnauthenticated
		}
		if err != nil {
			return failed("lock session", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
			return failed("delete recovery codes", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM directory WHERE user_id = $1 AND kind = $2`, user, recoveryKey); err != nil {
			return failed("delete recovery codes", err)
		}
		entries := make([]listing, len(codes))
		for i, code := range codes {
			entries[i] = listing{recoveryKey, code.Lookup}
		}
		mine, err := enter(ctx, tx, user, entries...)
		if err == nil && !mine {
			err = passkey.ErrConflict
		}
		if err != nil {
			return err
		}
		for _, code := range codes {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO recovery_codes (user_id, lookup, secret_hash, created_at) VALUES ($1, $2, $3, $4)`,
				user, code.Lookup, code.SecretHash, entry.At)
			if isUnique(err, "recovery_codes_pkey") {
				return passkey.ErrConflict
			}
			if err != nil {
				return failed("insert recovery code", err)
			}
		}
		return insertEntry(ctx, tx, entry)
	})
}

// RecoveryCodes implements [passkey.CodeStore].
func (p *Passkeys) RecoveryCodes(ctx context.Context, user passkey.UserID) (passkey.RecoveryCodes, error) {
	var row struct {
		Left      int
		CreatedAt *time.Time `db:"created_at"`
	}
	err := p.db.GetContext(ctx, &row, `SELECT count(*) AS left, max(created_at) AS created_at FROM recovery_codes WHERE user_id = $1`, user)
	if err != nil {
		return passkey.RecoveryCodes{}, failed("count recovery codes", err)
	}
	return passkey.RecoveryCodes{Left: row.Left, CreatedAt: utc(row.CreatedAt)}, nil
}

// RecoveryCode implements [passkey.CodeStore].
func (p *Passkeys) RecoveryCode(ctx context.Context, lookup string) (passkey.User, string, error) {
	var row struct {
		SecretHash string `db:"secret_hash"`
		userRow
	}
	err := p.db.GetContext(ctx, &row, `
		SELECT c.secret_hash, `+userColumns+` FROM recovery_codes c JOIN users u ON u.id = c.user_id 
		WHERE c.user_id = `+ownerOf(recoveryKey, "$1")+` AND c.lookup = $1`, lookup)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.User{}, "", passkey.ErrNotFound
	}
	if err != nil {
		return passkey.User{}, "", failed("select recovery code", err)
	}
	return row.user(), row.SecretHash, nil
}

// spend deletes the user's one-time code. It returns passkey.ErrCeremony if there is no such code at now.
func spend(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, code passkey.CodeKey, now time.Time) error {
	if code.Kind != passkey.RecoveryCode {
		n, err := deleteLinks(ctx, tx, `user_id = $1 AND code_hash = $2 AND kind = $3 AND expires_at > $4`, user, code.Hash, code.Kind, now)
		if err == nil && n == 0 {
			return passkey.ErrCeremony
		}
		return err
	}
	result, err := tx.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND lookup = $2`, user, code.Lookup)
	none, err := affectedNone(result, failed("spend code", err))
	if err == nil && none {
		return passkey.ErrCeremony
	}
	if err != nil {
		return err
	}
	return leave(ctx, tx, listing{recoveryKey, code.Lookup})
}
