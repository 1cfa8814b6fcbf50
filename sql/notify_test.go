package sql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/passkey"
	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// audience returns an audience that puts a value on changed when a status may have changed, and ignores the rest.
func audience(changed chan<- struct{}) sql.Audience {
	return sql.Audience{
		Status: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
		Plan:       func() {},
		Webhook:    func() {},
		Revision:   func(entitlements.UserID, int64) {},
		SessionEnd: func(string) {},
		Missed:     func(context.Context) error { return nil },
	}
}

// listening is a database and the announcements received from it.
type listening struct {
	t     *testing.T
	db    *sqlx.DB
	owner *sqlx.DB
	heard chan string
}

// listen listens to all announcements, after the first Missed. failures is how often Missed fails.
func listen(t *testing.T, failures int) *listening {
	t.Helper()
	ownerURL, runtime := sqltest.Database(t)
	return listenAt(t, runtime, ownerURL, runtime, failures)
}

// listenAt listens at address, which leads to the database with those URLs.
func listenAt(t *testing.T, address, ownerURL, runtime string, failures int) *listening {
	t.Helper()
	l := &listening{t: t, heard: make(chan string, 10_000)}
	l.owner = connect(t, ownerURL)
	var err error
	if l.db, err = sql.Open(t.Context(), runtime); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.db.Close() })
	err = sql.Listen(t.Context(), address, sql.Audience{
		Status:     func() { l.heard <- "status" },
		Plan:       func() { l.heard <- "plan" },
		Webhook:    func() {},
		Revision:   func(user entitlements.UserID, revision int64) { l.heard <- fmt.Sprint(user, " ", revision) },
		SessionEnd: func(id string) { l.heard <- "end of " + id },
		Missed: func(context.Context) error {
			l.heard <- "missed"
			if failures--; failures >= 0 {
				return errors.New("the database is down")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.until("missed")
	return l
}

// until returns the announcements before want, except changes of statuses and plans.
func (l *listening) until(want string) []string {
	l.t.Helper()
	var before []string
	for timeout := time.After(30 * time.Second); ; {
		select {
		case got := <-l.heard:
			if got == want {
				return before
			}
			if got != "status" && got != "plan" {
				before = append(before, got)
			}
		case <-timeout:
			l.t.Fatalf("%s was not heard, but %q", want, before)
		}
	}
}

func (l *listening) user() string {
	id := uuid.NewString()
	l.owner.MustExec(`INSERT INTO users (id, name, created_at) VALUES ($1, 'Ada', now())`, id)
	return id
}

func (l *listening) session(user string) string {
	id := uuid.NewString()
	l.owner.MustExec(`INSERT INTO sessions (user_id, id, token_hash, authenticated_at, last_active_at, expires_at)
		VALUES ($1, $2, $3, now(), now(), now() + interval '1 day')`, user, id, []byte(id))
	return id
}

// change changes the user's account.
func (l *listening) change(user string, change entitlements.Change) error {
	l.t.Helper()
	store, err := sql.NewEntitlements(l.t.Context(), l.db)
	if err != nil {
		l.t.Fatal(err)
	}
	change.Audit = append(change.Audit, entitlements.AuditEntry{Actor: "operator", Action: "test", Object: "test:1"})
	_, err = store.Update(l.t.Context(), entitlements.UserID(user), time.Now(), func(entitlements.Account) (entitlements.Change, error) {
		return change, nil
	})
	return err
}

// announce announces a revision.
func (l *listening) announce(user string, revision int64) {
	l.owner.MustExec(`SELECT pg_notify('holdfast_revision', $1)`, fmt.Sprint(user, " ", revision))
}

// TestListen checks that a committed change is announced once, with its revision, and a rolled back one is not.
func TestListen(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	ada, bob := l.user(), l.user()
	session, other := l.session(ada), l.session(bob)

	if err := l.change(ada, entitlements.Change{RaiseTo: 7}); err != nil {
		t.Fatal(err)
	}
	if before := l.until(ada + " 7"); len(before) > 0 {
		t.Errorf("heard %q", before)
	}
	long := entitlements.AuditEntry{Actor: "operator", Action: "test", Object: "test:1", Reason: strings.Repeat("too long", 1000)}
	if err := l.change(bob, entitlements.Change{Raise: true, Audit: []entitlements.AuditEntry{long}}); err == nil {
		t.Fatal("a reason of any length is stored")
	}
	passkeys := newPasskeys(t, l.db)
	if err := passkeys.EndSession(t.Context(), passkey.UserID(ada), session); err != nil {
		t.Fatal(err)
	}
	if before := l.until("end of " + session); len(before) > 0 {
		t.Errorf("heard %q", before)
	}
	// Erasing an account ends its sessions.
	entry := passkey.AuditEntry{At: time.Now(), Actor: "user:" + bob, Action: "account.erased", Object: "user:" + bob, User: passkey.UserID(bob)}
	if err := passkeys.EraseUser(t.Context(), passkey.UserID(bob), nil, entry); err != nil {
		t.Fatal(err)
	}
	if before := l.until("end of " + other); len(before) > 0 {
		t.Errorf("heard %q", before)
	}

	if err := sql.Listen(t.Context(), "postgres://user:secret@%", sql.Audience{}); err == nil {
		t.Error("an address that is none")
	}
}

// TestListenReplacedSession checks that the end of a session that a sign-in replaces is announced, too, although by another
// transaction.
func TestListenReplacedSession(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	w := &world{t: t, db: l.db, clock: &wristwatch{now: time.Now().UTC().Truncate(time.Microsecond)}}
	w.Service = w.replica(passkey.Config{})
	a, in := w.register("Ada")
	for range 3 {
		again, err := w.signIn(a, in.Token)
		if err != nil {
			t.Fatal(err)
		}
		l.until("end of " + in.Session.ID)
		in = again
	}
	if strings.Contains(sql.SignInStatement(), "pg_notify") {
		t.Error("sign-ins commit one at a time")
	}
}

// TestListenStatus checks that a changed status is announced.
func TestListenStatus(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	user, device := l.user(), entitlements.DeviceID(uuid.NewString())
	linked := entitlements.Device{ID: device, Name: "Phone", JKT: "key", LinkedAt: time.Now()}
	if err := l.change(user, entitlements.Change{Raise: true, Link: &linked}); err != nil {
		t.Fatal(err)
	}
	l.until(user + " 2")
	status := func(status entitlements.Status, raise bool) {
		t.Helper()
		change := entitlements.Change{Raise: raise, Status: map[entitlements.DeviceID]entitlements.Status{device: status}}
		if err := l.change(user, change); err != nil {
			t.Fatal(err)
		}
	}
	status(entitlements.StatusValid, true) // unchanged
	if got := <-l.heard; got != user+" 3" {
		t.Errorf("heard %s", got)
	}
	status(entitlements.StatusInvalid, false)
	if got := <-l.heard; got != "status" {
		t.Errorf("heard %s", got)
	}
}

// TestListenPlan checks that a plan change that takes something from its holders is announced.
func TestListenPlan(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	user := l.user()
	for len(l.heard) > 0 {
		<-l.heard
	}
	store, err := sql.NewEntitlements(t.Context(), l.db)
	if err != nil {
		t.Fatal(err)
	}
	put := func(raise bool) {
		t.Helper()
		err := store.PutPlan(t.Context(), entitlements.Plan{ID: "premium", DeviceLimit: 5}, time.Now(),
			func(*entitlements.Plan) (entitlements.PlanChange, error) {
				return entitlements.PlanChange{Raise: raise, Audit: entitlements.AuditEntry{Actor: "operator", Action: "test", Object: "test:1"}}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(false) // the plan has no holders
	if err := l.change(user, entitlements.Change{Raise: true}); err != nil {
		t.Fatal(err)
	}
	if got := <-l.heard; got != user+" 2" {
		t.Errorf("heard %s", got)
	}
	put(true)
	if got := <-l.heard; got != "plan" {
		t.Errorf("heard %s", got)
	}
}

// TestListenReconnects checks that a lost connection is replaced, and that Missed is called until it succeeds.
func TestListenReconnects(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	user := l.user()
	var ended int
	err := l.owner.Get(&ended, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	if err != nil || ended != 1 {
		t.Fatalf("%d connections listen, want one: %v", ended, err)
	}
	l.until("missed")
	l.announce(user, 2)
	l.until(user + " 2")
}

// TestListenNoticesSilence checks that a connection counts as lost, and is replaced as soon as possible, if a proxy
// acknowledges every packet but forwards none, which TCP itself does not notice.
func TestListenNoticesSilence(t *testing.T) {
	t.Parallel()
	node := sqltest.NewNode(t)
	proxy := sqltest.NewProxy(t, node)
	owner := node.URL(local.Owner)
	l := listenAt(t, proxy.URL(local.Owner), owner, owner, 0)
	user := l.user()
	proxy.BlackHole()
	l.announce(user, 2)
	proxy.Heal()
	if before := l.until("missed"); len(before) > 0 {
		t.Errorf("heard through the black hole: %q", before)
	}
	l.announce(user, 3)
	l.until(user + " 3")
}

func TestCatchUpFails(t *testing.T) {
	t.Parallel()
	l := listen(t, 2)
	l.until("missed")
	l.until("missed")
}
