package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

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
