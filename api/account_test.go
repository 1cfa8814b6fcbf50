package api_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
)

// enough gives ada a row in every table with user data. It returns her user id and her device with its lineage.
func enough(t *testing.T, ada *browser) (user, device, lineage string) {
	t.Helper()
	user = ada.register("Ada Tell-tale")
	ada.signIn()
	device, lineage = ada.link()
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	reconciled := ada.reconcile(device, lineage).want(t, 200, "")
	ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "")
	ada.do("POST", "/v1/registration/options", nil).want(t, 200, "") // begins a ceremony
	ada.keyed("recover-ada", "/admin/v1/users/"+user+"/recovery", "").want(t, 201, "")
	subscription := ada.admin("GET", "/admin/v1/users/"+user, nil).member("subscriptions").([]any)[0].(map[string]any)["id"].(string)
	ada.admin("POST", "/admin/v1/subscriptions/"+subscription+"/suspend", `{"reason":"Ms Tell-tale called"}`).want(t, 200, "")
	ada.admin("POST", "/admin/v1/subscriptions/"+subscription+"/reinstate", `{"reason":"Ms Tell-tale called again"}`).want(t, 200, "")
	ada.keyed("note-ada", "/admin/v1/users/"+user+"/notes", `{"text":"Ms Tell-tale prefers letters"}`).want(t, 201, "")
	ada.sends(webhookMessage("tell-1", "billed-"+user, user, time.Now().Add(time.Hour))).want(t, 200, "")
	return user, device, reconciled.text("lineage")
}

func TestEraseAccount(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.browser(), w.browser()
	bob.register("Bob")
	bobDevice, bobLineage := bob.link()
	user, device, lineage := enough(t, ada)
	owner := w.connect()
	var list, index int
	must(t, owner.QueryRow(`SELECT status_list, status_idx FROM devices WHERE id = $1`, device).Scan(&list, &index))
	count := func(table string) (n int) {
		must(t, owner.Get(&n, `SELECT count(*) FROM `+table))
		return n
	}
	bystanders := map[string]int{"users": 2, "passkeys": 1, "sessions": 1, "devices": 1, "idempotency": 1}

	// Support's stored answers contain the devices' names, though no path names their user.
	ada.admin("PUT", "/admin/v1/subscriptions/of-ada", `{"user":"`+user+`","plan":"premium","state":"active","paid_through":"2030-01-01T00:00:00Z"}`).want(t, 200, "")
	ada.keyed("1", "/admin/v1/subscriptions/of-ada/suspend", `{"reason":"a test"}`).want(t, 200, "")
	ada.keyed("1", "/admin/v1/devices/"+device+"/revoke", `{"reason":"a test"}`).want(t, 204, "")
	ada.keyed("1", "/admin/v1/users", `{"name":"Eve"}`).want(t, 201, "")

	w.clock.forward(10 * time.Minute)
	ada.do("DELETE", "/v1/account", nil).want(t, 403, "reauthentication_required")
	ada.signIn()
	w.keepEntry(user, device)
	gone := ada.do("DELETE", "/v1/account", nil).want(t, 204, "")
	if n := count("ledger_entries"); n != 0 {
		t.Errorf("%d recorded acts are left", n)
	}
	for _, cookie := range gone.Cookies() {
		if cookie.Value != "" || cookie.MaxAge >= 0 {
			t.Errorf("cookie %s stays", cookie)
		}
	}
	if len(gone.Cookies()) != 2 {
		t.Errorf("cookies: %v", gone.Cookies())
	}

	var status int
	must(t, owner.Get(&status, `SELECT status FROM status_entries WHERE list = $1 AND idx = $2`, list, index))
	if status != 1 {
		t.Errorf("the status list says %d of the device", status)
	}
	ada.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	ada.fetchNonce()
	ada.reconcile(device, lineage).want(t, 404, "device_unknown")
	ada.do("POST", "/v1/authentication", ada.assert(ada.do("POST", "/v1/authentication/options", nil))).want(t, 400, "credential_rejected")
	ada.admin("GET", "/admin/v1/users/"+user, nil).want(t, 404, "not_found")
	bob.do("GET", "/v1/session", nil).want(t, 200, "")
	bob.fetchNonce()
	bob.reconcile(bobDevice, bobLineage).want(t, 200, "")
	for table, n := range bystanders {
		if got := count(table); got != n {
			t.Errorf("%s: %d rows, want Bob's alone", table, got)
		}
	}

	// No row of the whole schema names the user, except for ids in the audit trail.
	id := ada.credential.ID
	names := []string{"tell-tale", hex.EncodeToString([]byte("Tell-tale"))}
	nameless(t, owner, names, append(idsOf(t, user), device, hex.EncodeToString(id), base64.RawURLEncoding.EncodeToString(id)))
	var last string
	must(t, owner.Get(&last, `SELECT actor || ' ' || action || ' ' || object FROM audit ORDER BY id DESC LIMIT 1`))
	if last != fmt.Sprintf("user:%s account.erased user:%s", user, user) {
		t.Errorf("audited: %s", last)
	}
	// The same person may return as a new user.
	if again := w.browser().register("Ada Tell-tale"); again == user {
		t.Error("the id is given again")
	}
}

// TestEraseStaff checks that erasing a staff member leaves no more than erasing a user.
func TestEraseStaff(t *testing.T) {
	w := newWorld(t)
	eve, id := w.staff("Eve Tell-tale", passkey.RoleAdmin)
	eve.do("DELETE", "/v1/account", nil).want(t, 409, "conflict") // the last admin
	w.staff("Ann", passkey.RoleAdmin)
	eve.do("POST", "/admin/v1/users", `{"name":"Ada","reason":"a customer"}`, "Idempotency-Key", "k").want(t, 201, "")
	eve.do("POST", "/admin/v1/users/"+id+"/recovery", `{"reason":"to try it"}`).want(t, 201, "")
	eve.do("DELETE", "/v1/account", nil).want(t, 204, "")
	if n := w.count("staff"); n != 1 {
		t.Errorf("%d staff", n)
	}
	nameless(t, w.connect(), []string{"tell-tale"}, idsOf(t, id))
}

// idsOf returns the forms in which a user's id can be stored.
func idsOf(t *testing.T, user string) []string {
	t.Helper()
	bare := strings.ReplaceAll(user, "-", "")
	handle, err := hex.DecodeString(bare)
	must(t, err)
	return []string{
		user, bare, base64.RawURLEncoding.EncodeToString(handle), base64.StdEncoding.EncodeToString(handle), hex.EncodeToString([]byte(user)),
	}
}

// nameless checks that the whole schema contains no names, and ids only in the audit trail and in messages about erasures.
func nameless(t *testing.T, owner *sqlx.DB, names, ids []string) {
	t.Helper()
	var tables []string
	must(t, owner.Select(&tables, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`))
	if len(tables) < 10 {
		t.Fatalf("tables: %q", tables)
	}
	for _, table := range tables {
		told := names
		if table != "public.audit" {
			told = append(told[:len(told):len(told)], ids...)
		}
		if table == "public.webhook_deliveries" { // endpoints are told of the erasure by id
			table = `(SELECT * FROM webhook_deliveries WHERE type <> 'user.erased')`
		}
		for _, text := range told {
			var rows []string
			must(t, owner.Select(&rows, `SELECT x::text FROM `+table+` x WHERE position(lower($1) in lower(x::text)) > 0`, text))
			if len(rows) > 0 {
				t.Errorf("%s holds %q: %q", table, text, rows)
			}
		}
	}
}

// TestEraseRacesReconcile checks that an erasure waits for a running reconcile, or that the reconcile finds no account, and
// that the status list says INVALID for any document issued.
func TestEraseRacesReconcile(t *testing.T) {
	w := newWorld(t)
	owner := w.connect()
	for range 8 {
		ada := w.browser()
		ada.register("Ada")
		ada.do("POST", "/v1/trial", nil).want(t, 201, "")
		device, lineage := ada.link()
		var list, index int
		must(t, owner.QueryRow(`SELECT status_list, status_idx FROM devices WHERE id = $1`, device).Scan(&list, &index))
		began, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for first := true; ; first = false {
				got := ada.reconcile(device, lineage)
				if first {
					close(began)
				}
				if got.code() == "unavailable" { // on a slow machine the lock lasts longer than these tests' lock_timeout
					continue
				}
				if got.StatusCode != 200 {
					if got.code() != "device_unknown" {
						t.Errorf("reconcile: %d %s", got.StatusCode, got.body)
					}
					return
				}
				lineage = got.text("lineage")
			}
		}()
		<-began
		eraser := w.browser() // the same user by the same cookies, but with its own nonce
		eraser.client = ada.client
		eraser.do("DELETE", "/v1/account", nil).want(t, 204, "")
		<-done
		var status int
		must(t, owner.Get(&status, `SELECT status FROM status_entries WHERE list = $1 AND idx = $2`, list, index))
		if status != 1 {
			t.Errorf("the status list says %d", status)
		}
	}
}

func TestExportAccount(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	user, device, _ := enough(t, ada)
	w.keepEntry(user, device)
	w.db.MustExec(`INSERT INTO vault_keys (user_id, epoch, key_id, wrapped, made_at) VALUES ($1, 1, 'k1', 'sealed', $2)`, user, w.clock.now())
	w.browser().register("Bob Elsewhere")
	w.clock.forward(10 * time.Minute)
	ada.do("GET", "/v1/account/export", nil).want(t, 403, "reauthentication_required")
	ada.signIn()
	file := ada.do("GET", "/v1/account/export", nil).want(t, 200, "")
	if got := file.Header.Get("Content-Disposition"); got != `attachment; filename="account.json"` {
		t.Errorf("Content-Disposition: %q", got)
	}
	// Every table with user data has a member in the file, and its rows are there.
	members := map[string]string{
		"audit": "audit", "audit_reasons": "audit", "billing_events": "billing_events", "devices": "devices", "enrolments": "links", "passkeys": "passkeys",
		"recovery_codes": "recovery_codes", "sessions": "sessions", "subscriptions": "subscriptions",
		"staff":              "role",
		"notes":              "notes",
		"vault_keys":         "vault_epochs",
		"ledger_entries":     "ledger",
		"ledger_accepted":    "", // counts of these
		"past_subscriptions": "", // the trail has each change
		"webhook_deliveries": "", // repeat the trail, for some time
		"directory":          "", // the keys of the rows themselves
	}
	owner := w.connect()
	var tables []string
	must(t, owner.Select(&tables, `SELECT table_name FROM information_schema.columns WHERE column_name = 'user_id' AND table_schema = 'public'`))
	if len(tables) != len(members) {
		t.Errorf("tables of users: %q", tables)
	}
	for _, table := range tables {
		member, known := members[table]
		if !known {
			t.Errorf("table %s has no place in the export", table)
		}
		if member == "" {
			continue
		}
		if table == "staff" { // not a role of users
			if !strings.Contains(string(file.body), `"role":null`) {
				t.Errorf("the export says nothing of a role: %s", file.body)
			}
			continue
		}
		if list, ok := file.member(member).([]any); ok && len(list) == 0 || file.member(member) == nil {
			t.Errorf("%s is empty in the export", member)
		}
	}
	text := string(file.body)
	for _, part := range []string{
		`"name":"Ada Tell-tale"`, device, `"left":10`, `"kind":"recovery"`, "Ms Tell-tale called again", "Tell-tale prefers letters", `"crv":"P-256"`, `"plan":"premium"`, `"current":true`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the export lacks %s: %s", part, text)
		}
	}
	var secrets []string
	must(t, owner.Select(&secrets, `
		SELECT encode(token_hash, 'hex') FROM sessions UNION SELECT encode(code_hash, 'hex') FROM enrolments
		UNION SELECT secret_hash FROM recovery_codes UNION SELECT encode(lineage_parent, 'hex') FROM devices`))
	for _, other := range append(secrets, "Elsewhere") {
		if strings.Contains(text, other) {
			t.Errorf("the export holds %q", other)
		}
	}
}

func TestRecoverUser(t *testing.T) {
	w := newWorld(t)
	ada, support := w.browser(), w.browser()
	user := ada.register("Ada")
	device, _ := ada.link()
	made := support.keyed("one", "/admin/v1/users/"+user+"/recovery", "").want(t, 201, "")
	code, ok := strings.CutPrefix(made.text("recovery.url"), origin+"/#recover=")
	if !ok || made.text("recovery.expires_at") != w.clock.now().Add(15*time.Minute).Format(time.RFC3339) {
		t.Fatalf("recovery: %s", made.body)
	}
	if again := support.keyed("one", "/admin/v1/users/"+user+"/recovery", "").want(t, 201, ""); string(again.body) != string(made.body) {
		t.Errorf("repeated: %s", again.body)
	}
	// The code's ceremony opens nothing: there is no session until the passkey is registered.
	found := w.browser()
	options := found.do("POST", "/v1/recovery/options", map[string]string{"code": code})
	if len(options.Cookies()) != 0 {
		t.Errorf("cookies before a passkey: %v", options.Cookies())
	}
	for _, path := range []string{"/v1/session", "/v1/passkeys", "/v1/devices", "/v1/account/export"} {
		found.do("GET", path, nil).want(t, 401, "unauthenticated")
	}
	in := found.do("POST", "/v1/recovery", found.attest(options)).want(t, 201, "")
	if listed := in.member("devices").([]any); len(listed) != 1 || listed[0].(map[string]any)["id"] != device {
		t.Errorf("devices: %s", in.body)
	}
	ada.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	found.do("DELETE", "/v1/devices/"+device, nil).want(t, 204, "")

	w.clock.forward(time.Minute)
	told := ada.signIn()
	notices := told.member("notices").([]any)
	want := map[string]any{
		"code": "account_recovered", "reason": "recovery", "passkey": base64.RawURLEncoding.EncodeToString(found.credential.ID),
		"at": w.clock.now().Add(-time.Minute).Format(time.RFC3339),
	}
	if len(notices) != 1 || fmt.Sprint(notices[0]) != fmt.Sprint(want) {
		t.Errorf("notices: %v, want %v", notices, want)
	}
	if shown := ada.do("GET", "/v1/session", nil).member("notices"); fmt.Sprint(shown) != fmt.Sprint(notices) {
		t.Errorf("the session tells %v", shown)
	}
}

func TestSignOutUser(t *testing.T) {
	w := newWorld(t)
	ada, elsewhere := w.browser(), w.browser()
	user := ada.register("Ada")
	device, lineage := ada.link()
	elsewhere.authenticator, elsewhere.credential = ada.authenticator, ada.credential
	elsewhere.signIn()
	ada.admin("POST", "/admin/v1/users/"+user+"/sign-out", nil).want(t, 204, "")
	ada.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	elsewhere.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	reconciled := ada.reconcile(device, lineage).want(t, 200, "")

	ada.admin("POST", "/admin/v1/users/"+user+"/sign-out", `{"devices":true}`).want(t, 204, "")
	document := claims(t, ada.reconcile(device, reconciled.text("lineage")).want(t, 200, "").text("document"))
	if document["reason"] != "device_removed" {
		t.Errorf("document: %v", document)
	}
	ada.admin("POST", "/admin/v1/users/"+user+"/sign-out", `{"devices":true}`).want(t, 204, "") // again
	// All sessions except the current one.
	ada.signIn()
	elsewhere.signIn()
	ada.do("DELETE", "/v1/sessions", nil).want(t, 204, "")
	ada.do("GET", "/v1/session", nil).want(t, 200, "")
	elsewhere.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
}

func TestDeletePasskeyAndItsSessions(t *testing.T) {
	w := newWorld(t)
	ada, lost := w.browser(), w.browser()
	ada.register("Ada")
	lost.authenticator, lost.credential = ada.authenticator, ada.credential
	lost.signIn()
	first := base64.RawURLEncoding.EncodeToString(ada.credential.ID)
	ada.credential = newCredential()
	ada.do("POST", "/v1/registration", ada.attest(ada.do("POST", "/v1/registration/options", nil))).want(t, 201, "")
	opened := map[any]int{}
	for _, session := range ada.do("GET", "/v1/sessions", nil).member("sessions").([]any) {
		opened[session.(map[string]any)["passkey"]]++
	}
	if len(opened) != 2 || opened[first] != 1 {
		t.Errorf("opened by: %v", opened)
	}
	ada.do("DELETE", "/v1/passkeys/"+first, `{"end_sessions":true}`).want(t, 204, "")
	lost.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	ada.do("GET", "/v1/session", nil).want(t, 200, "")
	// The last passkey can be deleted only if there are recovery codes to come back with.
	last := base64.RawURLEncoding.EncodeToString(ada.credential.ID)
	ada.do("DELETE", "/v1/passkeys/"+last, nil).want(t, 409, "last_passkey")
	if left := ada.do("GET", "/v1/recovery-codes", nil).want(t, 200, ""); left.member("left") != 0.0 || left.member("created_at") != nil {
		t.Errorf("codes: %s", left.body)
	}
	codes := ada.do("POST", "/v1/recovery-codes", nil).want(t, 201, "").member("codes").([]any)
	ada.do("DELETE", "/v1/passkeys/"+last, nil).want(t, 204, "")
	ada.credential = newCredential()
	ada.do("POST", "/v1/recovery", ada.attest(ada.do("POST", "/v1/recovery/options", map[string]any{"code": codes[3]}))).want(t, 201, "")
	if left := ada.do("GET", "/v1/recovery-codes", nil).want(t, 200, ""); left.member("left") != 9.0 || left.member("created_at") == nil {
		t.Errorf("codes: %s", left.body)
	}
}

// TestExternalIDChangesLater checks that an existing account's external id can be set, changed and removed, and that
// billing follows it.
func TestExternalIDChangesLater(t *testing.T) {
	w := newWorld(t)
	ada, bob, support := w.browser(), w.browser(), w.browser()
	id, bobID := ada.register("Ada"), bob.register("Bob")
	entries := func() (n int) {
		must(t, w.db.Get(&n, `SELECT count(*) FROM audit WHERE user_id = $1 AND action = 'user.external_id_changed'`, id))
		return n
	}
	put := func(external string) answer {
		return support.admin("PUT", "/admin/v1/subscriptions/s-1",
			fmt.Sprintf(`{"external_id":%q,"plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`, external))
	}
	put("crm-1").want(t, 400, "invalid_request")
	changed := support.admin("PATCH", "/admin/v1/users/"+id, `{"external_id":"crm-1","reason":"came over from the old shop"}`).want(t, 200, "")
	if changed.text("user.external_id") != "crm-1" || changed.text("user.id") != id || entries() != 1 {
		t.Errorf("%s, %d entries", changed.body, entries())
	}
	put("crm-1").want(t, 200, "")
	support.admin("PATCH", "/admin/v1/users/"+id, `{"external_id":"crm-1"}`).want(t, 200, "")
	if same := support.admin("PUT", "/admin/v1/users/"+id, `{"external_id":"crm-1"}`).want(t, 200, ""); same.text("user.external_id") != "crm-1" {
		t.Errorf("by PUT: %s", same.body)
	}
	support.admin("PATCH", "/admin/v1/users/"+bobID, `{"external_id":"crm-1"}`).want(t, 409, "conflict")
	if entries() != 1 {
		t.Errorf("%d entries after a change to what was so", entries())
	}
	if untied := support.admin("PATCH", "/admin/v1/users/"+id, `{"external_id":null}`).want(t, 200, ""); untied.member("user.external_id") != nil {
		t.Errorf("untied: %s", untied.body)
	}
	support.admin("PATCH", "/admin/v1/users/"+bobID, `{"external_id":"crm-1"}`).want(t, 200, "")
	for _, body := range []string{`{}`, `{"external_id":""}`, `{"external_id":7}`, `{"external_id":" x"}`, `{"name":"Eve","external_id":"x"}`, `{"external_id":"\u202ex\u0007"}`} {
		support.admin("PATCH", "/admin/v1/users/"+id, body).want(t, 400, "invalid_request")
	}
	support.admin("PATCH", "/admin/v1/users/00000000-0000-4000-8000-000000000000", `{"external_id":"x"}`).want(t, 404, "not_found")

	sam, _ := w.staff("Sam", passkey.RoleSupport)
	_, eveID := w.staff("Eve", passkey.RoleAdmin)
	sam.do("PATCH", "/admin/v1/users/"+id, `{"external_id":"crm-2"}`).want(t, 400, "invalid_request") // without a reason
	sam.do("PATCH", "/admin/v1/users/"+id, `{"external_id":"crm-2","reason":"moved"}`).want(t, 200, "")
	sam.do("PATCH", "/admin/v1/users/"+eveID, `{"external_id":"crm-3","reason":"moved"}`).want(t, 403, "forbidden")
	var leaked int
	must(t, w.db.Get(&leaked, `SELECT count(*) FROM audit WHERE coalesce(before::text, '') || coalesce(after::text, '') LIKE '%crm-%'`))
	if leaked != 0 {
		t.Errorf("%d entries of the trail hold external ids", leaked)
	}
}
