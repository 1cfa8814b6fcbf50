package api_test

import (
	"encoding/json"
	"testing"
	"time"
)

// TestOverview checks that the numbers are those of the lists, and how old they may be.
func TestOverview(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	type overview struct {
		CountedAt time.Time `json:"counted_at"`
		Customers map[string]int
		SignUps   []struct{ Count int } `json:"sign_ups"`
		Revoked   []struct{ Count int } `json:"revocations"`
		Documents struct {
			Live int
			Ends []struct{ Count int }
		}
		Devices map[string]int
	}
	show := func() (shown overview) {
		t.Helper()
		if err := json.Unmarshal(support.admin("GET", "/admin/v1/overview", nil).want(t, 200, "").body, &shown); err != nil {
			t.Fatal(err)
		}
		return shown
	}
	empty := show()
	if empty.Customers["all"] != 0 || len(empty.SignUps) != 0 || empty.Documents.Live != 0 {
		t.Errorf("nobody has signed up: %+v", empty)
	}

	put := func(user, id, state string, paid time.Duration) {
		t.Helper()
		support.admin("PUT", "/admin/v1/subscriptions/"+id, map[string]any{
			"user": user, "plan": "premium", "state": state, "paid_through": w.clock.now().Add(paid), "reason": "test",
		}).want(t, 200, "")
	}
	users := map[string]string{}
	for _, name := range []string{"Free", "Active", "Grace", "Expired", "Revoked", "Trial"} {
		b := w.browser()
		users[name] = b.register(name)
		if name == "Trial" {
			b.do("POST", "/v1/trial", nil).want(t, 201, "")
		}
	}
	put(users["Active"], "sub_active", "active", time.Hour)
	put(users["Active"], "sub_before", "cancelled", -time.Hour)
	put(users["Grace"], "sub_grace", "active", -time.Second)
	put(users["Expired"], "sub_expired", "cancelled", 0)
	put(users["Revoked"], "sub_revoked", "active", time.Hour)
	support.admin("POST", "/admin/v1/subscriptions/sub_revoked/revoke", map[string]any{"reason": "test"}).want(t, 200, "")
	support.admin("POST", "/admin/v1/staff", map[string]any{"name": "Sam", "role": "support", "reason": "test"}).want(t, 201, "")

	w.clock.forward(14 * time.Second)
	if again := show(); !again.CountedAt.Equal(empty.CountedAt) || again.Customers["all"] != 0 {
		t.Errorf("counted again after 14 seconds: %+v", again)
	}
	w.clock.forward(time.Second)
	if again := show(); !again.CountedAt.Equal(empty.CountedAt) {
		t.Errorf("did not answer with the last count while counting: %+v", again)
	}
	full := show()
	for full.CountedAt.Equal(empty.CountedAt) && t.Context().Err() == nil { // counting in the background
		full = show()
	}
	if !full.CountedAt.Equal(w.clock.now()) {
		t.Errorf("counted at %v, want %v", full.CountedAt, w.clock.now())
	}
	w.clock.forward(5 * time.Minute)
	if again := show(); !again.CountedAt.Equal(w.clock.now()) {
		t.Errorf("an answer of %v at %v", again.CountedAt, w.clock.now())
	}
	want := map[string]int{"all": 6, "active": 2, "grace": 1, "expired": 1, "revoked": 1, "none": 1, "trials": 1}
	for name, n := range want {
		if full.Customers[name] != n {
			t.Errorf("%s: %d, want %d", name, full.Customers[name], n)
		}
	}
	if len(full.SignUps) != 1 || full.SignUps[0].Count != 7 || len(full.Revoked) != 1 || full.Revoked[0].Count != 1 {
		t.Errorf("sign-ups %v, revocations %v", full.SignUps, full.Revoked)
	}
	for _, state := range []string{"active", "grace", "expired", "revoked", "none"} {
		listed := support.admin("GET", "/admin/v1/users?state="+state, nil).want(t, 200, "").member("users").([]any)
		if len(listed) != full.Customers[state] {
			t.Errorf("%d listed as %s, %d counted", len(listed), state, full.Customers[state])
		}
	}
	trials := support.admin("GET", "/admin/v1/users?trial=true", nil).want(t, 200, "").member("users").([]any)
	if len(trials) != full.Customers["trials"] || trials[0].(map[string]any)["trial"] != true {
		t.Errorf("listed %v on trial, %d counted", trials, full.Customers["trials"])
	}
	support.admin("GET", "/admin/v1/users?trial=yes", nil).want(t, 400, "invalid_request")
}
