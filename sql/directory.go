package sql

import (
	"context"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements/jose"
)

// The kinds of keys in the directory.
const (
	subscriptionKey = "subscription"  // its id
	deviceKey       = "device"        // its id
	deviceKeyKey    = "device key"    // the thumbprint
	passkeyKey      = "passkey"       // the relying party and the credential id
	linkKey         = "link"          // the hash of its code, hexadecimal
	recoveryKey     = "recovery code" // its lookup
	externalKey     = "external id"
)

// listing is a key that no two users can have.
type listing struct{ kind, key string }

func passkeyListing(rpID string, id []byte) listing {
	return listing{passkeyKey, rpID + " " + jose.EncodeBase64(id)}
}

// ownerOf is the user who has a key, as an expression.
func ownerOf(kind, key string) string {
	return `(SELECT user_id FROM directory WHERE kind = '` + kind + `' AND key = ` + key + `)`
}

// enter puts keys into the directory that become the user's. It returns false where another user has one; then the
// transaction must not be committed.
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

// leave takes a key out of the directory.
func leave(ctx context.Context, tx *sqlx.Tx, e listing) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM directory WHERE kind = $1 AND key = $2`, e.kind, e.key)
	return failed("leave directory", err)
}
