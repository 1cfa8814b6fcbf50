package sql_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/passkey"
	"holdfast/passkey/names"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// customers is how many users the console's statements are explained with.
const customers = 100_000

// manyUsers fills a database with users "User 0", "User 1" and so on, who signed up one a minute, and what they have.
func manyUsers(t *testing.T) (db *sqlx.DB, start time.Time) {
	t.Helper()
	owner, runtime := sqltest.Database(t)
	own := connect(t, owner)
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tx := own.MustBegin()
	rows, err := tx.Prepare(pq.CopyIn("users", "id", "name", "words", "parts", "external_id", "created_at"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range customers {
		name := fmt.Sprintf("User %d", n)
		_, err := rows.Exec(uuid.NewString(), name, pq.Array(names.Words(name)), pq.Array(names.Entries(name)), fmt.Sprintf("crm-%d", n),
			start.Add(time.Duration(n)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rows.Exec(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	own.MustExec(`
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, created_at, updated_at)
			SELECT 'sub_' || external_id, id, 'premium', 'active', now(), now(), now() FROM users;
		INSERT INTO directory (kind, key, user_id) SELECT 'subscription', id, user_id FROM subscriptions
			UNION ALL SELECT 'external id', external_id, id FROM users;
		INSERT INTO billing_events (source, id, customer, subject, at, rank, facts, received_at, user_id)
			SELECT 'stripe', 'evt_' || external_id, 'cus_' || external_id, 'sub_' || external_id, now(), 0, '{}', now(), id FROM users`)
	own.MustExec(`ANALYZE`)
	return connect(t, runtime), start
}

// explain runs a statement and returns its plan.
func explain(t *testing.T, db *sqlx.DB, statement string, args ...any) string {
	t.Helper()
	var plan []string
	if err := db.Select(&plan, "EXPLAIN (ANALYZE, COSTS off, TIMING off) "+statement, args...); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// TestConsoleReadsLittle checks that among many users the console's lists read by indexes only, and only their results, even
// if there are none.
func TestConsoleReadsLittle(t *testing.T) {
	t.Parallel()
	db, start := manyUsers(t)
	// A walk over a few thousand rows that match is the most that a statement may do.
	scan := regexp.MustCompile(`(?:Seq Scan|Index Scan|Bitmap Heap Scan).* on \w+.*\(actual rows=(\d+)|Rows Removed by (?:Filter|Index Recheck): (\d+)`)
	wasteful := func(plan string) bool {
		for _, read := range scan.FindAllStringSubmatch(plan, -1) {
			if n, err := strconv.Atoi(read[1] + read[2]); err != nil || n > sql.FewUsers+1 {
				return true
			}
		}
		return strings.Contains(plan, "Seq Scan on users") && !strings.Contains(plan, "actual rows="+strconv.Itoa(sql.FewUsers+1))
	}
	byPart := regexp.MustCompile(`Bitmap Index Scan on users_by_part \(actual rows=(\d+)`)
	after := &passkey.UserPosition{Name: "User 2", CreatedAt: start.Add(5000 * time.Minute), ID: passkey.UserID(uuid.NewString())}
	store := newPasskeys(t, db)
	orders := []passkey.UserOrder{passkey.OrderNewest, passkey.OrderOldest, passkey.OrderName}
	for query, found := range map[string]int{
		"nobody": 0, "": 51, "user": 51, "ser": 51, "us": 51, "user 3": 51, "3 user": 51, "user 29999": 1, "29999": 1, "9992": 20, "user 3x": 0,
		"crm-12345": 1, "sub_crm-12345": 1, "sub_nothing": 0, "cus_crm-12345": 1,
	} {
		for _, order := range orders {
			search := passkey.UserSearch{Name: query, ID: passkey.UserID(uuid.NewString()), ExternalID: query, BillingID: query, Order: order, Limit: 51}
			for _, search.After = range []*passkey.UserPosition{nil, after} {
				statement, args := sql.FindUsers(search)
				plan := explain(t, db, statement, args...)
				read := byPart.FindStringSubmatch(plan)
				if wasteful(plan) || query != "" && found < 51 && (read == nil || read[1] != "0" && read[1] != strconv.Itoa(found)) {
					t.Errorf("%q, by %s, after %v:\n%s", query, order, search.After, plan)
				}
				users, err := store.FindUsers(t.Context(), search)
				if err != nil || search.After == nil && len(users) != found {
					t.Errorf("%q finds %d users, %v; want %d", query, len(users), err, found)
				}
			}
		}
	}
	for _, order := range orders {
		search := passkey.UserSearch{From: start.Add(1000 * time.Minute), To: start.Add(1020 * time.Minute), Order: order, Limit: 51}
		statement, args := sql.FindUsers(search)
		if plan := explain(t, db, statement, args...); wasteful(plan) {
			t.Errorf("signed up in a span, by %s:\n%s", order, plan)
		}
		users, err := store.FindUsers(t.Context(), search)
		if err != nil || len(users) != 20 {
			t.Errorf("%d users signed up, %v; want 20", len(users), err)
		}
	}
}
