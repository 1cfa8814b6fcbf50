package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/e2e/support"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// configureOn returns the configuration of a server on the database at url, which has new keys.
func configureOn(t *testing.T, url string, args ...string) Config {
	t.Helper()
	data := filepath.Join(folder(t), "data")
	succeed(t, "keys", "init", "--origin", "http://localhost:8080", "--data", data)
	return configure(t, append([]string{"--database-url", url, "--admin-token", bootstrapToken, "--origin", "http://localhost:8080", "--data", data}, args...)...)
}

// serveOn runs a server that [configureOn] configured.
func serveOn(t *testing.T, config Config) *server {
	t.Helper()
	s := serve(t, config)
	s.origin = "http://" + find(t, `"listen":"([^"]+)"`, s.log.String())
	return s
}

// want sends a request with the bootstrap token, and checks that an answer with that status and code arrives in time.
func (s *server) want(t *testing.T, method, path, body string, status int, part string) string {
	t.Helper()
	got, text := ask(t, method, s.origin+path, bootstrapToken, body)
	if got != status || !strings.Contains(text, part) {
		t.Fatalf("%s %s: %d %s, want %d with %q", method, path, got, text, status, part)
	}
	return text
}

// customer is a registered user with a linked device that has reconciled.
type customer struct {
	*support.Client
	user    support.User
	passkey *support.Passkey
	device  *support.Device
}

func (s *server) customer(t *testing.T) customer {
	t.Helper()
	c := customer{Client: s.browser()}
	var err error
	if c.user, c.passkey, err = c.Register(t.Context(), "Ada"); err != nil {
		t.Fatal(err)
	}
	if c.device, err = support.NewDevice(); err != nil {
		t.Fatal(err)
	}
	if err := c.device.Link(t.Context(), c.Client, "Laptop"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.device.Reconcile(t.Context(), c.Client); err != nil {
		t.Fatal(err)
	}
	return c
}

// browser returns a profile without cookies.
func (s *server) browser() *support.Client {
	return support.NewClient("http://localhost:8080", s.origin)
}

// ceremony begins a ceremony at path and returns the function that finishes it.
func (s *server) ceremony(t *testing.T, path, body string, do func(publicKey []byte) (json.RawMessage, error)) func() error {
	t.Helper()
	browser := s.browser()
	var begun struct {
		Ceremony  string          `json:"ceremony"`
		PublicKey json.RawMessage `json:"publicKey"`
	}
	if _, err := browser.Do(t.Context(), "POST", path+"/options", json.RawMessage(body), &begun, nil); err != nil {
		t.Fatal(err)
	}
	credential, err := do(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		_, err := browser.Do(t.Context(), "POST", path, map[string]any{"ceremony": begun.Ceremony, "credential": credential}, nil, nil)
		return err
	}
}

// TestNoAcknowledgementWithoutStandby checks that a 2xx means that the synchronous standby has confirmed the change. While
// the standby is cut off the outcome is unknown, and the answer says whether the request may be sent again. Once it is
// back, requests succeed.
func TestNoAcknowledgementWithoutStandby(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	standby := primary.Standby(t)
	s := serveOn(t, configureOn(t, primary.URL(local.Owner)))
	put := func(user string) string {
		return fmt.Sprintf(`{"user":%q,"plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`, user)
	}
	// One user for each changing request, because requests about one user wait for each other.
	revoked, subscribed, recovered, granted, keyed := s.customer(t), s.customer(t), s.customer(t), s.customer(t), s.customer(t)
	returning, reconciling := s.customer(t), s.customer(t)
	var made *support.Passkey
	register := s.ceremony(t, "/v1/registration", `{"name":"Joan"}`, func(publicKey []byte) (answer json.RawMessage, err error) {
		made, answer, err = support.CreatePasskey("http://localhost:8080", publicKey)
		return answer, err
	})
	signIn := s.ceremony(t, "/v1/authentication", `{}`, returning.passkey.Assert)
	s.want(t, "PUT", "/admin/v1/subscriptions/s1", put(revoked.user.ID), 200, "")

	standby.Stop(t)
	admin := func(method, path, body string, header ...string) func() error {
		return func() error {
			bearer := support.Bearer(bootstrapToken)
			if len(header) == 2 {
				bearer.Set(header[0], header[1])
			}
			_, err := s.browser().Do(t.Context(), method, path, json.RawMessage(body), nil, bearer)
			return err
		}
	}
	const (
		safe   = "Sending it again is safe"
		revoke = `{"reason":"chargeback"}`
		grant  = `{"plan":"premium","days":30,"reason":"sorry"}`
	)
	var group sync.WaitGroup
	var announced sync.Mutex // PostgreSQL serialises commits of transactions with NOTIFY
	for name, request := range map[string]struct {
		advice string
		send   func() error
	}{
		"revoke a subscription":           {safe, admin("POST", "/admin/v1/subscriptions/s1/revoke", revoke)},
		"subscription":                    {safe, admin("PUT", "/admin/v1/subscriptions/s2", put(subscribed.user.ID))},
		"recovery link":                   {safe, admin("POST", "/admin/v1/users/"+recovered.user.ID+"/recovery", `{"reason":"lost phone"}`)},
		"grant a subscription with a key": {safe, admin("POST", "/admin/v1/users/"+keyed.user.ID+"/grants", grant, "Idempotency-Key", "k")},
		"grant a subscription":            {"Look at the user's subscriptions", admin("POST", "/admin/v1/users/"+granted.user.ID+"/grants", grant)},
		"known customer":                  {safe, admin("POST", "/admin/v1/users", `{"name":"Eve","external_id":"eve"}`)},
		"user":                            {"Search for the user", admin("POST", "/admin/v1/users", `{"name":"Eve"}`, "Idempotency-Key", "k")},
		"staff":                           {"Look at the list of staff", admin("POST", "/admin/v1/staff", `{"name":"Sam","role":"support"}`)},
		"registration":                    {"Sign in with the new passkey", register},
		"sign-in":                         {"Sign in again", signIn},
		"reconcile":                       {safe, func() error { _, err := reconciling.device.Reconcile(t.Context(), reconciling.Client); return err }},
	} {
		group.Go(func() {
			if strings.Contains(name, "subscription") {
				announced.Lock()
				defer announced.Unlock()
			}
			err := request.send()
			problem, ok := errors.AsType[*support.Problem](err)
			if !ok || problem.Status != 503 || problem.Code != "unavailable" ||
				!strings.Contains(problem.Detail, "outcome is unknown") || !strings.Contains(problem.Detail, request.advice) {
				t.Errorf("without the standby, %s: %v; want 503, an unknown outcome, and %q", name, err, request.advice)
			}
		})
	}
	group.Wait()
	if got := status(t, s.ops+"/readyz"); got != 503 {
		t.Errorf("readiness without the standby: %d", got)
	}
	standby.Start(t)
	primary.AwaitStandby(t)
	s.want(t, "POST", "/admin/v1/subscriptions/s1/revoke", revoke, 200, `"revoked":true`)
	if _, err := reconciling.device.Reconcile(t.Context(), reconciling.Client); err != nil {
		t.Errorf("the reconcile again: %v", err)
	}
	// As the answer says: either the passkey opens the account, or it is unknown and a new registration works.
	if _, err := s.browser().SignIn(t.Context(), made); err != nil {
		if _, _, err := s.browser().Register(t.Context(), "Joan"); err != nil {
			t.Errorf("a registration again: %v", err)
		}
	}
}

// TestReadOnlyDatabase simulates a failover behind one address, which leaves connections to a database that has become
// read-only. Each connection is dropped at once, and readiness fails until a write works.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	s := serveOn(t, configureOn(t, primary.URL(local.Owner)))
	fill(t, s)
	if got := status(t, s.ops+"/readyz"); got != 200 {
		t.Fatalf("readiness: %d", got)
	}
	// Like a full disk, this makes writes to temporary files fail.
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

// fill sends enough concurrent requests to fill the pool.
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

// patience ends a wait for something that takes seconds, or on a busy machine much longer.
const patience = 2 * time.Minute

// await polls until done returns true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	begun := time.Now()
	for !done() {
		if time.Since(begun) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestSilentDatabase lets the primary hang, or drops its packets, while the pool is full, and promotes the standby. Every
// request ends, readiness is correct, and the server recovers. On an idle machine this takes less than 15 seconds.
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
			s := serveOn(t, configureOn(t, fmt.Sprintf("postgres:///holdfast?host=%s,%s&port=%s,%s&user=%s&sslmode=disable", host, host, port, otherPort, local.Owner)))
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
			standby.Promote(t)
			standby.Await(t, `SELECT NOT pg_is_in_recovery()`)
			standby.Exec(t, `ALTER SYSTEM RESET synchronous_standby_names`)
			standby.Exec(t, `SELECT pg_reload_conf()`)
			for range cap(answers) {
				select {
				case got := <-answers:
					if got != 503 && got != 201 {
						t.Errorf("a request while the database is silent: %d", got)
					}
				case <-time.After(patience):
					t.Fatal("a request has no end while the database is silent")
				}
			}
			await(t, "the server writes again", func() bool {
				got, _ := ask(t, "POST", s.origin+"/admin/v1/users", bootstrapToken, `{"name":"Eve"}`)
				return got == 201
			})
			await(t, "readiness is green", func() bool { return status(t, s.ops+"/readyz") == 200 })
			t.Logf("%s: over after %v", name, time.Since(begun))
		})
	}
}

// setClock hides clock_timestamp in pg_catalog by a function that is off, for connections whose search_path says so. Updating
// test_clock changes by how much.
func setClock(t *testing.T, node *sqltest.Node, off string) {
	t.Helper()
	node.Exec(t, `CREATE TABLE test_clock (off interval)`)
	node.Exec(t, `INSERT INTO test_clock VALUES ($1::interval)`, off)
	node.Exec(t, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz SECURITY DEFINER LANGUAGE sql
		AS 'SELECT pg_catalog.clock_timestamp() + off FROM public.test_clock'`)
	node.Exec(t, `GRANT EXECUTE ON FUNCTION public.clock_timestamp() TO PUBLIC`)
}

// TestClockFarFromTheDatabase checks that a server whose clock is far from the database's refuses requests and signs
// nothing, reports that, and continues when the clock is right again.
func TestClockFarFromTheDatabase(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	setClock(t, primary, "0")
	config := configureOn(t, primary.URL(local.Owner)+"&search_path=public,pg_catalog")
	config.clockEvery = 100 * time.Millisecond
	s := serveOn(t, config)
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
		if _, metrics := ask(t, "GET", s.ops+"/metrics", "", ""); !regexp.MustCompile(`(?m)^holdfast_clock_ahead_seconds -2[34]\d`).MatchString(metrics) {
			t.Error("the metrics do not say that the clock is 4 minutes behind")
		}
		s.want(t, "POST", "/admin/v1/users", `{"name":"Ada"}`, 201, "")
	}
}

// TestClockOffStopsBackgroundWork checks that a server whose clock is far ahead of the database's deletes no row that other
// servers need, uses up no attempt to send a webhook, and rolls out no plan.
func TestClockOffStopsBackgroundWork(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	setClock(t, primary, "-20 days")
	const sessionless = `'00000000-0000-4000-8000-000000000000'`
	primary.Exec(t, `INSERT INTO spent (id, expires_at) VALUES (`+sessionless+`, now() - interval '1 day')`)
	primary.Exec(t, `UPDATE plans SET raising_after = '00000000-0000-0000-0000-000000000000' WHERE id = 'premium'`)
	receiver := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(receiver.Close)
	primary.Exec(t, `INSERT INTO webhook_endpoints (digest, shown, active) VALUES (sha256(convert_to($1, 'UTF8')), $1, true)`, receiver.URL)
	primary.Exec(t, `INSERT INTO webhook_deliveries (user_id, endpoint, message_id, type, payload, created_at, next_attempt_at)
		SELECT `+sessionless+`, id, `+sessionless+`, 'user.erased', '{}', now(), now() - interval '1 day' FROM webhook_endpoints`)
	config := configureOn(t, primary.URL(local.Owner)+"&search_path=public,pg_catalog",
		"--webhook-url", receiver.URL, "--webhook-secret", "whsec_"+strings.Repeat("S3cr", 10))
	config.clockEvery = 100 * time.Millisecond
	s := serveOn(t, config)
	for _, waits := range []string{"housekeeping failed", "plan rollout failed", "webhooks not sent"} {
		await(t, waits, func() bool { return strings.Contains(s.log.String(), waits) })
	}
	for what, query := range map[string]string{
		"the spent ceremony":   `SELECT count(*) = 1 FROM spent`,
		"the plan's holders":   `SELECT raising_after IS NOT NULL FROM plans WHERE id = 'premium'`,
		"the webhook's chance": `SELECT attempts = 0 FROM webhook_deliveries`,
	} {
		if !primary.Is(t, query) {
			t.Errorf("%s did not wait for the clock", what)
		}
	}

	primary.Exec(t, `UPDATE test_clock SET off = '0'`)
	primary.Await(t, `SELECT raising_after IS NULL FROM plans WHERE id = 'premium'`)
	primary.Await(t, `SELECT attempts > 0 FROM webhook_deliveries`)
}

// TestPruneNeedsTheRightClock checks that 'audit prune' deletes nothing on a machine whose clock is ahead of the database's.
func TestPruneNeedsTheRightClock(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	setClock(t, primary, "-20 days")
	primary.Exec(t, `INSERT INTO audit (at, actor, action, object) VALUES (now() - interval '40 days', 'operator', 'plan.put', 'plan:premium')`)
	prune := []string{"audit", "prune", "--audit-retention", "30d", "--database-url", primary.URL(local.Owner) + "&search_path=public,pg_catalog"}
	if code, _, errs := call(t, prune...); code == 0 || !strings.Contains(errs, "clock") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if !primary.Is(t, `SELECT count(*) = 1 FROM audit`) {
		t.Error("an entry is gone that is 20 days old by the database's clock")
	}
	primary.Exec(t, `UPDATE test_clock SET off = '0'`)
	succeed(t, prune...)
	if !primary.Is(t, `SELECT count(*) = 0 FROM audit`) {
		t.Error("an old entry is left")
	}
}
