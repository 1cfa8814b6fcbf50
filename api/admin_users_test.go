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
