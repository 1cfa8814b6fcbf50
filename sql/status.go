package sql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

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

// setStatuses sets the status of devices, records and announces the change. INVALID is final, and no later document with
// features gets the index. It returns the devices whose status has changed. The devices are as the transaction has locked
// them; the statement does not read them because their rows may be on another node.
func setStatuses(
	ctx context.Context, tx *sqlx.Tx, status entitlements.Status, devices []entitlements.Device,
) (changed []string, err error) {
	ids, lists, indices := make([]string, len(devices)), make([]int, len(devices)), make([]int, len(devices))
	bounds := make([]*time.Time, len(devices))
	for i, d := range devices {
		ids[i], lists[i], indices[i], bounds[i] = string(d.ID), d.StatusList, d.StatusIndex, d.DocumentExpiresAt
	}
	// The function depends on the row, and so is not called where there is none.
	err = tx.SelectContext(ctx, &changed, `
		WITH changed AS (
			UPDATE status_entries e SET status = $1, ended_at = CASE $1 WHEN 1 THEN greatest(now(), d.bound) END
			FROM unnest($2::uuid[], $3::int[], $4::int[], $5::timestamptz[]) AS d (id, list, idx, bound)
			WHERE e.list = d.list AND e.idx = d.idx AND e.status NOT IN ($1, 1)
			RETURNING d.id, e.list
		), recorded AS (
			INSERT INTO status_changes (list) SELECT DISTINCT list FROM changed
		)
		SELECT id FROM changed, pg_notify('`+statusChannel+`', left(id::text, 0))`,
		status, pq.Array(ids), pq.Array(lists), pq.Array(indices), pq.Array(bounds))
	return changed, failed("set status", err)
}

// setStatus sets the status of an account's device. After INVALID, which is final, a device that may still get features gets
// a new index.
func setStatus(
	ctx context.Context, tx *sqlx.Tx, account entitlements.Account, device entitlements.DeviceID, status entitlements.Status,
) error {
	at := slices.IndexFunc(account.Devices, func(d entitlements.Device) bool { return d.ID == device })
	if at < 0 {
		return fmt.Errorf("set status: the account has no device %s", device)
	}
	if _, err := setStatuses(ctx, tx, status, account.Devices[at:at+1]); err != nil {
		return err
	}
	if status != entitlements.StatusInvalid {
		return nil
	}
	var stays bool
	err := tx.GetContext(ctx, &stays, `
		SELECT removed_at IS NULL AND forked_at IS NULL FROM devices WHERE user_id = $1 AND id = $2`, account.User, device)
	if err != nil || !stays {
		return failed("read device", err)
	}
	index, err := allotIndices(ctx, tx, 1)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE devices SET status_list = $3, status_idx = $4 WHERE user_id = $1 AND id = $2`,
		account.User, device, index[0].List, index[0].Idx)
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

// sweptStatus is a place in the order in which entries of status lists are swept.
type sweptStatus struct {
	statusIndex
	EndedAt time.Time `db:"ended_at"`
}

// endedStatuses returns entries that may be deleted: INVALID since before, of a list that allots no more indices, and of no
// device. An index is never reused, so those of the newest list stay, and of the list before it, which a running statement
// may still see as the newest. It looks at a batch of entries after a place, and returns the last of them, or nil if there
// may be no more. The devices may be on other nodes, so they are read by a second statement.
func endedStatuses(
	ctx context.Context, db sqlx.QueryerContext, before time.Time, after sweptStatus,
) (lists, indices pq.Int64Array, last *sweptStatus, err error) {
	var ended []sweptStatus
	err = sqlx.SelectContext(ctx, db, &ended, `
		SELECT list, idx, ended_at FROM status_entries
		WHERE ended_at <= $1 AND list < (SELECT max(list) - 1 FROM status_entries) AND (list, ended_at, idx) > ($2, $3, $4)
		ORDER BY list, ended_at, idx LIMIT $5`, before, after.List, after.EndedAt, after.Idx, housekeepingBatch)
	if err != nil {
		return nil, nil, nil, failed("find ended statuses", err)
	}
	for _, e := range ended {
		lists, indices = append(lists, int64(e.List)), append(indices, int64(e.Idx))
	}
	if len(ended) == housekeepingBatch {
		last = &ended[len(ended)-1]
	}
	var held []statusIndex
	err = sqlx.SelectContext(ctx, db, &held, `
		SELECT e.list, e.idx FROM devices d JOIN unnest($1::int[], $2::int[]) AS e (list, idx) ON d.status_list = e.list AND d.status_idx = e.idx`,
		lists, indices)
	for _, h := range held {
		i := slices.IndexFunc(ended, func(e sweptStatus) bool { return e.statusIndex == h })
		ended, lists, indices = slices.Delete(ended, i, i+1), slices.Delete(lists, i, i+1), slices.Delete(indices, i, i+1)
	}
	return lists, indices, last, failed("find devices' statuses", err)
}
