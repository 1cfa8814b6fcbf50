package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/passkey"
)

// tokenRow is a row of admin_tokens without the hash.
type tokenRow struct {
	ID        string
	Name      string
	Scopes    pq.StringArray
	CreatedAt time.Time  `db:"created_at"`
	ExpiresAt *time.Time `db:"expires_at"`
	RevokedAt *time.Time `db:"revoked_at"`
}

const tokenColumns = `id, name, scopes, created_at, expires_at, revoked_at`

func (r tokenRow) token() passkey.Token {
	scopes := make([]passkey.Scope, len(r.Scopes))
	for i, scope := range r.Scopes {
		scopes[i] = passkey.Scope(scope)
	}
	return passkey.Token{
		ID:        r.ID,
		Name:      r.Name,
		Scopes:    scopes,
		CreatedAt: r.CreatedAt.UTC(),
		ExpiresAt: utc(r.ExpiresAt),
		RevokedAt: utc(r.RevokedAt),
	}
}

// CreateToken implements [passkey.TokenStore].
func (p *Passkeys) CreateToken(ctx context.Context, token passkey.Token, hash []byte, entry passkey.AuditEntry) error {
	scopes := make(pq.StringArray, len(token.Scopes))
	for i, scope := range token.Scopes {
		scopes[i] = string(scope)
	}
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO admin_tokens (id, name, token_hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			token.ID, token.Name, hash, scopes, token.CreatedAt, token.ExpiresAt); err != nil {
			return failed("insert token", err)
		}
		return insertEntry(ctx, tx, entry)
	})
}

// Tokens implements [passkey.TokenStore].
func (p *Passkeys) Tokens(ctx context.Context) ([]passkey.Token, error) {
	return list(ctx, p.db, "select tokens", tokenRow.token, `SELECT `+tokenColumns+` FROM admin_tokens ORDER BY created_at, id`)
}

// RevokeToken implements [passkey.TokenStore].
func (p *Passkeys) RevokeToken(ctx context.Context, id string, entry passkey.AuditEntry) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		revoked, err := tx.ExecContext(ctx, `UPDATE admin_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, entry.At)
		none, err := affectedNone(revoked, failed("update token", err))
		if err != nil {
			return err
		}
		if !none {
			return insertEntry(ctx, tx, entry)
		}
		var exists bool
		if err := tx.GetContext(ctx, &exists, `SELECT EXISTS (SELECT FROM admin_tokens WHERE id = $1)`, id); err != nil {
			return failed("select token", err)
		}
		if !exists {
			return passkey.ErrNotFound
		}
		return nil
	})
}

// Token implements [passkey.TokenStore].
func (p *Passkeys) Token(ctx context.Context, hash []byte, now time.Time) (passkey.Token, error) {
	var row tokenRow
	err := p.db.GetContext(ctx, &row, `
		SELECT `+tokenColumns+` FROM admin_tokens
		WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`, hash, now)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.Token{}, passkey.ErrUnauthenticated
	}
	if err != nil {
		return passkey.Token{}, failed("select token", err)
	}
	return row.token(), nil
}
