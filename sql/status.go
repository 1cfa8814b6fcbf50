package sql

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
)

// StatusChanges implements [entitlements.Store].
func (s *Entitlements) StatusChanges(ctx context.Context, since entitlements.StatusMark) (entitlements.StatusChanges, error) {
	// The changes are read before the lists: what is committed in between is in the lists, and read again next time.
	var seen []struct {
		ID   string
		List int64
	}
	if err := s.db.SelectContext(ctx, &seen, `SELECT id, list FROM status_changes ORDER BY at, id`); err != nil {
		return entitlements.StatusChanges{}, failed("read status changes", err)
	}
	var mark entitlements.StatusMark
	known := make(map[string]bool, len(since))
	for _, id := range since {
		known[id] = true
	}
	lists := pq.Int64Array{} // to read; nil for all
	for _, change := range seen {
		mark = append(mark, change.ID)
		if !known[change.ID] {
			lists = append(lists, change.List)
		}
	}
	// The newest change is never swept: where it is missing, others may be, too.
	if len(since) == 0 || !slices.Contains(mark, since[len(since)-1]) {
		lists = nil
	}
	var count int
	if err := s.db.GetContext(ctx, &count, `SELECT coalesce(max(list) + 1, 0) FROM status_entries`); err != nil {
		return entitlements.StatusChanges{}, failed("count status lists", err)
	}
	var rows []struct {
		List    int
		Entries []byte
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT l.list, (SELECT coalesce(string_agg(int4send(e.idx) || int2send(e.status), ''), '')
			FROM status_entries e WHERE e.list = l.list AND e.status <> 0) AS entries
		FROM generate_series(0, $1 - 1) AS l (list) WHERE $2::int[] IS NULL OR l.list = ANY($2)`, count, lists)
	if err != nil {
		return entitlements.StatusChanges{}, failed("read status lists", err)
	}
	changes := entitlements.StatusChanges{Count: count, Lists: make(map[int][]entitlements.StatusEntry, len(rows)), Mark: mark}
	for _, row := range rows {
		if changes.Lists[row.List], err = statusEntries(row.Entries); err != nil {
			return entitlements.StatusChanges{}, failed("read status lists", err)
		}
	}
	return changes, nil
}

// statusEntries unpacks entries that were read as one value. Reading a hundred thousand rows would take ten times as long.
func statusEntries(packed []byte) ([]entitlements.StatusEntry, error) {
	const size = 6 // an int4 and an int2
	if len(packed)%size != 0 {
		return nil, errors.New("cut short")
	}
	entries := make([]entitlements.StatusEntry, 0, len(packed)/size)
	for ; len(packed) > 0; packed = packed[size:] {
		entries = append(entries, entitlements.StatusEntry{
			Index: int(binary.BigEndian.Uint32(packed)), Status: entitlements.Status(binary.BigEndian.Uint16(packed[4:])),
		})
	}
	return entries, nil
}

// setStatuses sets the status of the devices d that meet the condition, whose arguments begin at $2, records and announces
// the change. INVALID is final, and no later document with features gets the index. It returns the devices whose status has
// changed.
func setStatuses(
	ctx context.Context, tx *sqlx.Tx, status entitlements.Status, condition string, args ...any,
) (changed []string, err error) {
	// The function depends on the row, and so is not called where there is none.
	err = tx.SelectContext(ctx, &changed, `
		WITH changed AS (
			UPDATE status_entries e SET status = $1, ended_at = CASE $1 WHEN 1 THEN greatest(now(), d.document_bound) END
			FROM devices d
			WHERE e.list = d.status_list AND e.idx = d.status_idx AND e.status NOT IN ($1, 1) AND `+condition+`
			RETURNING d.id, e.list
		), recorded AS (
			INSERT INTO status_changes (list) SELECT DISTINCT list FROM changed
		)
		SELECT id FROM changed, pg_notify('`+statusChannel+`', left(id::text, 0))`, append([]any{status}, args...)...)
	return changed, failed("set status", err)
}

// setStatus sets the status of a device's index. After INVALID, which is final, a device that may still get features gets a
// new index.
func setStatus(
	ctx context.Context, tx *sqlx.Tx, user entitlements.UserID, device entitlements.DeviceID, status entitlements.Status,
) error {
	if _, err := setStatuses(ctx, tx, status, `d.user_id = $2 AND d.id = $3`, user, device); err != nil {
		return err
	}
	if status != entitlements.StatusInvalid {
		return nil
	}
	var stays bool
	err := tx.GetContext(ctx, &stays, `
		SELECT removed_at IS NULL AND forked_at IS NULL FROM devices WHERE user_id = $1 AND id = $2`, user, device)
	if err != nil || !stays {
		return failed("read device", err)
	}
	index, err := allotIndices(ctx, tx, 1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE devices SET status_list = $3, status_idx = $4 WHERE user_id = $1 AND id = $2`,
		user, device, index[0].List, index[0].Idx)
	return failed("allot status index", err)
}

// allotIndices allots n random indices of the newest list. If eight attempts in a row find only taken indices, or one
// attempt at many finds most of them taken, the list is considered full and a new one begins.
func allotIndices(ctx context.Context, tx *sqlx.Tx, n int) ([]statusIndex, error) {
	indices := make([]statusIndex, 0, n)
	for misses := 0; len(indices) < n; {
		var free []statusIndex
		wanted := n - len(indices)
		err := tx.SelectContext(ctx, &free, `
			INSERT INTO status_entries (list, idx)
			SELECT newest.list + $1::int, floor(random() * 1048576)::int
			FROM (SELECT coalesce(max(list), 0) AS list FROM status_entries) newest, generate_series(1, $2::int)
			ON CONFLICT DO NOTHING RETURNING list, idx`, misses/8, wanted)
		if err != nil {
			return nil, failed("allot status index", err)
		}
		switch indices = append(indices, free...); {
		case len(free) == 0:
			misses++
		case 8*len(free) < wanted:
			misses = 8
		default:
			misses = 0
		}
	}
	return indices, nil
}

// statusIndex is a position in a status list.
type statusIndex struct{ List, Idx int }
