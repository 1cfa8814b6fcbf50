package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"holdfast/entitlements"
	"holdfast/entitlements/ledger"
)

// mattering is true for a device that still matters at $2: one that is linked, or that was removed but may have a live
// document.
const mattering = `(removed_at IS NULL OR document_bound > $2)`

const deviceColumns = `id, name, jkt, linked_at, last_reconciled_at, document_bound, document_revision, removed_at IS NOT NULL AS removed,
	place, lineage_n, encode(lineage_parent, 'hex') AS lineage_parent, forked_at IS NOT NULL AS forked,
	ledger_seq, coalesce(encode(ledger_hash, 'hex'), '') AS ledger_hash, status_list, status_idx`

// EveryDevice implements [entitlements.Store].
func (s *Entitlements) EveryDevice(ctx context.Context, user entitlements.UserID) ([]entitlements.Device, error) {
	var rows []deviceRow
	err := s.db.SelectContext(ctx, &rows, `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 ORDER BY linked_at, id`, user)
	if err != nil {
		return nil, failed("read devices", err)
	}
	return devicesOf(rows)
}

// DeviceByKey implements [entitlements.Store].
func (s *Entitlements) DeviceByKey(ctx context.Context, jkt string) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, deviceKeyKey, `jkt`, jkt)
}

// DeviceByID implements [entitlements.Store].
func (s *Entitlements) DeviceByID(ctx context.Context, id entitlements.DeviceID) (entitlements.UserID, entitlements.Device, error) {
	return s.device(ctx, deviceKey, `id::text`, string(id))
}

func (s *Entitlements) device(ctx context.Context, kind, column, key string) (entitlements.UserID, entitlements.Device, error) {
	var row struct {
		UserID entitlements.UserID `db:"user_id"`
		deviceRow
	}
	owner, args := ownerOf(kind, "$1"), []any{key}
	if distributed(s.db) { // a user who is known in advance is on one node
		user, err := s.user(ctx, `SELECT user_id FROM directory WHERE kind = '`+kind+`' AND key = $1`, key)
		if errors.Is(err, entitlements.ErrNotFound) {
			return "", entitlements.Device{}, entitlements.ErrDeviceUnknown
		}
		if err != nil {
			return "", entitlements.Device{}, err
		}
		owner, args = `$2::uuid`, append(args, user)
	}
	err := s.db.GetContext(ctx, &row, `SELECT user_id, `+deviceColumns+` FROM devices WHERE user_id = `+owner+` AND `+column+` = $1`, args...)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", entitlements.Device{}, entitlements.ErrDeviceUnknown
	}
	if err != nil {
		return "", entitlements.Device{}, failed("read device", err)
	}
	device, err := row.device()
	return row.UserID, device, err
}

func linkDevice(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, revision int64, device entitlements.Device) error {
	index, err := allotIndices(ctx, tx, 1)
	if err != nil {
		return err
	}
	mine, err := enter(ctx, tx, user, listing{deviceKey, string(device.ID)}, listing{deviceKeyKey, device.JKT})
	if err == nil && !mine {
		err = fmt.Errorf("%w: the device key is in use", entitlements.ErrConflict)
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO devices (user_id, id, name, jkt, linked_at, revision, status_list, status_idx)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		user, device.ID, device.Name, device.JKT, device.LinkedAt, revision, index[0].List, index[0].Idx)
	if violated := (*pq.Error)(nil); errors.As(err, &violated) && violated.Code == pqerror.UniqueViolation {
		return fmt.Errorf("%w: the device key is in use", entitlements.ErrConflict)
	}
	return failed("link device", err)
}

func changeLineage(ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, at time.Time, c entitlements.LineageChange) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE devices SET lineage_n = $3, lineage_parent = $4, forked_at = CASE WHEN $5 THEN coalesce(forked_at, $6) END,
			ledger_seq = $7, ledger_hash = $8, document_bound = greatest(document_bound, $9)
		WHERE user_id = $1 AND id = $2`,
		user, c.Device, c.Lineage.N, c.Lineage.Parent[:], c.Lineage.Forked, at, c.Ledger.Seq, headHash(c.Ledger), c.DocumentExpiresAt)
	return failed("change lineage", err)
}

// headHash returns the hash of a ledger's head; nil before the first entry.
func headHash(head ledger.Head) []byte {
	if head.Seq == 0 {
		return nil
	}
	return head.Hash[:]
}

type deviceRow struct {
	ID               entitlements.DeviceID `json:"id"`
	Name             string                `json:"name"`
	JKT              string                `json:"jkt"`
	LinkedAt         time.Time             `json:"linked_at" db:"linked_at"`
	LastReconciledAt *time.Time            `json:"last_reconciled_at" db:"last_reconciled_at"`
	DocumentBound    *time.Time            `json:"document_bound" db:"document_bound"`
	DocumentRevision *int64                `json:"document_revision" db:"document_revision"`
	Removed          bool                  `json:"removed"`
	Place            entitlements.Place    `json:"place"`
	LineageN         int64                 `json:"lineage_n" db:"lineage_n"`
	LineageParent    string                `json:"lineage_parent" db:"lineage_parent"` // in hexadecimal
	Forked           bool                  `json:"forked"`
	LedgerSeq        int64                 `json:"ledger_seq" db:"ledger_seq"`
	LedgerHash       string                `json:"ledger_hash" db:"ledger_hash"` // in hexadecimal; empty if LedgerSeq is 0
	StatusList       int                   `json:"status_list" db:"status_list"`
	StatusIndex      int                   `json:"status_idx" db:"status_idx"`
}

func (r deviceRow) device() (entitlements.Device, error) {
	d := entitlements.Device{
		ID: r.ID, Name: r.Name, JKT: r.JKT, LinkedAt: r.LinkedAt.UTC(), LastReconciledAt: utc(r.LastReconciledAt),
		DocumentExpiresAt: utc(r.DocumentBound), DocumentRevision: r.DocumentRevision, Removed: r.Removed, Place: r.Place,
		Lineage: entitlements.Lineage{N: r.LineageN, Forked: r.Forked}, Ledger: ledger.Head{Seq: r.LedgerSeq},
		StatusList: r.StatusList, StatusIndex: r.StatusIndex,
	}
	_, parent := hex.Decode(d.Lineage.Parent[:], []byte(r.LineageParent))
	_, hash := hex.Decode(d.Ledger.Hash[:], []byte(r.LedgerHash))
	if err := errors.Join(parent, hash); err != nil {
		return entitlements.Device{}, fmt.Errorf("read device: %w", err)
	}
	return d, nil
}

func devicesOf(rows []deviceRow) ([]entitlements.Device, error) {
	devices := make([]entitlements.Device, 0, len(rows))
	for _, row := range rows {
		device, err := row.device()
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, nil
}
