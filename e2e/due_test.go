package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// TestServerKilledWhileItTellsWhatIsDue kills a server between two subscriptions that expire soon. The next server tells of
// the rest, and nothing is told twice.
func TestServerKilledWhileItTellsWhatIsDue(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	receiver := newReceiver(t, true, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	w := newTold(t, receiver.http.URL)
	query := func(statement string) (n int) {
		t.Helper()
		if err := w.db.QueryRowContext(ctx, statement).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	replica := func() *support.Server {
		t.Helper()
		other := w.server.Replica(t)
		other.Settings = append(w.server.Settings, "HOLDFAST_WEBHOOK_EXPIRING=1d")
		// The timeouts outlast the drill, and the name distinguishes these connections from others.
		other.DatabaseURL += "&application_name=dies&lock_timeout=60s&statement_timeout=60s"
		return other
	}

	// The first server keeps the database, and must not tell of anything itself: it stops while none of its transactions has
	// the lock of those that do.
	const lock = `hashtextextended('due subscriptions', 0)`
	conn, err := w.db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(`+lock+`)`); err != nil {
		t.Fatal(err)
	}
	const users = 5
	for i := range users {
		name := fmt.Sprintf("customer-%d", i)
		for _, step := range []struct{ method, path, body string }{
			{http.MethodPost, "/admin/v1/users", fmt.Sprintf(`{"name":"Ada","external_id":"%s"}`, name)},
			{http.MethodPut, "/admin/v1/subscriptions/" + name, fmt.Sprintf(`{"external_id":"%s","plan":"premium","state":"active","paid_through":"%s"}`,
				name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))},
		} {
			if _, err := w.client.Do(ctx, step.method, step.path, json.RawMessage(step.body), nil, support.Bearer(support.AdminToken)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := syscall.Kill(w.server.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(w.server.PID(), syscall.SIGCONT) //nolint:errcheck // the test has ended
	held, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback() //nolint:errcheck // already rolled back below, unless the drill fails earlier
	if _, err := held.ExecContext(ctx, `SELECT FROM users WHERE external_id = 'customer-3' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(`+lock+`)`); err != nil {
		t.Fatal(err)
	}

	const told = `SELECT count(*) FROM webhook_deliveries WHERE type = 'subscription.expiring'`
	dies := replica()
	if err := dies.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is held up after three subscriptions", func() bool {
		return query(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dies' AND wait_event_type = 'Lock'`) == 1 && query(told) == 3
	})
	if err := dies.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "PostgreSQL has given the server up", func() bool {
		return query(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dies'`) == 0
	})
	for range 2 {
		next := replica()
		if err := next.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are told", func() bool {
			return query(told) == users && query(`SELECT count(*) FROM subscriptions WHERE due_at <= now()`) == 0
		})
		if err := next.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if n := query(`SELECT count(DISTINCT payload->'data'->>'subscription') FROM webhook_deliveries WHERE type = 'subscription.expiring'`); n != users {
		t.Errorf("%d of %d subscriptions are told", n, users)
	}
	if n := query(`SELECT count(*) FROM audit WHERE action = 'subscription.expiring'`); n != users {
		t.Errorf("the trail has %d entries", n)
	}
}
