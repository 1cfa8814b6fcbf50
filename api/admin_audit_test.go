package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// TestAuditExport checks that the export has every entry once, in the format of the pages, oldest first.
func TestAuditExport(t *testing.T) {
	w := newWorld(t)
	ada, support := w.browser(), w.browser()
	id := ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	w.db.MustExec(`INSERT INTO audit (at, actor, action, object) SELECT now(), 'server', 'test', 'test:' || i FROM generate_series(1, 1200) i`)

	export := support.admin("GET", "/admin/v1/audit/export", nil).want(t, 200, "")
	if media := export.Header.Get("Content-Type"); media != "application/jsonl" || !strings.Contains(export.Header.Get("Content-Disposition"), "audit.jsonl") {
		t.Errorf("as %q, %q", media, export.Header.Get("Content-Disposition"))
	}
	var lines []map[string]any
	for scanner := bufio.NewScanner(bytes.NewReader(export.body)); scanner.Scan(); {
		var line map[string]any
		must(t, json.Unmarshal(scanner.Bytes(), &line))
		lines = append(lines, line)
	}
	var pages []any
	for cursor := ""; ; {
		page := support.admin("GET", "/admin/v1/audit?limit=200&cursor="+cursor, nil).want(t, 200, "")
		pages = append(pages, page.member("entries").([]any)...)
		if cursor = page.text("next"); cursor == "" {
			break
		}
	}
	if len(lines) < 1202 || len(lines) != len(pages) {
		t.Fatalf("%d lines, %d entries on pages", len(lines), len(pages))
	}
	for i, line := range lines {
		exported, shown := must1(json.Marshal(line))(t), must1(json.Marshal(pages[len(pages)-1-i]))(t)
		if !bytes.Equal(exported, shown) {
			t.Fatalf("line %d: %s, on the page %s", i, exported, shown)
		}
	}
	of := support.admin("GET", "/admin/v1/audit/export?user="+strings.ToUpper(id), nil).want(t, 200, "")
	if n := bytes.Count(of.body, []byte("\n")); n == 0 || n != bytes.Count(of.body, []byte(`"user":"`+id+`"`)) {
		t.Errorf("of one user: %d lines: %s", n, of.body)
	}
	if none := support.admin("GET", "/admin/v1/audit/export?user=00000000-0000-4000-8000-000000000000", nil).want(t, 200, ""); len(none.body) != 0 {
		t.Errorf("of nobody: %s", none.body)
	}
	if head := support.admin("HEAD", "/admin/v1/audit/export", nil).want(t, 200, ""); head.Header.Get("Content-Type") != "application/jsonl" {
		t.Errorf("HEAD: %v", head.Header)
	}
}

// TestAuditExportIsWholeOrCut takes the database away after the first piece: the answer must not look complete.
func TestAuditExportIsWholeOrCut(t *testing.T) {
	w := newWorld(t)
	// The first 500 entries fill more than any socket buffers: the server reads no more before we have read them.
	w.db.MustExec(`INSERT INTO audit (at, actor, action, object, after)
		SELECT now(), 'server', 'test', 'test:' || i, to_jsonb(repeat('x', 25000)) FROM generate_series(1, 600) i`)
	request, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/admin/v1/audit/export", nil)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+adminSecret)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	owner, err := sqlx.Connect("postgres", w.owner)
	must(t, err)
	defer owner.Close()
	tx := owner.MustBegin()
	tx.MustExec(`LOCK TABLE audit IN ACCESS EXCLUSIVE MODE`)
	body, err := io.ReadAll(response.Body)
	must(t, tx.Rollback())
	if response.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Count(body, []byte("\n")) != 500 {
		t.Errorf("%d, %d bytes, %v", response.StatusCode, len(body), err)
	}
	if !strings.Contains(w.log.String(), "audit export cut short") {
		t.Error("nothing is logged")
	}

	// If nothing was sent yet, the answer is an ordinary one.
	tx = owner.MustBegin()
	tx.MustExec(`LOCK TABLE audit IN ACCESS EXCLUSIVE MODE`)
	refused := w.browser().admin("GET", "/admin/v1/audit/export", nil).want(t, 503, "unavailable")
	must(t, tx.Rollback())
	if refused.Header.Get("Content-Disposition") != "" || refused.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused as %v", refused.Header)
	}
}

// TestAuditFilters checks who, what, when and customer, alone and together, and the names of those in the answer.
func TestAuditFilters(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	began := w.clock.now()
	ada, bea := w.browser(), w.browser()
	adaID, beaID := ada.register("Ada"), bea.register("Bea")
	w.clock.forward(time.Minute)
	bea.do("POST", "/v1/trial", nil).want(t, 201, "")
	w.clock.forward(time.Minute)
	for user, id := range map[string]string{adaID: "sub_ada", beaID: "sub_bea"} {
		support.admin("PUT", "/admin/v1/subscriptions/"+id, map[string]any{
			"user": user, "plan": "premium", "state": "active", "paid_through": w.clock.now().Add(time.Hour), "reason": "test",
		}).want(t, 200, "")
	}
	list := func(query string) (actions string, found answer) {
		t.Helper()
		found = support.admin("GET", "/admin/v1/audit?"+query, nil).want(t, 200, "")
		var all []string
		for _, entry := range found.member("entries").([]any) {
			all = append(all, entry.(map[string]any)["action"].(string))
		}
		return strings.Join(all, " "), found
	}
	at := func(minutes int) string {
		return url.QueryEscape(began.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339))
	}
	for query, want := range map[string]string{
		"actor=token:bootstrap": "subscription.put subscription.put", "actor=token:bootstrap&user=" + adaID: "subscription.put",
		"action=subscription.trial": "subscription.trial", "action=subscription.trial&user=" + adaID: "", "actor=user:" + beaID + "&action=subscription.trial": "subscription.trial",
		"from=" + at(1) + "&to=" + at(2): "subscription.trial", "from=" + at(2): "subscription.put subscription.put", "from=" + at(3): "", "actor=server": "",
		"action=subscription.put&limit=1": "subscription.put",
	} {
		if actions, found := list(query); actions != want {
			t.Errorf("%q lists %q, want %q: %s", query, actions, want, found.body)
		}
	}
	_, found := list("")
	if names := found.member("names").(map[string]any); len(names) != 2 || names[adaID] != "Ada" || names[beaID] != "Bea" {
		t.Errorf("names: %v", names)
	}
	w.db.MustExec(`DELETE FROM users WHERE id = $1`, adaID)
	_, found = list("user=" + adaID)
	if names := found.member("names").(map[string]any); len(names) != 0 {
		t.Errorf("names of an erased user: %v", names)
	}
	for _, query := range []string{"actor=a%00", "actor=Ada+L", "action=%22", "from=yesterday", "to=1", "user=x"} {
		support.admin("GET", "/admin/v1/audit?"+query, nil).want(t, 400, "invalid_request")
	}
}
