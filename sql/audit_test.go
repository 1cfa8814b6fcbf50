package sql_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// TestPruneAudit checks that old entries are deleted wherever they are in the trail, except those of open gaps.
func TestPruneAudit(t *testing.T) {
	t.Parallel()
	owner, _ := sqltest.Database(t)
	db := connect(t, owner)
	now := time.Now().UTC().Truncate(time.Microsecond)
	user := "00000000-0000-4000-8000-000000000001"
	db.MustExec(`INSERT INTO users (id, name, created_at) VALUES ($1, 'Ada', $2)`, user, now)
	entry := func(age time.Duration, action, object, user string) (id string) {
		t.Helper()
		before, after := `{"revision": 2, "generation": 1}`, `{"revision": 3, "generation": 2}`
		if err := db.Get(&id, `INSERT INTO audit (at, actor, action, object, user_id, before, after)
			VALUES ($1, 'server', $2, $3, $4, $5, $6) RETURNING id`, now.Add(-age), action, object, user, before, after); err != nil {
			t.Fatal(err)
		}
		return id
	}
	const year = 365 * 24 * time.Hour
	gone := "00000000-0000-4000-8000-000000000002"
	keep := map[string]string{
		entry(year-time.Hour, "test", "test:1", user):             "not old yet",
		entry(2*year, "gap.found", "device:1", user):              "an open gap",
		entry(0, "subscription.revoke", "subscription:sub", user): "new",
	}
	old := entry(year+time.Hour, "test", "test:2", user)
	db.MustExec(`INSERT INTO audit_reasons (audit_id, user_id, reason) VALUES ($1, $2, 'because')`, old, user)
	// An entry that closed a gap is reached in an earlier batch than the gap itself, which must not look open then.
	later := uuid.NewString()
	entry(3*year, "gap.closed", "gap:"+later, user)
	closed := entry(2*year, "gap.found", "device:2", user)
	entry(2*year, "gap.closed", fmt.Sprint("gap:", closed), user)
	entry(2*year, "gap.found", "device:3", gone)
	late := entry(2*year, "gap.found", "device:4", user)
	keep[entry(0, "gap.closed", fmt.Sprint("gap:", late), user)] = "not old yet, what closed an old gap"
	db.MustExec(`INSERT INTO audit (at, actor, action, object) SELECT $1::timestamptz, 'server', 'test', 'test:' || i FROM generate_series(1, 12000) i`, now.Add(-2*year))
	db.MustExec(`INSERT INTO audit (id, at, actor, action, object, user_id) VALUES ($1, $2, 'server', 'gap.found', 'device:5', $3)`, later, now.Add(-2*year), user)

	pruned, err := sql.PruneAudit(t.Context(), owner, now.Add(-year))
	if err != nil || pruned != 12007 {
		t.Errorf("pruned %d, %v", pruned, err)
	}
	var left []string
	if err := db.Select(&left, `SELECT id FROM audit`); err != nil {
		t.Fatal(err)
	}
	for _, id := range left {
		if keep[id] == "" {
			t.Errorf("%s is still there", id)
		}
		delete(keep, id)
	}
	for _, what := range keep {
		t.Errorf("gone: %s", what)
	}
	var reasons int
	if err := db.Get(&reasons, `SELECT count(*) FROM audit_reasons`); err != nil || reasons != 0 {
		t.Errorf("%d reasons are left, %v", reasons, err)
	}
	if pruned, err := sql.PruneAudit(t.Context(), owner, now.Add(-year)); err != nil || pruned != 0 {
		t.Errorf("pruned again: %d, %v", pruned, err)
	}
}

// TestAuditAfter reads the trail forwards, in pieces.
func TestAuditAfter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ada, bob := b.user(t), b.user(t)
	for i := range 5 {
		b.subscribe(t, []entitlements.UserID{ada, bob}[i%2], fmt.Sprint("sub-", i), time.Hour)
	}
	var all []entitlements.AuditEntry
	for after := ""; ; {
		page, err := b.AuditAfter(t.Context(), "", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
	if len(all) != 5 || all[0].Object != "subscription:sub-0" || all[4].Object != "subscription:sub-4" || !json.Valid(all[0].After) {
		t.Errorf("read: %+v", all)
	}
	if of, err := b.AuditAfter(t.Context(), bob, "", 10); err != nil || len(of) != 2 || of[0].User != string(bob) || of[0].Object != "subscription:sub-1" {
		t.Errorf("of one user: %+v, %v", of, err)
	}
}

// TestAuditOrder checks that ids follow the database's clock, and that a walk after the commits finds every entry once, also
// those of a transaction that began first and committed last.
func TestAuditOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const insert = `INSERT INTO audit (at, actor, action, object) SELECT now(), 'server', 'test', 'test:' || $1 RETURNING id`
	write := func(to sqlx.Queryer, object string) (id string) {
		t.Helper()
		if err := sqlx.Get(to, &id, insert, object); err != nil {
			t.Fatal(err)
		}
		return id
	}
	late := b.db.MustBegin()
	ids := []string{write(late, "1")}
	for i := range 20 {
		ids = append(ids, write(b.db, fmt.Sprint(2+i)))
	}
	ids = append(ids, write(late, "22"))
	walk := func() (found []string) {
		t.Helper()
		for after := ""; ; after = found[len(found)-1] {
			page, err := b.AuditAfter(t.Context(), "", after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				return found
			}
			for _, entry := range page {
				found = append(found, entry.ID)
			}
		}
	}
	if got := walk(); !slices.Equal(got, ids[1:21]) {
		t.Errorf("before the commit: %v, want %v", got, ids[1:21])
	}
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := walk(); !slices.Equal(got, ids) {
		t.Errorf("after the commit: %v, want %v", got, ids)
	}
	milliseconds, err := strconv.ParseInt(strings.ReplaceAll(ids[21], "-", "")[:12], 16, 64)
	if off := time.Since(time.UnixMilli(milliseconds)).Abs(); err != nil || off > time.Minute || ids[21][14] != '7' {
		t.Errorf("id %s is %v off, %v", ids[21], off, err)
	}
}
