package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
)

const (
	// nobody is the user of audit entries that are about no user. As an id, it is below every other.
	nobody = "00000000-0000-0000-0000-000000000000"
	// endOfIDs is above every id.
	endOfIDs = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// idSkew is more than the clocks of a server, which writes at, and of the database, which writes id, differ.
const idSkew = time.Hour

// idAt returns the lowest id of an entry that the database wrote at that time.
func idAt(at time.Time) string {
	text := fmt.Sprintf("%012x", max(0, at.UnixMilli()))
	return text[:8] + "-" + text[8:] + "-0000-0000-000000000000"
}

// audit adds an entry to the trail, with its reason and the webhooks about it. Call it after the change itself, in the same
// transaction.
func audit(ctx context.Context, tx *sqlx.Tx, entry entitlements.AuditEntry) error {
	var revision int64 // the user's
	err := tx.GetContext(ctx, &revision, `
		WITH `+newEntry(1)+`, reason AS (
			INSERT INTO audit_reasons (audit_id, user_id, reason) SELECT id, user_id, $8 FROM entry WHERE $8 <> ''
		)
		SELECT coalesce((SELECT revision FROM users WHERE id = $5), 0) FROM entry`, append(entryArgs(entry), entry.Reason)...)
	if err != nil {
		return failed("audit", err)
	}
	if message, told := outbox.MessageOf(entry, revision); told {
		return writeDeliveries(ctx, tx, entry.User, entry.At, message)
	}
	return nil
}

// newEntry returns an expression for a statement's WITH clause: entry adds an audit entry, whose entryArgs begin with the
// argument of that number. The caller must write its reason, and the webhooks about it.
func newEntry(first int) string {
	return `entry AS (
		INSERT INTO audit (at, actor, action, object, user_id, before, after) VALUES (` + placeholders(first, 7) + `) RETURNING id, user_id
	)`
}

func entryArgs(entry entitlements.AuditEntry) []any {
	return []any{entry.At, entry.Actor, entry.Action, entry.Object, cmp.Or(entry.User, nobody), jsonOrNull(entry.Before), jsonOrNull(entry.After)}
}

// placeholders returns n placeholders for arguments, separated by commas.
func placeholders(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(list, ", ")
}

// Audit implements [entitlements.Store].
func (s *Entitlements) Audit(ctx context.Context, query entitlements.AuditQuery) ([]entitlements.AuditEntry, error) {
	statement, args := auditQuery(query)
	return list(ctx, s.db, "read audit", entryRow.entry, statement, args...)
}

// AuditAfter implements [entitlements.Store].
func (s *Entitlements) AuditAfter(
	ctx context.Context, user entitlements.UserID, after string, limit int,
) ([]entitlements.AuditEntry, error) {
	args := []any{cmp.Or(after, nobody)}
	whose := ""
	if user != "" {
		whose, args = ` AND a.user_id = $2`, append(args, user)
	}
	return list(ctx, s.db, "read audit", entryRow.entry, selectEntries+`a.id > $1`+whose+` ORDER BY a.id LIMIT `+strconv.Itoa(limit), args...)
}

type entryRow struct {
	ID     string
	At     time.Time
	Actor  string
	Action string
	Object string
	User   stdsql.NullString `db:"user_id"`
	Before []byte
	After  []byte
	Reason stdsql.NullString
}

func (r entryRow) entry() entitlements.AuditEntry {
	return entitlements.AuditEntry{
		ID: r.ID, At: r.At.UTC(), Actor: r.Actor, Action: r.Action, Object: r.Object, User: r.User.String,
		Before: r.Before, After: r.After, Reason: r.Reason.String,
	}
}

// selectEntries reads the entries a that the condition after it selects.
const selectEntries = `
	SELECT a.id, a.at, a.actor, a.action, a.object, nullif(a.user_id, '` + nobody + `') AS user_id, a.before, a.after, r.reason
	FROM audit a LEFT JOIN audit_reasons r ON r.user_id = a.user_id AND r.audit_id = a.id
	WHERE `

// auditQuery returns the statement of Audit and its arguments. Ids are in the order of time: they bound the walk along an
// index, whose entries' own times then decide.
func auditQuery(query entitlements.AuditQuery) (string, []any) {
	var args []any
	var conditions []string
	where := func(condition string, value any) {
		args = append(args, value)
		conditions = append(conditions, condition+` $`+strconv.Itoa(len(args)))
	}
	where(`a.id <`, cmp.Or(query.Before, endOfIDs))
	if query.User != "" {
		where(`a.user_id =`, query.User)
	}
	if query.Actor != "" {
		where(`a.actor =`, query.Actor)
	}
	if query.Action != "" {
		where(`a.action =`, query.Action)
	}
	if !query.From.IsZero() {
		where(`a.at >=`, query.From)
		where(`a.id >=`, idAt(query.From.Add(-idSkew)))
	}
	if !query.To.IsZero() {
		where(`a.at <`, query.To)
		where(`a.id <`, idAt(query.To.Add(idSkew)))
	}
	return selectEntries + strings.Join(conditions, ` AND `) + ` ORDER BY a.id DESC LIMIT ` + strconv.Itoa(query.Limit), args
}

// noticeEntries selects the audit entries that become notices to user $1 since $2, at most $3 of each action, in any order.
var noticeEntries = latestEntries(passkey.ActionRejected) + ` UNION ALL ` + latestEntries(passkey.ActionRecovered)

func latestEntries(action string) string {
	return `(SELECT at, action, object, after FROM audit WHERE user_id = $1 AND action = '` + action + `' AND at >= $2 ORDER BY at DESC LIMIT $3)`
}

// noticeEntry is a row of noticeEntries.
type noticeEntry struct {
	At     time.Time       `json:"at"`
	Action string          `json:"action"`
	Object string          `json:"object"`
	After  json.RawMessage `json:"after"`
}

// noticeEntriesOf returns the entries in rows, newest first.
func noticeEntriesOf(user passkey.UserID, rows []noticeEntry) []passkey.AuditEntry {
	slices.SortStableFunc(rows, func(a, b noticeEntry) int { return b.At.Compare(a.At) })
	entries := make([]passkey.AuditEntry, len(rows))
	for i, row := range rows {
		entries[i] = passkey.AuditEntry{At: row.At.UTC(), Action: row.Action, Object: row.Object, User: user, After: row.After}
	}
	return entries
}

// NoticeEntries implements [passkey.CredentialStore].
func (p *Passkeys) NoticeEntries(ctx context.Context, user passkey.UserID, since time.Time, limit int) ([]passkey.AuditEntry, error) {
	var rows []noticeEntry
	if err := p.db.SelectContext(ctx, &rows, noticeEntries, user, since, limit); err != nil {
		return nil, failed("read audit", err)
	}
	return noticeEntriesOf(user, rows), nil
}

// prunable reports whether an old audit entry a may be deleted. A gap's entry is kept until the gap is closed or its user
// is erased, and the entry that closed a gap for as long as the gap's own.
const prunable = `NOT (` + isGap + ` AND NOT ` + isClosed + ` AND EXISTS (SELECT FROM users u WHERE u.id = a.user_id))
	AND NOT (a.action = 'gap.closed' AND EXISTS (SELECT FROM audit g WHERE g.user_id = a.user_id AND 'gap:' || g.id = a.object))`

// PruneAudit deletes the audit entries before a time, and their reasons, from the database at url. The login in url must be
// the owner, because the server's role may not delete entries. PruneAudit returns the number of deleted entries, or
// [entitlements.ErrClockOff] if this machine's clock, and so before, may be wrong. It works in batches, so it can be
// interrupted and repeated at any time.
func PruneAudit(ctx context.Context, url string, before time.Time) (pruned int64, err error) {
	db, err := connectToSchema(ctx, url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var clock time.Time
	if err := db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&clock); err != nil {
		return 0, failed("read clock", err)
	}
	if time.Until(clock).Abs() > entitlements.MaxClockOff {
		return 0, entitlements.ErrClockOff
	}
	for {
		result, err := db.ExecContext(ctx, `
			WITH old AS (
				SELECT a.user_id, a.id FROM audit a WHERE a.at < $1 AND `+prunable+` LIMIT $2
			), reasons AS (
				DELETE FROM audit_reasons r USING old WHERE r.user_id = old.user_id AND r.audit_id = old.id
			)
			DELETE FROM audit a USING old WHERE a.user_id = old.user_id AND a.id = old.id`, before, pruneBatch)
		if err != nil {
			return pruned, failed("prune audit", err)
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return pruned, failed("prune audit", err)
		}
		pruned += n
	}
}

// pruneBatch is the number of entries deleted in one transaction.
const pruneBatch = 5000

func jsonOrNull(value json.RawMessage) stdsql.NullString {
	return stdsql.NullString{String: string(value), Valid: value != nil}
}
