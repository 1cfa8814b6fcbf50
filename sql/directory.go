package sql

import (
	"context"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements/jose"
)

// Kinds of keys in the directory.
const (
	subscriptionKey = "subscription"  // its id
	deviceKey       = "device"        // its id
	deviceKeyKey    = "device key"    // the thumbprint
	passkeyKey      = "passkey"       // the relying party and the credential id
	linkKey         = "link"          // the hash of its code, in hexadecimal
	recoveryKey     = "recovery code" // its lookup
	externalKey     = "external id"
)

// listing is a key that at most one user may have.
type listing struct{ kind, key string }

func passkeyListing(rpID string, id []byte) listing {
	return listing{passkeyKey, rpID + " " + jose.EncodeBase64(id)}
}

// ownerOf returns an SQL expression for the user who has a key.
func ownerOf(kind, key string) string {
	return `(SELECT user_id FROM directory WHERE kind = '` + kind + `' AND key = ` + key + `)`
}

// enter assigns keys to the user in the directory. It returns false if another user has one of them; the transaction must
// then not be committed.
func enter[U ~string](ctx context.Context, tx *sqlx.Tx, user U, entries ...listing) (bool, error) {
	kinds, keys := make([]string, len(entries)), make([]string, len(entries))
	for i, e := range entries {
		kinds[i], keys[i] = e.kind, e.key
	}
	var mine bool
	err := tx.GetContext(ctx, &mine, `
		WITH entered AS (
			INSERT INTO directory AS d (kind, key, user_id) SELECT DISTINCT kind, key, $3::uuid FROM unnest($1::text[], $2::text[]) AS e (kind, key)
			ON CONFLICT (kind, key) DO UPDATE SET user_id = d.user_id RETURNING user_id
		)
		SELECT bool_and(user_id = $3) FROM entered`, pq.Array(kinds), pq.Array(keys), user)
	return mine, failed("enter keys", err)
}

// leave removes a key from the directory.
func leave(ctx context.Context, tx *sqlx.Tx, e listing) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM directory WHERE kind = $1 AND key = $2`, e.kind, e.key)
	return failed("leave directory", err)
}
