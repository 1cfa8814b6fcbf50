package sql

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// readStanding returns a row for each subscription, with zero values for what is missing. One of them is repeated for each
// passkey, so that the numbers add up and do not multiply. JSON, as in the rarer reads of an account, would cost half as
// much again.
const readStanding = `
	SELECT u.id AS user_id, u.revision, u.trial_started_at IS NOT NULL AS trial_started, d.*,
		coalesce(s.id, '') AS "subscription.id", coalesce(s.plan, '') AS "subscription.plan",
		coalesce(s.state, '') AS "subscription.state", coalesce(s.paid_through, 'epoch') AS "subscription.paid_through",
		coalesce(s.ends, false) AS "subscription.ends", coalesce(s.revoked, false) AS "subscription.revoked",
		coalesce(s.suspended, false) AS "subscription.suspended", coalesce(s.disputes, '[]') AS "subscription.disputes",
		coalesce(s.withdrawn_at, '0001-01-01Z') AS "subscription.withdrawn_at",
		coalesce(s.created_at, 'epoch') AS "subscription.created_at", coalesce(s.updated_at, 'epoch') AS "subscription.updated_at",
		coalesce(p.id, '') AS "plan.id", coalesce(p.features, '{}') AS "plan.features", p.window_seconds AS "plan.window_seconds",
		coalesce(p.grace_seconds, 0) AS "plan.grace_seconds", coalesce(p.device_limit, 0) AS "plan.device_limit",
		coalesce(p.rank, 0) AS "plan.rank",
		k.credential_id, k.public_jwk, coalesce(k.created_at, 'epoch') AS passkey_created_at
	FROM users u CROSS JOIN (SELECT ` + deviceColumns + ` FROM devices WHERE user_id = $1 AND id = $2 AND jkt = $3) d
	LEFT JOIN (subscriptions s JOIN plans p ON p.id = s.plan) ON s.user_id = u.id
	LEFT JOIN passkeys k ON k.user_id = u.id AND k.rp_id = $4
		AND s.id IS NOT DISTINCT FROM (SELECT min(id) FROM subscriptions WHERE user_id = $1)
	WHERE u.id = $1`

// standingRow is a row of readStanding.
type standingRow struct {
	accountRow
	deviceRow
	Subscription     subscriptionRow
	Plan             planRow
	CredentialID     []byte    `db:"credential_id"`
	PublicJWK        []byte    `db:"public_jwk"`
	PasskeyCreatedAt time.Time `db:"passkey_created_at"`
}

// Standing implements [entitlements.Store].
func (s *Entitlements) Standing(
	ctx context.Context, user entitlements.UserID, device entitlements.DeviceID, jkt, rpID string,
) (entitlements.Standing, error) {
	var rows []standingRow
	if err := s.standing.SelectContext(ctx, &rows, user, device, jkt, rpID); err != nil {
		return entitlements.Standing{}, failed("read standing", err)
	}
	if len(rows) == 0 {
		return entitlements.Standing{}, entitlements.ErrDeviceUnknown
	}
	slices.SortFunc(rows, func(a, b standingRow) int {
		return cmp.Or(
			a.Subscription.CreatedAt.Compare(b.Subscription.CreatedAt), cmp.Compare(a.Subscription.ID, b.Subscription.ID),
			a.PasskeyCreatedAt.Compare(b.PasskeyCreatedAt), bytes.Compare(a.CredentialID, b.CredentialID))
	})
	standing := entitlements.Standing{Account: rows[0].account()}
	for i, row := range rows {
		if sub := row.Subscription; sub.ID != "" && (i == 0 || sub.ID != rows[i-1].Subscription.ID) {
			sub.User = user
			standing.Account.Subscriptions = append(standing.Account.Subscriptions, sub.subscription())
			standing.Account.Plans[sub.Plan] = row.Plan.plan()
		}
		if row.CredentialID != nil {
			standing.Passkeys = append(standing.Passkeys, entitlements.OfflinePasskey{ID: jose.EncodeBase64(row.CredentialID), JWK: row.PublicJWK})
		}
	}
	var err error
	standing.Device, err = rows[0].device()
	return standing, err
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
