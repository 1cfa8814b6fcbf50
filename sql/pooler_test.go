package sql_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// pooler starts a PgBouncer in front of the database at address, with the given pool_mode and further settings, and returns
// the database's address behind it.
func pooler(t *testing.T, address, mode, settings string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	dir, err := os.MkdirTemp("", "pooler-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "users"), fmt.Appendf(nil, "%q \"\"\n", u.User.Username()), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), fmt.Appendf(nil, `[databases]
* = host=%s port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s/users
pool_mode = %s
%s
`, u.Query().Get("host"), port, dir, mode, settings), 0o644))
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	bouncer := exec.Command(program, filepath.Join(dir, "pgbouncer.ini"))
	bouncer.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 { // PgBouncer does not run as root
		socket, err := os.Stat(filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")) // only PostgreSQL's user may use it
		must(t, err)
		by := socket.Sys().(*syscall.Stat_t)
		bouncer.SysProcAttr.Credential = &syscall.Credential{Uid: by.Uid, Gid: by.Gid}
	}
	var log strings.Builder
	bouncer.Stderr = &log
	must(t, bouncer.Start())
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			must(t, conn.Close())
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Sprintf("postgres://%s@%s%s?sslmode=disable", u.User.Username(), at, u.Path)
}

// TestPoolerInSessionMode checks that settings, prepared statements and announcements work behind PgBouncer.
func TestPoolerInSessionMode(t *testing.T) {
	t.Parallel()
	_, runtime := sqltest.Database(t)
	address := pooler(t, runtime, "session", "") + "&idle_session_timeout=1h"
	db, err := sql.OpenDatabase(t.Context(), address, 4)
	must(t, err)
	defer db.Close()
	must(t, db.CheckWritable(t.Context()))
	if _, err := db.Entitlements.Plans(t.Context()); err != nil {
		t.Error(err)
	}
	heard, missed := make(chan struct{}, 10), make(chan struct{}, 10)
	must(t, sql.Listen(t.Context(), address, sql.Audience{
		Status: func() {}, Plan: func() { heard <- struct{}{} }, Webhook: func() {},
		Revision: func(entitlements.UserID, int64) {}, SessionEnd: func(string) {},
		Missed: func(context.Context) error { missed <- struct{}{}; return nil },
	}))
	<-missed // it listens
	<-heard
	connect(t, runtime).MustExec("NOTIFY holdfast_plan")
	<-heard
	raw, err := sql.Open(t.Context(), address)
	must(t, err)
	defer raw.Close()
	var settings string
	must(t, raw.Get(&settings, `SELECT concat_ws(' ', current_user, current_setting('statement_timeout'), current_setting('idle_session_timeout'))`))
	if settings != "holdfast_runtime 6s 1h" {
		t.Error(settings)
	}
}

// TestPoolerThatSharesSessionsIsRefused checks that a pooler that gives a client a session for a transaction or statement is
// refused at start, whichever session it takes and whoever else uses it.
func TestPoolerThatSharesSessionsIsRefused(t *testing.T) {
	t.Parallel()
	owner, runtime := sqltest.Database(t)
	for _, mode := range []string{"transaction", "statement"} {
		for _, order := range []string{"0", "1"} {
			t.Run(mode+" "+order, func(t *testing.T) {
				t.Parallel()
				settings := "server_round_robin = " + order + "\nmin_pool_size = 3\nserver_check_delay = 0\nserver_login_retry = 0"
				if _, err := sql.Open(t.Context(), pooler(t, runtime, mode, settings)); !errors.Is(err, sql.ErrSharedSessions) {
					t.Errorf("the server: %v", err)
				}
				if err := sql.Migrate(t.Context(), pooler(t, owner, mode, settings)); !errors.Is(err, sql.ErrSharedSessions) {
					t.Errorf("the owner: %v", err)
				}
			})
		}
	}
}
