package sql

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
)

// MarkKeyset implements [entitlements.Store].
func (s *Entitlements) MarkKeyset(ctx context.Context, keyset entitlements.ServedKeyset, roots entitlements.Roots) error {
	return transact(ctx, s.db, func(tx *sqlx.Tx) error {
		if err := lockKeysets(ctx, tx); err != nil {
			return err
		}
		served, err := servedKeysets(ctx, tx)
		if err != nil {
			return err
		}
		if err := keyset.Follows(served, roots); err != nil {
			return err
		}
		return storeKeyset(ctx, tx, keyset)
	})
}

// ServedKeysets returns the keysets that the database remembers, one per root, in the order of the roots.
func (s *Entitlements) ServedKeysets(ctx context.Context) ([]entitlements.ServedKeyset, error) {
	return servedKeysets(ctx, s.db)
}

func servedKeysets(ctx context.Context, db sqlx.QueryerContext) ([]entitlements.ServedKeyset, error) {
	var served []entitlements.ServedKeyset
	err := sqlx.SelectContext(ctx, db, &served, `SELECT root, version, issuer, digest FROM keyset_marks ORDER BY place`)
	return served, failed("read keyset marks", err)
}

// AdoptKeyset makes keyset the only one that the database at url remembers, if [entitlements.ServedKeyset.Adopt] agrees,
// and audits that. The login in url must be the owner.
func AdoptKeyset(ctx context.Context, url string, keyset entitlements.ServedKeyset, actor string, at time.Time) error {
	db, err := connectToSchema(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	return transact(ctx, db, func(tx *sqlx.Tx) error {
		if err := lockKeysets(ctx, tx); err != nil {
			return err
		}
		served, err := servedKeysets(ctx, tx)
		if err != nil {
			return err
		}
		entry, err := keyset.Adopt(served, actor, at)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM keyset_marks`)
		if err != nil {
			return failed("delete keyset marks", err)
		}
		if err := storeKeyset(ctx, tx, keyset); err != nil {
			return err
		}
		return audit(ctx, tx, entry)
	})
}

// lockKeysets serialises replicas that take a keyset, which happens a few times a year.
func lockKeysets(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `LOCK TABLE keyset_marks IN SHARE ROW EXCLUSIVE MODE`)
	return failed("lock keyset marks", err)
}

func storeKeyset(ctx context.Context, tx *sqlx.Tx, keyset entitlements.ServedKeyset) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO keyset_marks (root, version, issuer, digest) VALUES ($1, $2, $3, $4)
		ON CONFLICT (root) DO UPDATE SET version = excluded.version, issuer = excluded.issuer, digest = excluded.digest`,
		keyset.Root, keyset.Version, keyset.Issuer, keyset.Digest)
	return failed("store keyset mark", err)
}
