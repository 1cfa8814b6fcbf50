package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/vault"
)

// keyRow is a content key; Wrapped is base64 within JSON.
type keyRow struct {
	UserID  string    `json:"user_id" db:"user_id"`
	Feature string    `json:"feature"`
	Epoch   int64     `json:"epoch"`
	KeyID   string    `json:"key_id" db:"key_id"`
	Wrapped []byte    `json:"wrapped"`
	MadeAt  time.Time `json:"made_at" db:"made_at"`
}

const keyColumns = `epoch, key_id, replace(encode(wrapped, 'base64'), chr(10), '') AS wrapped, made_at`

func (r keyRow) contentKey() entitlements.ContentKey {
	return entitlements.ContentKey{
		Feature: r.Feature, Epoch: r.Epoch, Wrapped: vault.Wrapped{KeyID: r.KeyID, Text: r.Wrapped}, MadeAt: r.MadeAt.UTC(),
	}
}

// ContentKeys implements [entitlements.Store].
func (s *Entitlements) ContentKeys(ctx context.Context, user entitlements.UserID) (entitlements.ContentKeys, error) {
	var row struct {
		Epoch int64 `db:"vault_epoch"`
		Own   jsonColumn[[]keyRow]
		Packs jsonColumn[[]keyRow]
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT u.vault_epoch,
			(SELECT coalesce(json_agg(k ORDER BY k.epoch), '[]')
				FROM (SELECT $2::text AS feature, `+keyColumns+` FROM vault_keys WHERE user_id = $1) k) AS own,
			(SELECT coalesce(json_agg(k ORDER BY k.feature, k.epoch), '[]')
				FROM (SELECT feature, `+keyColumns+` FROM pack_keys) k) AS packs
		FROM users u WHERE u.id = $1`, user, entitlements.VaultFeature)
	if errors.Is(err, stdsql.ErrNoRows) {
		return entitlements.ContentKeys{}, entitlements.ErrNotFound
	}
	if err != nil {
		return entitlements.ContentKeys{}, failed("read content keys", err)
	}
	keys := entitlements.ContentKeys{Epoch: row.Epoch}
	for _, each := range append(row.Own.V, row.Packs.V...) {
		keys.Keys = append(keys.Keys, each.contentKey())
	}
	return keys, nil
}

// PutVaultKey implements [entitlements.Store].
func (s *Entitlements) PutVaultKey(ctx context.Context, user entitlements.UserID, key entitlements.ContentKey) (entitlements.ContentKey, error) {
	err := transact(ctx, s.db, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO vault_keys (user_id, epoch, key_id, wrapped, made_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			user, key.Epoch, key.Wrapped.KeyID, key.Wrapped.Text, key.MadeAt)
		return failed("store content key", err)
	})
	if err != nil {
		return entitlements.ContentKey{}, err
	}
	var row keyRow
	err = s.db.GetContext(ctx, &row, `SELECT $3::text AS feature, epoch, key_id, wrapped, made_at FROM vault_keys WHERE user_id = $1 AND epoch = $2`,
		user, key.Epoch, key.Feature)
	if err != nil {
		return entitlements.ContentKey{}, failed("read content key", err)
	}
	return row.contentKey(), nil
}

// PackKeys implements [entitlements.Store].
func (s *Entitlements) PackKeys(ctx context.Context, feature string) ([]entitlements.ContentKey, error) {
	var rows []keyRow
	err := s.db.SelectContext(ctx, &rows, `
		SELECT feature, epoch, key_id, wrapped, made_at FROM pack_keys WHERE feature = $1 ORDER BY epoch`, feature)
	if err != nil {
		return nil, failed("read pack keys", err)
	}
	var keys []entitlements.ContentKey
	for _, row := range rows {
		keys = append(keys, row.contentKey())
	}
	return keys, nil
}

// PutPackKey implements [entitlements.Store].
func (s *Entitlements) PutPackKey(ctx context.Context, key entitlements.ContentKey, entry entitlements.AuditEntry) error {
	return transact(ctx, s.db, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO pack_keys (feature, epoch, key_id, wrapped, made_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			key.Feature, key.Epoch, key.Wrapped.KeyID, key.Wrapped.Text, key.MadeAt)
		none, err := affectedNone(result, failed("store pack key", err))
		if err != nil {
			return err
		}
		if none {
			return entitlements.ErrConflict
		}
		return audit(ctx, tx, entry)
	})
}

var _ entitlements.WrappedKeys = (*Entitlements)(nil)

const allKeys = `(SELECT user_id::text AS user_id, 'vault' AS feature, epoch, key_id, wrapped, made_at FROM vault_keys
	UNION ALL SELECT '', feature, epoch, key_id, wrapped, made_at FROM pack_keys) AS k`

// NotWrappedBy implements [entitlements.WrappedKeys].
func (s *Entitlements) NotWrappedBy(ctx context.Context, keyID string, limit int) ([]entitlements.OwnedKey, error) {
	var rows []keyRow
	if err := s.db.SelectContext(ctx, &rows, `SELECT * FROM `+allKeys+` WHERE key_id <> $1 LIMIT $2`, keyID, limit); err != nil {
		return nil, failed("read content keys", err)
	}
	keys := make([]entitlements.OwnedKey, len(rows))
	for i, row := range rows {
		keys[i] = entitlements.OwnedKey{User: entitlements.UserID(row.UserID), ContentKey: row.contentKey()}
	}
	return keys, nil
}

// WrappedBy implements [entitlements.WrappedKeys].
func (s *Entitlements) WrappedBy(ctx context.Context, keyID string) (n int, err error) {
	err = s.db.GetContext(ctx, &n, `SELECT count(*) FROM `+allKeys+` WHERE key_id = $1`, keyID)
	return n, failed("count content keys", err)
}

// Rewrap implements [entitlements.WrappedKeys].
func (s *Entitlements) Rewrap(ctx context.Context, key entitlements.OwnedKey, wrapped vault.Wrapped) (err error) {
	if key.User != "" {
		_, err = s.db.ExecContext(ctx, `
			UPDATE vault_keys SET key_id = $4, wrapped = $5 WHERE user_id = $1 AND epoch = $2 AND key_id = $3`,
			key.User, key.Epoch, key.Wrapped.KeyID, wrapped.KeyID, wrapped.Text)
	} else {
		_, err = s.db.ExecContext(ctx, `
			UPDATE pack_keys SET key_id = $4, wrapped = $5 WHERE feature = $1 AND epoch = $2 AND key_id = $3`,
			key.Feature, key.Epoch, key.Wrapped.KeyID, wrapped.KeyID, wrapped.Text)
	}
	return failed("rewrap content key", err)
}
