package sql

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// readStanding returns a row for each subscription, or one row with zero values if there is none. It selects only what a
// reconcile is judged by. JSON, as in the rarer reads of an account, would cost half as much again.
const readStanding = `
	SELECT coalesce(u.external_id, ''), u.revision, u.actions, u.trial_started_at IS NOT NULL, d.document_revision, d.removed_at IS NOT NULL,
		d.lineage_n, d.lineage_parent, d.forked_at IS NOT NULL, d.ledger_seq, d.ledger_hash, d.status_list, d.status_idx,
		ARRAY(SELECT translate(encode(k.credential_id, 'base64'), E'+/=\n', '-_') || ' ' || k.public_jwk
			FROM passkeys k WHERE k.user_id = $1 AND k.rp_id = $4),
		coalesce(s.id, ''), coalesce(s.plan, ''), coalesce(s.state, ''), coalesce(s.paid_through, 'epoch'), coalesce(s.ends, false),
		coalesce(s.revoked, false), coalesce(s.suspended, false), coalesce(s.disputes, '[]'),
		coalesce(s.withdrawn_at, '0001-01-01Z'), coalesce(s.created_at, 'epoch'), coalesce(s.updated_at, 'epoch'),
		coalesce(p.features, '{}'), p.window_seconds, coalesce(p.grace_seconds, 0), coalesce(p.device_limit, 0), coalesce(p.rank, 0)
	FROM devices d JOIN users u ON u.id = d.user_id
	LEFT JOIN (subscriptions s JOIN plans p ON p.id = s.plan) ON s.user_id = d.user_id
	WHERE d.user_id = $1 AND d.id = $2 AND d.jkt = $3`

// Standing implements [entitlements.Store].
func (s *Entitlements) Standing(
	ctx context.Context, user entitlements.UserID, device entitlements.DeviceID, jkt, rpID string,
) (entitlements.Standing, error) {
	standing := entitlements.Standing{
		Account: entitlements.Account{User: user, Plans: map[entitlements.PlanID]entitlements.Plan{}},
		Device:  entitlements.Device{ID: device, JKT: jkt},
	}
	rows, err := s.standing.QueryContext(brief(ctx), user, device, jkt, rpID)
	if err != nil {
		return entitlements.Standing{}, failed("read standing", err)
	}
	defer rows.Close()
	account, d := &standing.Account, &standing.Device
	var passkeys pq.StringArray
	for rows.Next() {
		sub, plan := subscriptionRow{User: user}, planRow{}
		var parent, hash []byte
		if err := rows.Scan(&account.ExternalID, &account.Revision, &account.Actions, &account.TrialStarted, &d.DocumentRevision, &d.Removed,
			&d.Lineage.N, &parent, &d.Lineage.Forked, &d.Ledger.Seq, &hash, &d.StatusList, &d.StatusIndex, &passkeys,
			&sub.ID, &sub.Plan, &sub.State, &sub.PaidThrough, &sub.Ends, &sub.Revoked, &sub.Suspended, &sub.Disputes,
			&sub.WithdrawnAt, &sub.CreatedAt, &sub.UpdatedAt,
			&plan.Features, &plan.Window, &plan.Grace, &plan.DeviceLimit, &plan.Rank); err != nil {
			return entitlements.Standing{}, failed("read standing", err)
		}
		copy(d.Lineage.Parent[:], parent)
		copy(d.Ledger.Hash[:], hash)
		if sub.ID != "" {
			plan.ID = sub.Plan
			account.Subscriptions = append(account.Subscriptions, sub.subscription())
			account.Plans[sub.Plan] = plan.plan()
		}
	}
	switch err := rows.Err(); {
	case err != nil:
		return entitlements.Standing{}, failed("read standing", err)
	case passkeys == nil: // no row
		return entitlements.Standing{}, entitlements.ErrDeviceUnknown
	}
	slices.SortFunc(account.Subscriptions, func(a, b entitlements.Subscription) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	slices.Sort(passkeys) // the document's digest depends on their order
	for _, passkey := range passkeys {
		id, jwk, _ := strings.Cut(passkey, " ")
		standing.Passkeys = append(standing.Passkeys, entitlements.OfflinePasskey{ID: id, JWK: []byte(jwk)})
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
	if step.Ledger != nil {
		return s.stepWithLedger(ctx, read, step)
	}
	return s.storeStep(ctx, s.step, read, step)
}

func (s *Entitlements) storeStep(ctx context.Context, statement *sqlx.Stmt, read entitlements.Standing, step entitlements.Step) (bool, error) {
	held := read.Device
	result, err := statement.ExecContext(brief(ctx), read.Account.User, held.ID, read.Account.Revision, held.Lineage.N, held.Lineage.Parent[:],
		held.Lineage.Forked, held.Removed, step.Lineage.N, step.Lineage.Parent[:], step.DocumentExpiresAt, step.DocumentRevision,
		step.ReconciledAt)
	none, err := affectedNone(result, failed("store step", err))
	return err == nil && !none, err
}
