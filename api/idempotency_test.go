package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
)

// keyed sends a POST to the admin API with an Idempotency-Key, under the bootstrap token or another.
func (b *browser) keyed(key, path, body string, secret ...string) answer {
	b.w.t.Helper()
	secret = append(secret, adminSecret)
	return b.do("POST", path, body, "Authorization", "Bearer "+secret[0], "Idempotency-Key", key)
}

func (w *world) connect() *sqlx.DB {
	w.t.Helper()
	db, err := sqlx.Connect("postgres", w.owner)
	must(w.t, err)
	w.t.Cleanup(func() { db.Close() })
	return db
}

func (w *world) count(table string) (n int) {
	w.t.Helper()
	must(w.t, w.connect().Get(&n, "SELECT count(*) FROM "+table))
	return n
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	const users, body = "/admin/v1/users", `{"name":"Ada"}`
	first := support.keyed("k-1", users, body).want(t, 201, "")
	again := support.keyed("k-1", users, body).want(t, 201, "")
	if string(again.body) != string(first.body) || again.Header.Get("Content-Type") != "application/json" || again.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("repeated: %v %s, first %s", again.Header, again.body, first.body)
	}
	if n := w.count("users"); n != 1 {
		t.Errorf("%d users", n)
	}
	support.keyed("k-1", users, `{"name":"Bob"}`).want(t, 409, "conflict")
	support.keyed(strings.Repeat("~", 255), users, body).want(t, 201, "")
	support.admin("POST", users, body).want(t, 201, "")

	// The same key with another token, or for another path, identifies another request.
	_, secret, err := w.passkeys.CreateToken(t.Context(), "operator", "CRM", []passkey.Scope{passkey.SupportWrite}, 0)
	must(t, err)
	other := support.keyed("k-1", users, `{"name":"Bob"}`, secret).want(t, 201, "")
	for _, id := range []string{"a", "b"} {
		support.admin("PUT", "/admin/v1/subscriptions/"+id,
			`{"user":"`+other.text("user.id")+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
	}
	for _, id := range []string{"a", "b"} {
		revoked := support.keyed("k-1", "/admin/v1/subscriptions/"+id+"/revoke", `{"reason":"x"}`).want(t, 200, "")
		if revoked.text("subscription.id") != id {
			t.Errorf("revoking %s: %s", id, revoked.body)
		}
	}

	// An answer without a body.
	ada := w.browser()
	ada.register("Ada")
	device, _ := ada.link()
	for range 2 {
		lost := support.keyed("k-1", "/admin/v1/devices/"+device+"/revoke", `{"reason":"lost"}`).want(t, 204, "")
		if lost.Header.Get("Content-Type") != "" {
			t.Errorf("204 with %v", lost.Header)
		}
	}

	// A refused request can be tried again, even with another body.
	support.keyed("k-2", users, `{"name":""}`).want(t, 400, "invalid_request")
	support.keyed("k-2", users, `{"name":"Cleo"}`).want(t, 201, "")

	// A token that may not call a route learns nothing of its answers.
	_, reader, err := w.passkeys.CreateToken(t.Context(), "operator", "reader", []passkey.Scope{passkey.SupportRead}, 0)
	must(t, err)
	support.keyed("k-1", users, body, reader).want(t, 403, "forbidden")

	// A day later the key can be reused.
	w.clock.forward(24*time.Hour - time.Second)
	support.keyed("k-1", users, body).want(t, 201, "")
	if n := w.count("users"); n != 6 {
		t.Errorf("%d users before the day is over", n)
	}
	w.clock.forward(time.Second)
	support.keyed("k-1", users, `{"name":"Dan"}`).want(t, 201, "")
}

// TestIdempotencyInProgress checks that of concurrent requests one is executed, and that a dead server's claim passes on.
func TestIdempotencyInProgress(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	const users, body = "/admin/v1/users", `{"name":"Ada"}`
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := support.keyed("at-once", users, body)
			if got.StatusCode != http.StatusCreated && got.code() != "conflict" {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
	wg.Wait()
	if n := w.count("users"); n != 1 {
		t.Errorf("%d users", n)
	}

	db := w.connect()
	db.MustExec(`UPDATE idempotency SET status = NULL, answer = NULL`)
	w.clock.forward(time.Minute - time.Second)
	support.keyed("at-once", users, body).want(t, 409, "conflict")
	w.clock.forward(time.Second)
	support.keyed("at-once", users, `{"name":"Bob"}`).want(t, 409, "conflict")
	support.keyed("at-once", users, body).want(t, 201, "")
	if n := w.count("users"); n != 2 {
		t.Errorf("%d users", n)
	}

	// A request that fails, by an error or a panic, frees its key.
	db.MustExec(`
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE division_by_zero; END';
		CREATE TRIGGER fail BEFORE INSERT ON users EXECUTE FUNCTION fail()`)
	support.keyed("failing", users, body).want(t, 500, "internal")
	db.MustExec(`DROP TRIGGER fail ON users`)
	w.clock.breakAfter(1) // the claim's
	support.keyed("failing", users, body).want(t, 500, "internal")
	w.clock.breakAfter(-1)
	support.keyed("failing", users, body).want(t, 201, "")
}

// TestGrantsOfUnknownOutcome checks that days are not granted twice under one key, even if the answer was lost because the
// server died or the commit was not confirmed. A day later the key can be reused.
func TestGrantsOfUnknownOutcome(t *testing.T) {
	w := newWorld(t)
	support, db := w.browser(), w.connect()
	user := support.admin("POST", "/admin/v1/users", `{"name":"Ada"}`).want(t, 201, "").text("user.id")
	grant := func(key, days string) (id, end string) {
		t.Helper()
		made := support.keyed(key, "/admin/v1/users/"+user+"/grants", `{"plan":"premium","days":`+days+`,"reason":"sorry"}`).want(t, 201, "")
		return made.text("subscription.id"), made.text("subscription.paid_through")
	}
	first, end := grant("k", "30")
	for _, lose := range []string{`UPDATE idempotency SET status = NULL, answer = NULL`, `DELETE FROM idempotency`} {
		db.MustExec(lose)
		w.clock.forward(time.Minute)
		if again, later := grant("k", "30"); again != first || later != end {
			t.Errorf("after %s: %s until %s, first %s until %s", lose, again, later, first, end)
		}
	}
	for what, request := range map[string][2]string{"another key": {"l", "30"}, "another request": {"l", "31"}} {
		db.MustExec(`DELETE FROM idempotency`)
		if other, later := grant(request[0], request[1]); other == first || later <= end {
			t.Errorf("%s: %s until %s", what, other, later)
		}
	}
	w.clock.forward(24 * time.Hour)
	second, _ := grant("k", "30")
	db.MustExec(`DELETE FROM idempotency`)
	if again, _ := grant("k", "30"); again != second || second == first {
		t.Errorf("a day later: %s, again %s, first %s", second, again, first)
	}
}

// TestStoredAnswersAreEncrypted checks that an enrolment link in a stored answer cannot be read from the database.
func TestStoredAnswersAreEncrypted(t *testing.T) {
	w := newWorld(t)
	made := w.browser().keyed("k", "/admin/v1/users", `{"name":"Tell-tale"}`).want(t, 201, "")
	var kept []byte
	must(t, w.connect().Get(&kept, `SELECT answer FROM idempotency`))
	if len(kept) < len(made.body) || strings.Contains(string(kept), "Tell-tale") || strings.Contains(string(kept), "enrol") {
		t.Errorf("kept: %q", kept)
	}
}
