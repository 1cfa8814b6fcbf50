package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// serveOn runs a server on the database at url.
func serveOn(t *testing.T, url string) *server {
	t.Helper()
	data := filepath.Join(folder(t), "data")
	succeed(t, "keys", "init", "--origin", "http://localhost:8080", "--data", data)
	s := serve(t, configure(t, "--database-url", url, "--admin-token", bootstrapToken, "--origin", "http://localhost:8080", "--data", data))
	s.origin = "http://" + find(t, `"listen":"([^"]+)"`, s.log.String())
	return s
}

// want asks with the bootstrap token, and wants an answer of that status and code in time.
func (s *server) want(t *testing.T, method, path, body string, status int, part string) string {
	t.Helper()
	got, text := ask(t, method, s.origin+path, bootstrapToken, body)
	if got != status || !strings.Contains(text, part) {
		t.Fatalf("%s %s: %d %s, want %d with %q", method, path, got, text, status, part)
	}
	return text
}

// A 2xx answer means that the synchronous standby has confirmed the change. While the standby is cut off, the outcome is
// unknown; once it is back, the same request succeeds.
func TestNothingIsAcknowledgedWithoutTheStandby(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	standby := primary.Standby(t)
	s := serveOn(t, primary.URL(local.Owner))
	user := find(t, `"user":\{"id":"([^"]+)"`, s.want(t, "POST", "/admin/v1/users", `{"name":"Ada"}`, 201, ""))
	put := fmt.Sprintf(`{"user":%q,"plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`, user)
	s.want(t, "PUT", "/admin/v1/subscriptions/s1", put, 200, "")

	standby.Stop(t)
	var group sync.WaitGroup
	for _, request := range [][3]string{
		{"POST", "/admin/v1/subscriptions/s1/revoke", `{"reason":"chargeback"}`},
		{"PUT", "/admin/v1/subscriptions/s2", put},
		{"POST", "/admin/v1/users", `{"name":"Eve"}`},
		{"POST", "/admin/v1/users/" + user + "/recovery", `{"reason":"lost phone"}`},
	} {
		group.Go(func() {
			got, text := ask(t, request[0], s.origin+request[1], bootstrapToken, request[2])
			if got != 503 || !strings.Contains(text, `"code":"unavailable"`) {
				t.Errorf("without the standby, %s %s: %d %s", request[0], request[1], got, text)
			}
		})
	}
	group.Wait()
	if got := status(t, s.ops+"/readyz"); got != 503 {
		t.Errorf("readiness without the standby: %d", got)
	}
	s.want(t, "POST", "/admin/v1/subscriptions/s1/revoke", `{"reason":"chargeback"}`, 503, "outcome is unknown")
	standby.Start(t)
	primary.AwaitStandby(t)
	s.want(t, "POST", "/admin/v1/subscriptions/s1/revoke", `{"reason":"chargeback"}`, 200, `"revoked":true`)
}

// A failover behind one address leaves connections to a database that has become read-only. Each of them is left at once,
// and readiness says so until a write works.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	s := serveOn(t, primary.URL(local.Owner))
	fill(t, s)
	if got := status(t, s.ops+"/readyz"); got != 200 {
		t.Fatalf("readiness: %d", got)
	}
	// As a full disk would, this refuses what has to be put there.
	primary.Exec(t, `ALTER SYSTEM SET temp_file_limit = 0`)
	primary.Exec(t, `SELECT pg_reload_conf()`)
	await(t, "readiness is red without room on the disk", func() bool { return status(t, s.ops+"/readyz") == 503 })
	primary.Exec(t, `ALTER SYSTEM RESET temp_file_limit`)
	primary.Exec(t, `SELECT pg_reload_conf()`)
	await(t, "readiness is green with room on the disk", func() bool { return status(t, s.ops+"/readyz") == 200 })

	primary.Exec(t, `ALTER SYSTEM SET default_transaction_read_only = on`)
	primary.Exec(t, `SELECT pg_reload_conf()`)
	await(t, "readiness is red on a read-only database", func() bool { return status(t, s.ops+"/readyz") == 503 })
	s.want(t, "POST", "/admin/v1/users", `{"name":"Eve"}`, 503, "unavailable")

	primary.Exec(t, `ALTER SYSTEM RESET default_transaction_read_only`)
	primary.Exec(t, `SELECT pg_reload_conf()`)
	await(t, "readiness is green again", func() bool { return status(t, s.ops+"/readyz") == 200 })
	s.want(t, "POST", "/admin/v1/users", `{"name":"Eve"}`, 201, "")
}

// fill makes as many requests at once as fill the pool.
func fill(t *testing.T, s *server) {
	t.Helper()
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() { ask(t, "POST", s.origin+"/admin/v1/users", bootstrapToken, `{"name":"Ada"}`) })
	}
	group.Wait()
}

func status(t *testing.T, url string) int {
	t.Helper()
	got, _ := ask(t, "GET", url, "", "")
	return got
}

// await asks again and again until done, for half a minute.
func await(t *testing.T, what string, done func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !done() {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begun)
}

// The primary hangs, or its packets are dropped, while the pool is full; the standby is promoted. Every request ends in
// its time, readiness says what is the case, and the server is back soon after.
func TestSilentDatabase(t *testing.T) {
	t.Parallel()
	for name, silence := range map[string]func(t *testing.T, primary *sqltest.Node, proxy *sqltest.Proxy){
		"hung":       func(t *testing.T, primary *sqltest.Node, _ *sqltest.Proxy) { primary.Freeze(t) },
		"black hole": func(_ *testing.T, _ *sqltest.Node, proxy *sqltest.Proxy) { proxy.BlackHole() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := sqltest.NewNode(t)
			standby := primary.Standby(t)
			first, second := sqltest.NewProxy(t, primary), sqltest.NewProxy(t, standby)
			host, port := first.Hostport()
			_, otherPort := second.Hostport()
			s := serveOn(t, fmt.Sprintf("postgres:///holdfast?host=%s,%s&port=%s,%s&user=%s&sslmode=disable", host, host, port, otherPort, local.Owner))
			fill(t, s)

			silence(t, primary, first)
			begun := time.Now()
			answers := make(chan int, 60)
			for range cap(answers) {
				go func() {
					got, _ := ask(t, "POST", s.origin+"/admin/v1/users", bootstrapToken, `{"name":"Ada"}`)
					answers <- got
				}()
			}
			await(t, "readiness is red", func() bool { return status(t, s.ops+"/readyz") == 503 })
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("readiness took %v", took)
			}
			standby.Promote(t)
			standby.Await(t, `SELECT NOT pg_is_in_recovery()`)
			standby.Exec(t, `ALTER SYSTEM RESET synchronous_standby_names`)
			standby.Exec(t, `SELECT pg_reload_conf()`)
			for range cap(answers) {
				if got := <-answers; got != 503 && got != 201 {
					t.Errorf("a request while the database is silent: %d", got)
				}
			}
			if took := time.Since(begun); took > 14*time.Second {
				t.Errorf("requests took %v", took)
			}
			await(t, "the server writes again", func() bool {
				got, _ := ask(t, "POST", s.origin+"/admin/v1/users", bootstrapToken, `{"name":"Eve"}`)
				return got == 201
			})
			await(t, "readiness is green", func() bool { return status(t, s.ops+"/readyz") == 200 })
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("the outage lasted %v", took)
			}
			t.Logf("%s: over after %v", name, time.Since(begun))
		})
	}
}

// A server whose clock is far from the database's refuses what it would judge or sign by it, says so, and goes on when the
// clock is right again.
func TestClockFarFromTheDatabase(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	// In front of pg_catalog's function there is one that can be set.
	primary.Exec(t, `CREATE TABLE test_clock (off interval)`)
	primary.Exec(t, `INSERT INTO test_clock VALUES ('0')`)
	primary.Exec(t, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz SECURITY DEFINER LANGUAGE sql
		AS 'SELECT pg_catalog.clock_timestamp() + off FROM public.test_clock'`)
	primary.Exec(t, `GRANT EXECUTE ON FUNCTION public.clock_timestamp() TO PUBLIC`)
	s := serveOn(t, primary.URL(local.Owner)+"&search_path=public,pg_catalog")
	s.want(t, "POST", "/admin/v1/users", `{"name":"Ada"}`, 201, "")

	for off, word := range map[string]string{"-20 days": "ahead", "20 days": "behind"} {
		primary.Exec(t, `UPDATE test_clock SET off = $1::interval`, off)
		await(t, "the clock is found to be off", func() bool { return strings.Contains(s.log.String(), word) })
		s.want(t, "POST", "/admin/v1/users", `{"name":"Ada"}`, 503, "unavailable")
		s.want(t, "GET", "/v1/session", ``, 503, "unavailable")
		s.want(t, "GET", "/.well-known/jwks.json", ``, 200, "")
		if got, body := ask(t, "GET", s.ops+"/readyz", "", ""); got != 503 || !strings.Contains(body, "clock") {
			t.Errorf("readiness: %d %s", got, body)
		}
		primary.Exec(t, `UPDATE test_clock SET off = '4 minutes'`)
		await(t, "the clock is near again", func() bool { return status(t, s.ops+"/readyz") == 200 })
		s.want(t, "POST", "/admin/v1/users", `{"name":"Ada"}`, 201, "")
	}
}
