package sql_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/sqltest"
)

// TestAddressesOfLibpq checks the forms of addresses that libpq knows and the driver does not, for the pool and for
// listening.
func TestAddressesOfLibpq(t *testing.T) {
	_, address := sqltest.Database(t)
	u, err := url.Parse(address)
	must(t, err)
	socket, name := u.Query().Get("host"), strings.TrimPrefix(u.Path, "/")
	folder := t.TempDir()
	services, passwords := filepath.Join(folder, "services"), filepath.Join(folder, "passwords")
	must(t, os.WriteFile(services, fmt.Appendf(nil, "[holdfast]\nhost=%s\nuser=holdfast_runtime\ndbname=%s\n", socket, name), 0o600))
	must(t, os.WriteFile(passwords, []byte("*:*:*:*:secret\n"), 0o600))
	t.Setenv("PGSERVICEFILE", services)
	escaped := url.QueryEscape(socket)
	proxy := forward(t, filepath.Join(socket, ".s.PGSQL.5432"))

	for _, form := range []string{
		"postgres://holdfast_runtime@" + proxy + ",127.0.0.1:1/" + name + "?target_session_attrs=read-write&sslmode=disable",
		"postgresql://holdfast_runtime:p%40w@127.0.0.1:1," + proxy + "/" + name + "?sslmode=disable",
		"postgres://holdfast_runtime@[::1]:1," + proxy + "/" + name + "?sslmode=disable",
		"postgres://holdfast_runtime@" + escaped + "/" + name,
		"postgres://holdfast_runtime@" + escaped + ":5432/" + name + "?connect_timeout=2",
		"postgres://holdfast_runtime@" + proxy + "/" + name + "?sslmode=disable&passfile=" + url.QueryEscape(passwords),
		"postgres://?service=holdfast",
		"service=holdfast statement_timeout=4s",
	} {
		db, err := sql.Open(t.Context(), form)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if err := sql.CheckVersion(t.Context(), db); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		must(t, db.Close())
		ctx, stop := context.WithCancel(t.Context())
		missed := make(chan struct{}, 1)
		must(t, sql.Listen(ctx, form, sql.Audience{
			Status: func() {}, Plan: func() {}, Webhook: func() {}, Revision: func(entitlements.UserID, int64) {}, SessionEnd: func(string) {},
			Missed: func(context.Context) error { missed <- struct{}{}; return nil },
		}))
		<-missed // once it listens
		stop()
	}
	t.Setenv("PGSERVICE", "holdfast")
	db, err := sql.Open(t.Context(), "postgres://")
	must(t, err)
	must(t, db.Close())

	for _, wrong := range []string{"postgres://a:geheim@h1:x,h2/db", "postgres://a:geheim@h1,%zz/db", "postgres://?service=none&password=geheim", "mysql://a:geheim@h/db"} {
		if _, err := sql.Open(t.Context(), wrong); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// forward listens on a port of this machine for the socket at path, and returns its address.
func forward(t *testing.T, path string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("unix", path)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = from.(*net.TCPConn).WriteTo(to); _ = to.Close() }()
				_, _ = from.(*net.TCPConn).ReadFrom(to)
			}()
		}
	}()
	return listener.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
