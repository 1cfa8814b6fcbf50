package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// A server is killed between any two statements of a revoke: PostgreSQL delays the revoke there, and the server gets
// SIGKILL. Either nothing or everything has happened, and every document issued afterwards agrees.
func TestServerKilledBetweenRevokeStatements(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	stays := support.NewServer(t, binary)
	if err := stays.Start(); err != nil {
		t.Fatal(err)
	}
	dies := stays.Replica(t)
	// The timeouts outlast the drill, and the name distinguishes these connections from others.
	dies.DatabaseURL += "&application_name=dies&lock_timeout=60s&statement_timeout=60s"
	cluster, err := support.FindCluster(stays.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := &killDrill{t: t, stays: stays, dies: dies, db: db}
	d.begin(ctx)

	// Transactions that fire a trigger of this function wait while the drill holds the lock.
	d.exec(ctx, `CREATE FUNCTION held_up() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$`)
	after := func(event, table string) string {
		return `CREATE TRIGGER held_up AFTER ` + event + ` ON ` + table + ` FOR EACH STATEMENT EXECUTE FUNCTION held_up()`
	}
	const advisory = `SELECT pg_advisory_xact_lock(4711)`
	for _, point := range []struct{ name, trigger, table, hold string }{
		{"before it has locked the user", "", "", `SELECT FROM users FOR UPDATE`},
		{"when it has locked the user", "", "", `SELECT FROM devices FOR UPDATE`},
		{"when it has locked the devices", "", "", `LOCK TABLE plans IN ACCESS EXCLUSIVE MODE`},
		{"when it has raised the user's revision", after("UPDATE OF revision", "users"), "users", advisory},
		{"when it has raised the devices' revision", after("UPDATE OF revision", "devices"), "devices", advisory},
		{"when it has withdrawn the subscription", after("INSERT OR UPDATE", "subscriptions"), "subscriptions", advisory},
		{"when it has withdrawn a device's documents", after("UPDATE", "status_entries"), "status_entries", advisory},
		{"when it has allotted a new index", after("INSERT", "status_entries"), "status_entries", advisory},
		{"when it has given a device the new index", after("UPDATE OF status_idx", "devices"), "devices", advisory},
		{"when it has written the trail", after("INSERT", "audit"), "audit", advisory},
		{"when it has written the reason", after("INSERT", "audit_reasons"), "audit_reasons", advisory},
		{"while it commits", `CREATE CONSTRAINT TRIGGER held_up AFTER INSERT ON audit
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held_up()`, "audit", advisory},
	} {
		if point.trigger != "" {
			d.exec(ctx, point.trigger)
		}
		if happened := d.kill(ctx, point.name, point.hold); happened && point.name != "while it commits" {
			t.Errorf("killed %s: everything has happened", point.name)
		}
		if point.trigger != "" {
			d.exec(ctx, `DROP TRIGGER held_up ON `+point.table)
		}
		d.recover(ctx, point.name)
		if t.Failed() {
			return
		}
	}
}

type killDrill struct {
	t            *testing.T
	stays, dies  *support.Server
	db           *sql.DB
	subscription string
	devices      []*support.Device
}

func (d *killDrill) exec(ctx context.Context, statement string) {
	d.t.Helper()
	if _, err := d.db.ExecContext(ctx, statement); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

// begin makes a user with two devices that hold documents.
func (d *killDrill) begin(ctx context.Context) {
	d.t.Helper()
	ada := d.stays.Client()
	if _, _, err := ada.Register(ctx, "Ada"); err != nil {
		d.t.Fatal(err)
	}
	var err error
	if d.subscription, err = ada.Trial(ctx); err != nil {
		d.t.Fatal(err)
	}
	for range 2 {
		device, err := support.NewDevice()
		if err != nil {
			d.t.Fatal(err)
		}
		browser := d.stays.Client()
		if err := lendSession(ada, browser); err != nil {
			d.t.Fatal(err)
		}
		if err := device.Link(ctx, browser, "laptop"); err != nil {
			d.t.Fatal(err)
		}
		d.devices = append(d.devices, device)
	}
	d.reconcile(ctx, "at first", true)
}

// state is everything that a revoke changes, and the status of the documents held before it.
type state struct {
	revision, behind int64 // behind: devices whose revision is not the user's
	revoked          bool
	invalid, indexes int64
	entries, reasons int64
}

func (d *killDrill) state(ctx context.Context) (s state) {
	d.t.Helper()
	if err := d.db.QueryRowContext(ctx, `
		SELECT u.revision, (SELECT count(*) FROM devices d WHERE d.user_id = u.id AND d.revision <> u.revision), s.revoked,
			(SELECT count(*) FROM status_entries WHERE status = 1), (SELECT count(*) FROM status_entries),
			(SELECT count(*) FROM audit WHERE action = 'subscription.revoke'), (SELECT count(*) FROM audit_reasons)
		FROM users u JOIN subscriptions s ON s.user_id = u.id`).
		Scan(&s.revision, &s.behind, &s.revoked, &s.invalid, &s.indexes, &s.entries, &s.reasons); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// kill lets a revoke run until it waits for the locks of hold, and kills the server that executes it. It reports whether
// everything has happened, or nothing.
func (d *killDrill) kill(ctx context.Context, point, hold string) (happened bool) {
	d.t.Helper()
	if err := d.dies.Start(); err != nil {
		d.t.Fatal(err)
	}
	before := d.state(ctx)
	held, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer held.Rollback() //nolint:errcheck // already rolled back below, unless the drill fails earlier
	if _, err := held.ExecContext(ctx, hold); err != nil {
		d.t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		client := d.dies.Client()
		defer client.Close()
		_, err := client.Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+d.subscription+"/revoke",
			map[string]string{"reason": "drill"}, nil, support.Bearer(support.AdminToken))
		answered <- err
	}()
	d.wait(ctx, point+": the revoke is held up", `SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'dies' AND wait_event_type = 'Lock'`)
	if err := d.dies.Kill(); err != nil {
		d.t.Fatal(err)
	}
	if err := <-answered; err == nil {
		d.t.Errorf("killed %s, the server answered", point)
	}
	if err := held.Rollback(); err != nil {
		d.t.Fatal(err)
	}
	d.wait(ctx, point+": PostgreSQL has given the server up", `SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'dies'`)

	all := state{
		revision: before.revision + 1, revoked: true, invalid: before.invalid + 2, indexes: before.indexes + 2,
		entries: before.entries + 1, reasons: before.reasons + 1,
	}
	now := d.state(ctx)
	if now != before && now != all {
		d.t.Errorf("killed %s: %+v, before it %+v", point, now, before)
	}
	d.reconcile(ctx, "killed "+point, !now.revoked)
	return now == all
}

// recover repeats the interrupted revoke, and undoes it.
func (d *killDrill) recover(ctx context.Context, point string) {
	d.t.Helper()
	for _, action := range []string{"revoke", "reinstate"} {
		if _, err := d.stays.Client().Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+d.subscription+"/"+action,
			map[string]string{"reason": "drill"}, nil, support.Bearer(support.AdminToken)); err != nil {
			d.t.Fatalf("%s after it was killed %s: %v", action, point, err)
		}
		d.reconcile(ctx, action+" after it was killed "+point, action == "reinstate")
	}
}

// reconcile expects features for both devices, or for neither.
func (d *killDrill) reconcile(ctx context.Context, when string, features bool) {
	d.t.Helper()
	for i, device := range d.devices {
		reconciled, err := device.Reconcile(ctx, d.stays.Client())
		if err != nil || reconciled.Status != http.StatusOK || len(reconciled.Document.Features) > 0 != features {
			d.t.Errorf("%s: device %d gets %d, %v, %v", when, i, reconciled.Status, reconciled.Document.Features, err)
		}
	}
}

// wait polls PostgreSQL until the query returns true.
func (d *killDrill) wait(ctx context.Context, what, query string) {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		var yes bool
		if err := d.db.QueryRowContext(ctx, query).Scan(&yes); err != nil {
			d.t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal(fmt.Sprint("in vain: ", what))
		}
		time.Sleep(2 * time.Millisecond)
	}
}
