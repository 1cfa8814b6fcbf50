package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"holdfast/e2e/support"
)

// kill -9 of the server, then of PostgreSQL, during registrations and reconciles: everything answered with 2xx still
// holds, nothing half-made exists, and no device is called a copy.
func TestServerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	accounts, workers := 150, 8
	if full {
		accounts = 1000
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	server := support.NewServer(t, binary)
	server.Settings = []string{support.Networks}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}

	drill := &crashDrill{t: t, server: server}
	numbers := make(chan int)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for n := range numbers {
				drill.live(ctx, n)
			}
		})
	}
	for n := range accounts {
		switch n {
		case accounts / 3:
			drill.crash(func() error { return server.Kill() })
		case accounts * 2 / 3:
			drill.crash(func() error {
				cluster, err := support.FindCluster(server.Data)
				if err != nil {
					return err
				}
				if err := syscall.Kill(cluster.PID, syscall.SIGKILL); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond) // requests run into the missing database
				return server.Kill()
			})
		}
		select {
		case numbers <- n:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	close(numbers)
	working.Wait()
	if t.Failed() {
		return
	}

	drill.crash(func() error { return server.Kill() })
	for _, l := range drill.lives {
		l.check(ctx, t, server)
	}
	checkNothingHalfMade(ctx, t, server, drill)
	t.Logf("%d accounts, %d steps cut short", len(drill.lives), drill.cut.Load())
}

type crashDrill struct {
	t      *testing.T
	server *support.Server
	cut    atomic.Int64 // steps that got no answer, or a 5xx

	mu       sync.Mutex
	lives    []*life
	attempts int // accounts that may exist although the answer was lost
}

// life holds the facts of one person that were answered with 2xx.
type life struct {
	user         support.User
	client       *support.Client
	passkey      *support.Passkey
	device       *support.Device
	subscription string
	revision     int64
}

// crash kills during the work and starts the server again.
func (d *crashDrill) crash(kill func() error) {
	d.t.Helper()
	if err := kill(); err != nil {
		d.t.Fatal(err)
	}
	if err := d.server.Start(); err != nil {
		d.t.Fatal(err)
	}
}

// live takes one person through registration, trial, linking and reconciles. A step without an answer is retried; a
// refusal is the server's error.
func (d *crashDrill) live(ctx context.Context, n int) {
	client := d.server.Client()
	client.Network = fmt.Sprintf("10.%d.%d.1", n/256, n%256)
	defer client.Close()
	l := &life{client: client}
	err := d.insist(ctx, func() error {
		user, passkey, err := client.Register(ctx, fmt.Sprintf("drill %d", n))
		if err != nil {
			d.mu.Lock()
			d.attempts++
			d.mu.Unlock()
			return err
		}
		l.user, l.passkey = user, passkey
		return nil
	})
	if err != nil {
		d.t.Errorf("register %d: %v", n, err)
		return
	}
	d.mu.Lock()
	d.lives = append(d.lives, l)
	d.mu.Unlock()

	err = d.insist(ctx, func() error {
		subscription, err := client.Trial(ctx)
		var problem *support.Problem
		if errors.As(err, &problem) && problem.Code == "conflict" {
			return nil // it began, but the answer was lost
		}
		l.subscription = subscription
		return err
	})
	if err != nil {
		d.t.Errorf("trial %d: %v", n, err)
		return
	}

	device, err := support.NewDevice()
	if err != nil {
		d.t.Error(err)
		return
	}
	if err := d.insist(ctx, func() error { return device.Link(ctx, client, "laptop") }); err != nil {
		d.t.Errorf("link %d: %v", n, err)
		return
	}
	l.device = device
	for range 4 {
		if err := d.insist(ctx, func() error { return l.reconcile(ctx) }); err != nil {
			d.t.Errorf("reconcile %d: %v", n, err)
			return
		}
	}
}

// insist retries a step until it is answered. It retries only failures that a crash explains: no answer, half of one, a
// 5xx.
func (d *crashDrill) insist(ctx context.Context, step func() error) error {
	for {
		err := step()
		if err == nil {
			return nil
		}
		var problem *support.Problem
		if errors.As(err, &problem) && problem.Status < 500 {
			return err
		}
		var wrong *wrongDocument
		if errors.As(err, &wrong) {
			return err
		}
		d.cut.Add(1)
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// wrongDocument is an answer that no crash explains.
type wrongDocument struct{ text string }

func (w *wrongDocument) Error() string { return w.text }

// reconcile expects the trial's features and a revision that never goes back.
func (l *life) reconcile(ctx context.Context) error {
	reconciled, err := l.device.Reconcile(ctx, l.client)
	if err != nil {
		return err
	}
	document := reconciled.Document
	if document.State != "active" || len(document.Features) == 0 || document.Subject != l.user.ID {
		return &wrongDocument{fmt.Sprintf("%d: state %q, reason %v, features %v of %s",
			reconciled.Status, document.State, document.Reason, document.Features, document.Subject)}
	}
	if document.Revision < l.revision {
		return &wrongDocument{fmt.Sprintf("rev %d after %d", document.Revision, l.revision)}
	}
	l.revision = document.Revision
	return nil
}

// check asks the server for everything that it has confirmed.
func (l *life) check(ctx context.Context, t *testing.T, server *support.Server) {
	t.Helper()
	fresh := server.Client()
	defer fresh.Close()
	user, err := fresh.SignIn(ctx, l.passkey)
	if err != nil {
		t.Errorf("%s cannot sign in: %v", l.user.Name, err)
		return
	}
	if user != l.user {
		t.Errorf("%+v signed in as %+v", l.user, user)
	}
	if err := l.reconcile(ctx); err != nil {
		t.Errorf("the device of %s: %v", l.user.Name, err)
	}
}

// checkNothingHalfMade looks at the rows themselves, as the owner.
func checkNothingHalfMade(ctx context.Context, t *testing.T, server *support.Server, drill *crashDrill) {
	t.Helper()
	cluster, err := support.FindCluster(server.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, query := range map[string]string{
		"users without a passkey": `SELECT count(*) FROM users u
			WHERE NOT EXISTS (SELECT FROM passkeys p WHERE p.user_id = u.id)`,
		"passkeys that no audit row tells of": `SELECT count(*) FROM passkeys p
			WHERE NOT EXISTS (SELECT FROM audit a WHERE a.user_id = p.user_id AND a.action = 'passkey.added')`,
		"trials without a subscription": `SELECT count(*) FROM users u WHERE u.trial_started_at IS NOT NULL
			AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.user_id = u.id)`,
		"subscriptions without a trial": `SELECT count(*) FROM subscriptions s JOIN users u ON u.id = s.user_id
			WHERE u.trial_started_at IS NULL`,
		"second subscriptions":      `SELECT count(*) FROM (SELECT FROM subscriptions GROUP BY user_id HAVING count(*) > 1) x`,
		"second devices":            `SELECT count(*) FROM (SELECT FROM devices GROUP BY user_id HAVING count(*) > 1) x`,
		"devices called forked":     `SELECT count(*) FROM devices WHERE forked_at IS NOT NULL`,
		"devices that did not last": `SELECT count(*) FROM devices WHERE removed_at IS NOT NULL`,
		"reconciles without a bound": `SELECT count(*) FROM devices
			WHERE lineage_n > 0 AND (last_reconciled_at IS NULL OR document_bound IS NULL)`,
		"revisions of a device ahead of its user's": `SELECT count(*) FROM devices d JOIN users u ON u.id = d.user_id
			WHERE d.revision > u.revision`,
	} {
		var count int
		if err := db.QueryRowContext(ctx, query).Scan(&count); err != nil {
			t.Errorf("%s: %v", what, err)
		} else if count != 0 {
			t.Errorf("%s: %d", what, count)
		}
	}

	// As many accounts as were confirmed, plus at most those whose answer was lost.
	var users int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&users); err != nil {
		t.Fatal(err)
	}
	if confirmed := len(drill.lives); users < confirmed || users > confirmed+drill.attempts {
		t.Errorf("%d users; %d were confirmed, %d were not", users, confirmed, drill.attempts)
	}
	ids := make(map[string]bool)
	rows, err := db.QueryContext(ctx, `SELECT id::text FROM users`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids[strings.ToLower(id)] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, l := range drill.lives {
		if !ids[l.user.ID] {
			t.Errorf("%s is gone", l.user.Name)
		}
	}
}
