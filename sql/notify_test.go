package sql_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// audience puts a value on changed when a status may have changed, and passes the rest over.
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

// listening is a database and what is heard of it.
type listening struct {
	t     *testing.T
	db    *sqlx.DB
	owner *sqlx.DB
	heard chan string
}

// listen hears everything, and has been told that it has missed what was before. failures is how often catching up
// fails.
func listen(t *testing.T, failures int) *listening {
	t.Helper()
	ownerURL, runtime := sqltest.Database(t)
	return listenAt(t, runtime, ownerURL, runtime, failures)
}

// listenAt listens at address, to the database that has those URLs.
func listenAt(t *testing.T, address, ownerURL, runtime string, failures int) *listening {
	t.Helper()
	l := &listening{t: t, heard: make(chan string, 10_000)}
	for db, url := range map[**sqlx.DB]string{&l.owner: ownerURL, &l.db: runtime} {
		var err error
		if *db, err = sqlx.Connect("postgres", url); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*db).Close() })
	}
	err := sql.Listen(t.Context(), address, sql.Audience{
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

// until returns what is heard before want, status and plan changes left out.
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

// What is committed is heard, once, with its revision; what is rolled back is not; and nothing before the commit.
func TestListen(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	ada, bob := l.user(), l.user()
	session, other := l.session(ada), l.session(bob)

	tx := l.db.MustBegin()
	tx.MustExec(`SET ROLE holdfast_runtime`)
	tx.MustExec(`UPDATE users SET revision = 7 WHERE id = $1`, ada)
	tx.MustExec(`UPDATE users SET name = 'Grace' WHERE id = $1`, ada) // no matter
	tx.MustExec(`DELETE FROM sessions WHERE id = $1`, session)
	rolledBack := l.db.MustBegin()
	rolledBack.MustExec(`SET ROLE holdfast_runtime`)
	rolledBack.MustExec(`UPDATE users SET revision = 9 WHERE id = $1`, bob)
	rolledBack.MustExec(`DELETE FROM sessions WHERE id = $1`, other)
	if err := rolledBack.Rollback(); err != nil {
		t.Fatal(err)
	}
	l.owner.MustExec(`UPDATE users SET revision = revision + 1 WHERE id = $1`, bob) // commits before the first
	if before := l.until(bob + " 2"); len(before) > 0 {
		t.Errorf("heard before the commit: %q", before)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if before := l.until("end of " + session); len(before) != 1 || before[0] != ada+" 7" {
		t.Errorf("heard %q", before)
	}
	// An account that goes takes its sessions with it.
	l.owner.MustExec(`DELETE FROM users WHERE id = $1`, bob)
	if before := l.until("end of " + other); len(before) > 0 {
		t.Errorf("heard %q", before)
	}

	if err := sql.Listen(t.Context(), "postgres://user:secret@%", sql.Audience{}); err == nil {
		t.Error("an address that is none")
	}
}

// A status that changes is announced when that commits.
func TestListenStatus(t *testing.T) {
	t.Parallel()
	l := listen(t, 0)
	l.owner.MustExec(`INSERT INTO status_entries (list, idx) VALUES (0, 1)`)
	for len(l.heard) > 0 {
		<-l.heard
	}
	tx := l.owner.MustBegin()
	tx.MustExec(`UPDATE status_entries SET status = 1`)
	user := l.user()
	l.owner.MustExec(`UPDATE users SET revision = 2 WHERE id = $1`, user)
	if got := <-l.heard; got != user+" 2" {
		t.Errorf("heard before the commit: %s", got)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := <-l.heard; got != "status" {
		t.Errorf("heard %s", got)
	}
}

// A connection that is lost is made anew, and whoever listens is told that there is something to read; over and over
// until that has worked.
func TestListenAgain(t *testing.T) {
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
	l.owner.MustExec(`UPDATE users SET revision = 2 WHERE id = $1`, user)
	l.until(user + " 2")
}

// TestListenNoticesSilence: a proxy that acknowledges every packet but passes none on keeps TCP's own measures quiet. The
// connection counts as lost all the same, and is made again as soon as the proxy lets it.
func TestListenNoticesSilence(t *testing.T) {
	t.Parallel()
	node := sqltest.NewNode(t)
	proxy := sqltest.NewProxy(t, node)
	owner := node.URL(local.Owner)
	l := listenAt(t, proxy.URL(local.Owner), owner, owner, 0)
	user := l.user()
	proxy.BlackHole()
	l.owner.MustExec(`UPDATE users SET revision = 2 WHERE id = $1`, user)
	proxy.Heal()
	if before := l.until("missed"); len(before) > 0 {
		t.Errorf("heard through the black hole: %q", before)
	}
	l.owner.MustExec(`UPDATE users SET revision = 3 WHERE id = $1`, user)
	l.until(user + " 3")
}

func TestCatchUpFails(t *testing.T) {
	t.Parallel()
	l := listen(t, 2)
	l.until("missed")
	l.until("missed")
}
