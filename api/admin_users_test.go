package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestCustomersAreListed checks order, filters and pages of the list of users, and what each row says.
func TestCustomersAreListed(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	var began time.Time
	for _, name := range []string{"Ada", "Bea", "Cid"} {
		b := w.browser()
		id := b.register(name)
		if name == "Bea" {
			began = w.clock.now()
			put := map[string]any{"user": id, "plan": "premium", "state": "active", "paid_through": w.clock.now().Add(time.Hour), "reason": "test"}
			support.admin("PUT", "/admin/v1/subscriptions/sub_bea", put).want(t, 200, "")
		}
		w.clock.forward(time.Minute)
	}
	list := func(query string) (names string, found answer) {
		t.Helper()
		found = support.admin("GET", "/admin/v1/users?"+query, nil).want(t, 200, "")
		for _, user := range found.member("users").([]any) {
			names += user.(map[string]any)["name"].(string) + " "
		}
		return strings.TrimSpace(names), found
	}
	from, to := url.QueryEscape(began.Format(time.RFC3339)), url.QueryEscape(began.Add(time.Minute).Format(time.RFC3339))
	for query, want := range map[string]string{
		"": "Cid Bea Ada", "sort=newest": "Cid Bea Ada", "sort=oldest": "Ada Bea Cid", "sort=name": "Ada Bea Cid",
		"state=active": "Bea", "plan=premium": "Bea", "state=none": "Cid Ada", "state=none&sort=oldest": "Ada Cid", "state=revoked": "", "plan=other": "",
		"state=none&limit=1": "Cid", "from=" + from: "Cid Bea", "to=" + from: "Ada", "from=" + from + "&to=" + to: "Bea", "q=be&state=active": "Bea", "q=da": "", "q=ADA": "Ada",
	} {
		if names, found := list(query); names != want {
			t.Errorf("%q lists %q, want %q: %s", query, names, want, found.body)
		}
	}
	_, found := list("state=active")
	if row := found.member("users").([]any)[0].(map[string]any); row["plan"] != "premium" || row["state"] != "active" || row["trial"] != false {
		t.Errorf("row: %v", row)
	}
	_, first := list("state=none&limit=1")
	if names, rest := list("state=none&limit=1&cursor=" + first.text("next")); names != "Ada" || rest.member("next") != nil {
		t.Errorf("the second page: %s", rest.body)
	}
	for _, query := range []string{"sort=age", "state=happy", "from=yesterday", "to=1"} {
		support.admin("GET", "/admin/v1/users?"+query, nil).want(t, 400, "invalid_request")
	}
}

// TestRareStatesAreFoundAtOnce checks that one answer has the customers of a rare state or plan, however many others come
// first, and leaves out staff who are not customers.
func TestRareStatesAreFoundAtOnce(t *testing.T) {
	w := newWorld(t)
	support, ada := w.browser(), w.browser()
	id := ada.register("Ada User")
	support.admin("PUT", "/admin/v1/subscriptions/sub_ada", map[string]any{
		"user": id, "plan": "premium", "state": "active", "paid_through": w.clock.now().Add(time.Hour), "reason": "test",
	}).want(t, 200, "")
	w.db.MustExec(`INSERT INTO users (id, name, words, parts, created_at)
		SELECT gen_random_uuid(), 'User ' || n, ARRAY['user', n::text], ARRAY['user', n::text], now() + n * interval '1 second' FROM generate_series(1, 2500) n`)
	support.admin("POST", "/admin/v1/staff", map[string]any{"name": "Sam Staff", "role": "support", "reason": "test"}).want(t, 201, "")
	for query, want := range map[string]int{"state=active": 1, "plan=premium": 1, "q=user&state=active": 1, "q=2&state=active": 0, "state=grace": 0, "q=staff": 1, "sort=oldest&limit=2": 2} {
		found := support.admin("GET", "/admin/v1/users?"+query, nil).want(t, 200, "")
		if users := found.member("users").([]any); len(users) != want || want < 2 && found.member("next") != nil {
			t.Errorf("%q lists %d, want %d: %s", query, len(users), want, found.body)
		}
	}
	none := support.admin("GET", "/admin/v1/users?limit=1", nil).want(t, 200, "")
	if name := none.member("users").([]any)[0].(map[string]any)["name"]; name != "User 2500" {
		t.Errorf("%q is listed first", name)
	}
	if strings.Contains(string(support.admin("GET", "/admin/v1/users?sort=newest&limit=200&to="+url.QueryEscape(w.clock.now().Add(time.Second).Format(time.RFC3339)), nil).body), "Sam Staff") {
		t.Error("staff are listed among customers")
	}
}
