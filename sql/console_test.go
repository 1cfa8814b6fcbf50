package sql_test

import (
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/passkey"
	"holdfast/passkey/names"
	"holdfast/sql"
)

// customers is how many users the console's statements are explained with.
const customers = 100_000

// manyUsers fills a database with users "User 0", "User 1" and so on, who signed up one a minute until now, and what they
// have.
func manyUsers(t *testing.T) (b *bench, start time.Time) {
	t.Helper()
	b = newBench(t)
	own := connect(t, b.owner)
	end := b.clock.Now()
	start = end.Add(-customers * time.Minute)
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
		INSERT INTO plans (id, features, grace_seconds, device_limit, rank, updated_at)
			VALUES ('premium', '{}', 604800, 5, 10, now()), ('team', '{}', 604800, 5, 20, now()), ('basic', '{}', 0, 5, 5, now()) ON CONFLICT DO NOTHING`)
	// Everybody has paid for a year, but a few are in grace, withdrawn, or have nothing; half had a trial before.
	own.MustExec(`
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, ends, revoked, withdrawn, created_at, updated_at)
			SELECT 'sub_' || external_id, id, CASE WHEN n % 2000 = 2 THEN 'team' ELSE 'premium' END, 'active',
				$1::timestamptz + CASE WHEN n % 2000 = 1 THEN interval '-1 day' ELSE interval '1 year' END,
				false, n % 10000 IN (3, 8), n % 10000 IN (3, 8), created_at, created_at
			FROM (SELECT *, substring(external_id FROM 5)::int AS n FROM users) u WHERE n % 4000 <> 4`, end)
	own.MustExec(`
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, ends, created_at, updated_at)
			SELECT 'trial_' || external_id, id, 'premium', 'trialing', created_at, true, created_at, created_at
			FROM users WHERE substring(external_id FROM 5)::int % 2 = 1 OR substring(external_id FROM 5)::int % 40000 = 4;
		UPDATE subscriptions SET paid_through = paid_through + interval '1 year' WHERE id = 'trial_crm-4';
		INSERT INTO directory (kind, key, user_id) SELECT 'subscription', id, user_id FROM subscriptions
			UNION ALL SELECT 'external id', external_id, id FROM users;
		INSERT INTO billing_events (source, id, customer, subject, at, rank, facts, received_at, user_id)
			SELECT 'stripe', 'evt_' || external_id, 'cus_' || external_id, 'sub_' || external_id, now(), 0, '{}', now(), id FROM users`)
	own.MustExec(`
		INSERT INTO devices (user_id, id, name, jkt, linked_at, last_reconciled_at, revision, document_bound, status_list, status_idx)
			SELECT id, id, 'Phone', external_id, $1, $1::timestamptz - n % 40 * interval '1 day', 1, $1::timestamptz + (n % 14 - 7) * interval '1 day', 0, n
			FROM (SELECT *, substring(external_id FROM 5)::int AS n FROM users) u`, end)
	// Two entries of each, of 40 days, of which few are by a member of staff, or of a kind.
	own.MustExec(`
		INSERT INTO audit (user_id, id, at, actor, action, object)
			SELECT u.id, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(gen_random_uuid()::text, 16))::uuid, at,
				CASE WHEN n % 20000 = 7 THEN 'staff:' || '00000000-0000-7000-8000-000000000001' ELSE 'user:' || u.id END,
				CASE WHEN n % 5000 = 7 THEN 'subscription.revoke' WHEN n % 3 = 0 THEN 'device.linked' ELSE 'passkey.added' END, 'user:' || u.id
			FROM (SELECT *, row_number() OVER () AS row FROM users) u
			JOIN LATERAL (SELECT n, $1::timestamptz - n * interval '17 seconds' AS at FROM generate_series(u.row, 200000, 100000) n) e ON true`, end)
	own.MustExec(`
		INSERT INTO webhook_endpoints (digest, shown, active) VALUES ('\x00', 'https://example.org', true)`)
	own.MustExec(`
		INSERT INTO webhook_deliveries (user_id, endpoint, message_id, type, payload, created_at, state, next_attempt_at, delivered_at, last_error)
			SELECT id, (SELECT id FROM webhook_endpoints), gen_random_uuid(), 'subscription.changed', '{}', created_at,
				CASE WHEN n % 1000 = 5 THEN 'dead' WHEN n % 1000 = 6 THEN 'pending' ELSE 'delivered' END, created_at,
				CASE WHEN n % 1000 NOT IN (5, 6) THEN created_at END, CASE WHEN n % 1000 IN (5, 6) THEN 'timeout' END
			FROM (SELECT *, substring(external_id FROM 5)::int AS n FROM users) u`)
	own.MustExec(`VACUUM ANALYZE`)
	b.db.SetMaxOpenConns(1) // rowsRead counts for the connection
	return b, start
}

// rowsRead returns how many rows of each table, and entries of each index, do read.
func rowsRead(t *testing.T, b *bench, do func()) map[string]int {
	t.Helper()
	count := func() map[string]int {
		var rows []struct {
			Name string
			Read int
		}
		b.db.MustExec(`SELECT pg_stat_force_next_flush()`)
		if err := b.db.Select(&rows, `
			SELECT relname AS name, coalesce(seq_tup_read, 0) AS read FROM pg_stat_user_tables
			UNION ALL SELECT indexrelname, coalesce(idx_tup_read, 0) FROM pg_stat_user_indexes`); err != nil {
			t.Fatal(err)
		}
		read := map[string]int{}
		for _, row := range rows {
			read[row.Name] = row.Read
		}
		return read
	}
	before := count()
	do()
	read := map[string]int{}
	for name, n := range count() {
		if n > before[name] {
			read[name] = n - before[name]
		}
	}
	return read
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
	b, start := manyUsers(t)
	t.Run("Customers", func(t *testing.T) { customersReadLittle(t, b, start) })
	t.Run("Audit", func(t *testing.T) { auditReadsLittle(t, b) })
	t.Run("Overview", func(t *testing.T) { overviewReadsLittle(t, b) })
}

func customersReadLittle(t *testing.T, b *bench, start time.Time) {
	db := b.db
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
	var some []passkey.UserID
	if err := b.db.Select(&some, `SELECT id FROM users WHERE external_id IN ('crm-7', 'crm-70', 'crm-99999')`); err != nil {
		t.Fatal(err)
	}
	for query, found := range map[string]int{"": 3, "user": 3, "7": 2, "nobody": 0} {
		for _, order := range orders {
			search := passkey.UserSearch{Name: query, Among: some, Order: order, Limit: 51}
			statement, args := sql.FindUsers(search)
			if plan := explain(t, db, statement, args...); wasteful(plan) {
				t.Errorf("%q among some, by %s:\n%s", query, order, plan)
			}
			if users := got(store.FindUsers(t.Context(), search)); len(users) != found {
				t.Errorf("%q finds %d among some, want %d", query, len(users), found)
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

// auditReadsLittle checks that each filter of the trail walks an index that has no more than a few entries besides the page.
func auditReadsLittle(t *testing.T, b *bench) {
	store, now := b.store, b.clock.Now()
	var user entitlements.UserID
	if err := b.db.Get(&user, `SELECT id FROM users LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	const member = "staff:00000000-0000-7000-8000-000000000001"
	from, to := now.Add(-20*24*time.Hour), now.Add(-20*24*time.Hour+time.Minute)
	for name, c := range map[string]struct {
		query       entitlements.AuditQuery
		found, most int
	}{
		"newest":         {entitlements.AuditQuery{}, 51, 51},
		"who":            {entitlements.AuditQuery{Actor: member}, 10, 10},
		"nobody":         {entitlements.AuditQuery{Actor: "server"}, 0, 0},
		"what":           {entitlements.AuditQuery{Action: "subscription.revoke"}, 40, 40},
		"nothing":        {entitlements.AuditQuery{Action: "gap.found"}, 0, 0},
		"frequent":       {entitlements.AuditQuery{Action: "passkey.added"}, 51, 51},
		"customer":       {entitlements.AuditQuery{User: user}, 2, 2},
		"customer, what": {entitlements.AuditQuery{User: user, Action: "gap.found"}, 0, 2},
		"who, what":      {entitlements.AuditQuery{Actor: member, Action: "subscription.revoke"}, 10, 40},
		"when":           {entitlements.AuditQuery{From: from, To: to}, 3, 500},
		"who, when":      {entitlements.AuditQuery{Actor: member, From: from, To: to}, 0, 10},
		"what, when":     {entitlements.AuditQuery{Action: "subscription.revoke", From: from, To: to}, 0, 40},
		"frequent, when": {entitlements.AuditQuery{Action: "passkey.added", From: from, To: to}, 2, 500},
		"since long ago": {entitlements.AuditQuery{From: from}, 51, 51},
		"until long ago": {entitlements.AuditQuery{To: to}, 51, 51 + 300},
	} {
		c.query.Limit = 51
		var found []entitlements.AuditEntry
		read := rowsRead(t, b, func() { found = got(store.Audit(t.Context(), c.query)) })
		if len(found) != c.found && !(c.query.From == from && len(found) > 0 && c.found > 0) {
			t.Errorf("%s: %d entries, want %d", name, len(found), c.found)
		}
		statement, args := sql.AuditQuery(c.query)
		// Without audit_by_time: of a BRIN index, PostgreSQL counts ten rows for each page of a range, which nobody reads.
		for _, index := range []string{"audit", "audit_pkey", "audit_by_id", "audit_by_actor", "audit_by_action"} {
			if read[index] > c.most+1 {
				t.Errorf("%s: %d read of %s, want at most %d:\n%s", name, read[index], index, c.most, explain(t, b.db, statement, args...))
			}
		}
	}
}

// overviewReadsLittle checks that the overview reads each index, or devices, once, and that a filter reads what it finds
// and, where most users have the state but something better, the index of classes once or twice.
func overviewReadsLittle(t *testing.T, b *bench) {
	few, subscriptions := 300, customers*3/2
	check := func(what string, read map[string]int, most map[string]int) {
		t.Helper()
		for name, n := range read {
			if n > max(few, most[name]) {
				t.Errorf("%s: %d read of %s, want at most %d", what, n, name, max(few, most[name]))
			}
		}
	}
	read := rowsRead(t, b, func() {
		overview, err := b.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[entitlements.State]int{"active": 99906, "grace": 50, "expired": 2, "revoked": 20, "none": 22}
		if overview.Users != customers || !maps.Equal(overview.States, want) || overview.Devices != customers {
			t.Errorf("%v of %d users, %d devices", overview.States, overview.Users, overview.Devices)
		}
		if len(overview.SignUps) != entitlements.OverviewDays || overview.SignUps[1].Count != 24*60 || len(overview.Revocations) == 0 {
			t.Errorf("sign-ups %v, revocations %v", overview.SignUps, overview.Revocations)
		}
	})
	check("overview", read, map[string]int{"subscriptions_by_class": subscriptions, "users_by_sign_up": customers * 3 / 2, "devices": customers})
	again := rowsRead(t, b, func() { got(b.Overview(t.Context())) })
	check("overview from the cache", again, nil)

	for filter, found := range map[entitlements.HoldingFilter]int{
		{State: "revoked"}: 20, {Trial: true}: 1, {State: "grace"}: 50, {Plan: "team"}: 50, {Plan: "basic"}: 0, {State: "active", Plan: "team"}: 50,
		{State: "none"}: 22, {State: "expired"}: 2, {State: "active"}: 101, {Plan: "premium"}: 101,
	} {
		read := rowsRead(t, b, func() {
			users, few, err := b.Candidates(t.Context(), filter, 100)
			if err != nil || len(users) != found || few != (found <= 100) {
				t.Errorf("%v: %d candidates, few %v, %v; want %d", filter, len(users), few, err, found)
			}
		})
		most := map[string]int{}
		switch filter {
		case entitlements.HoldingFilter{State: "none"}:
			most = map[string]int{"users_pkey": customers + few, "users_by_sign_up": customers, "subscriptions_pkey": subscriptions + few, "subscriptions": subscriptions}
		case entitlements.HoldingFilter{State: "expired"}, entitlements.HoldingFilter{State: "active"}, entitlements.HoldingFilter{Plan: "premium"}:
			most["subscriptions_by_class"] = subscriptions + 2500
		}
		check(fmt.Sprint(filter), read, most)
	}
}

// TestCandidatesAreThoseOfDecide compares candidates and overview with the judgement of each user, for facts on both sides of
// every limit.
func TestCandidatesAreThoseOfDecide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connect(t, b.owner).MustExec(`
		INSERT INTO plans (id, features, grace_seconds, device_limit, rank, updated_at)
			VALUES ('team', '{}', 3600, 5, 20, now()), ('basic', '{}', 0, 5, 5, now()), ('basic2', '{}', 0, 5, 5, now())`)
	plans := got(b.Plans(t.Context()))
	now, random := b.clock.Now(), mathrand.New(mathrand.NewPCG(1, 2))
	users := make([]entitlements.UserID, 400)
	for i := range users {
		users[i] = b.user(t)
		for n := range random.IntN(4) {
			plan := plans[random.IntN(len(plans))]
			sub := entitlements.Subscription{
				ID: entitlements.SubscriptionID(fmt.Sprintf("sub_%d_%d", i, n)), User: users[i], Plan: plan.ID,
				State:       []entitlements.SubscriptionState{"trialing", "active", "past_due", "cancelled"}[random.IntN(4)],
				PaidThrough: now.Add([]time.Duration{-plan.Grace, 0, time.Hour}[random.IntN(3)] + time.Duration(random.IntN(5)-2)*time.Second/2),
				Ends:        random.IntN(3) == 0, Revoked: random.IntN(6) == 0, Suspended: random.IntN(6) == 0, CreatedAt: now, UpdatedAt: now,
			}
			if random.IntN(6) == 0 {
				sub.Disputes = []entitlements.Dispute{{ID: "d", Withholds: []entitlements.Withholding{"nothing", "for_now", "for_good", "waived"}[random.IntN(4)]}}
			}
			got(b.store.Update(t.Context(), users[i], now, func(entitlements.Account) (entitlements.Change, error) {
				return entitlements.Change{Raise: true, Subscription: &sub, Audit: []entitlements.AuditEntry{{Actor: "operator", Action: "test", Object: "test"}}}, nil
			}))
		}
	}
	has := got(b.Holdings(t.Context(), users))
	counts := map[entitlements.State]int{}
	for _, holding := range has {
		counts[holding.State]++
	}
	if overview := got(b.Overview(t.Context())); !maps.Equal(overview.States, counts) || len(counts) != 5 {
		t.Errorf("counted %v, decided %v", overview.States, counts)
	}
	for _, plan := range append(plans, entitlements.Plan{}, entitlements.Plan{ID: "other"}) {
		for n, state := range []entitlements.State{"", "active", "grace", "expired", "revoked", "none", "", "active", "grace"} {
			trial := n > 5
			filter := entitlements.HoldingFilter{State: state, Plan: plan.ID, Trial: trial}
			if filter == (entitlements.HoldingFilter{}) {
				continue
			}
			var want []entitlements.UserID
			for _, user := range users {
				if filter.Selects(has[user]) {
					want = append(want, user)
				}
			}
			found, few, err := b.Candidates(t.Context(), filter, len(users))
			if err != nil || !few {
				t.Fatalf("%v: %v, %v", filter, few, err)
			}
			slices.Sort(want)
			slices.Sort(found)
			// A plan in several states: users with a better subscription of another plan are candidates, too.
			if state == "" || trial {
				found = slices.DeleteFunc(found, func(user entitlements.UserID) bool { return !filter.Selects(has[user]) })
			}
			if !slices.Equal(found, want) {
				t.Errorf("%v: %d candidates, %d decided", filter, len(found), len(want))
			}
		}
	}
}

// got returns a value, or panics with the error.
func got[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
