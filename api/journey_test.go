package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

// TestJourney follows the main path over HTTP alone: sign up, trial, link, reconcile, revoke, reinstate, sign out.
func TestJourney(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	user := ada.register("Ada")

	session := ada.do("GET", "/v1/session", nil).want(t, 200, "")
	if session.text("user.id") != user || session.text("user.name") != "Ada" || session.text("expires_at") == "" {
		t.Fatalf("session: %s", session.body)
	}
	none := ada.do("GET", "/v1/entitlements", nil).want(t, 200, "")
	if none.text("state") != "none" || none.member("reason") != nil || none.member("since") != nil || none.member("help_url") != nil || none.member("features") == nil || none.member("plans") == nil {
		t.Fatalf("entitlements before: %s", none.body)
	}

	trial := ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	subscription := trial.text("subscription.id")
	ada.do("POST", "/v1/trial", nil).want(t, 409, "conflict")

	device, lineage := ada.link()
	w.clock.forward(time.Minute)
	first := ada.reconcile(device, lineage).want(t, 200, "")
	document := claims(t, first.text("document"))
	if document["state"] != "active" || document["sub"] != user || document["device"] != device || first.text("keyset") == "" {
		t.Fatalf("first document: %v", document)
	}
	if verdicts, ok := first.member("verdicts").([]any); !ok || len(verdicts) != 0 || first.member("ledger_head.seq") != 0.0 {
		t.Fatalf("verdicts and ledger head: %s", first.body)
	}
	byProof := ada.prove("GET", "/v1/entitlements", nil).want(t, 200, "")
	if byProof.text("state") != "active" {
		t.Fatalf("entitlements by proof: %s", byProof.body)
	}

	support := w.browser()
	found := support.admin("GET", "/admin/v1/users?q=ad", nil).want(t, 200, "")
	if users, ok := found.member("users").([]any); !ok || len(users) != 1 {
		t.Fatalf("search: %s", found.body)
	}
	byBillingID := support.admin("GET", "/admin/v1/users?q="+subscription, nil).want(t, 200, "")
	if users, ok := byBillingID.member("users").([]any); !ok || len(users) != 1 || users[0].(map[string]any)["id"] != user {
		t.Fatalf("search by billing id: %s", byBillingID.body)
	}
	shown := support.admin("GET", "/admin/v1/users/"+user, nil).want(t, 200, "")
	if shown.member("trial_started") != true || shown.member("offline_window") != 7*24*3600.0 || shown.text("decision.state") != "active" {
		t.Fatalf("inputs of the decision: %s", shown.body)
	}
	held := shown.member("subscriptions").([]any)[0].(map[string]any)
	if worth := held["worth"].(map[string]any); worth["state"] != "active" || worth["reason"] != nil || worth["ends_at"] != held["paid_through"] || worth["decides"] != true {
		t.Fatalf("worth: %v", worth)
	}
	if plans, ok := shown.member("plans").([]any); !ok || len(plans) != 1 || plans[0].(map[string]any)["grace"] != 259200.0 || plans[0].(map[string]any)["grants_from"] != held["paid_through"] {
		t.Fatalf("plans of the user: %s", shown.body)
	}
	for _, list := range []string{"subscriptions", "devices", "passkeys", "audit"} {
		if items, ok := shown.member(list).([]any); !ok || len(items) == 0 {
			t.Fatalf("%s of the user: %s", list, shown.body)
		}
	}
	progress := func() (answer, map[string]any) {
		t.Helper()
		got := support.admin("GET", "/admin/v1/subscriptions/"+subscription+"/revocation", nil).want(t, 200, "")
		holders, ok := got.member("devices").([]any)
		if !ok || len(holders) != 1 {
			t.Fatalf("devices of the revocation: %s", got.body)
		}
		return got, holders[0].(map[string]any)
	}
	preview, holder := progress()
	if preview.member("subscription.revoked") != false || preview.member("revision") != document["rev"] || preview.text("offline_until") != holder["document_expires_at"] ||
		holder["id"] != device || holder["name"] != "Laptop" || holder["document_revision"] != document["rev"] || holder["last_reconciled_at"] == nil ||
		holder["removed"] != false || holder["quarantined"] != false {
		t.Fatalf("preview: %s", preview.body)
	}
	if devices := shown.member("devices").([]any); devices[0].(map[string]any)["document_revision"] != document["rev"] {
		t.Fatalf("devices of the user: %v", devices)
	}
	revoke := func() answer {
		return support.admin("POST", "/admin/v1/subscriptions/"+subscription+"/revoke", map[string]string{"reason": "chargeback"}).want(t, 200, "")
	}
	revoked := revoke()
	if kept, ok := revoked.member("kept").(map[string]any); !ok || len(kept) != 0 {
		t.Fatalf("kept: %s", revoked.body)
	}
	if revoked.text("offline_until") == "" || revoked.member("subscription.revoked") != true {
		t.Fatalf("revoke: %s", revoked.body)
	}
	until, err := time.Parse(time.RFC3339, revoked.text("offline_until"))
	must(t, err)
	// This device's proofs say 1970: its clock may be corrected by a day, which counts.
	if end := time.Unix(int64(document["exp"].(float64)), 0).Add(24 * time.Hour); document["skew"] != -86400.0 || !until.Equal(end) {
		t.Fatalf("offline_until %v with skew %v, want %v", until, document["skew"], end)
	}
	if again := revoke(); again.member("revision") != revoked.member("revision") {
		t.Fatalf("a repeated revoke changed the revision: %s", again.body)
	}

	pending, holder := progress()
	if pending.text("offline_until") != revoked.text("offline_until") || pending.member("revision") != revoked.member("revision") ||
		holder["document_revision"] != document["rev"] || revoked.member("devices").([]any)[0].(map[string]any)["document_revision"] != document["rev"] {
		t.Fatalf("revoked, and not told yet: %s", pending.body)
	}
	second := ada.reconcile(device, first.text("lineage")).want(t, 200, "")
	locked := claims(t, second.text("document"))
	if features, ok := locked["features"].(map[string]any); !ok || len(features) != 0 || locked["state"] != "revoked" || locked["reason"] != "revoked" {
		t.Fatalf("document after the revoke: %v", locked)
	}
	if told, holder := progress(); holder["document_revision"] != revoked.member("revision") {
		t.Fatalf("told: %s", told.body)
	}
	support.admin("POST", "/admin/v1/subscriptions/"+subscription+"/reinstate", map[string]string{"reason": "paid"}).want(t, 200, "")
	third := ada.reconcile(device, second.text("lineage")).want(t, 200, "")
	if claims(t, third.text("document"))["state"] != "active" {
		t.Fatalf("document after reinstating: %v", claims(t, third.text("document")))
	}

	ada.do("DELETE", "/v1/session", map[string]string{"device": device}).want(t, 204, "")
	ada.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")
	ada.do("DELETE", "/v1/session", nil).want(t, 204, "")
	removed := claims(t, ada.reconcile(device, third.text("lineage")).want(t, 200, "").text("document"))
	if removed["reason"] != "device_removed" {
		t.Fatalf("document of an unlinked device: %v", removed)
	}
	if online := ada.prove("GET", "/v1/entitlements", nil).want(t, 200, ""); online.text("state") != "revoked" || online.text("reason") != "device_removed" {
		t.Fatalf("an unlinked device, online: %s", online.body)
	}
	if in := ada.signIn(); in.text("user.id") != user {
		t.Fatalf("signed in as %s", in.body)
	}
}

// TestForkedDevice simulates a copied profile: the copy's stale lineage, tried again with the nonce that it was given,
// quarantines the device, and the refusal contains the signed document about that.
func TestForkedDevice(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, copied := ada.link()
	lineage := copied
	for range 2 {
		lineage = ada.reconcile(device, lineage).want(t, 200, "").text("lineage")
	}
	stale := ada.reconcile(device, copied).want(t, 401, "use_dpop_nonce")
	if nonces := stale.Header.Values("DPoP-Nonce"); len(nonces) != 1 || len(nonces[0]) < 60 {
		t.Fatalf("a stale lineage gets one nonce, bound to the device: %q", nonces)
	}
	forked := ada.reconcile(device, copied).want(t, 409, "device_forked")
	document := claims(t, forked.text("document"))
	if document["reason"] != "device_forked" || forked.text("keyset") == "" || forked.text("server_time") == "" || forked.member("lineage") != nil {
		t.Fatalf("forked: %s", forked.body)
	}
	ada.reconcile(device, lineage).want(t, 409, "device_forked")
	online := ada.prove("GET", "/v1/entitlements", nil).want(t, 200, "")
	if online.text("state") != "revoked" || online.text("reason") != "device_forked" || len(online.member("features").(map[string]any)) != 0 {
		t.Errorf("online: %s", online.body)
	}
}

func TestPasskeys(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	list := ada.do("GET", "/v1/passkeys", nil).want(t, 200, "")
	id := base64.RawURLEncoding.EncodeToString(ada.credential.ID)
	if items := list.member("passkeys").([]any); len(items) != 1 || items[0].(map[string]any)["id"] != id {
		t.Fatalf("passkeys: %s", list.body)
	}
	if renamed := ada.do("PATCH", "/v1/passkeys/"+id, `{"name":"Key ring"}`).want(t, 200, ""); renamed.text("name") != "Key ring" {
		t.Fatalf("renamed: %s", renamed.body)
	}
	ada.do("DELETE", "/v1/passkeys/"+id, nil).want(t, 409, "last_passkey")

	// A second passkey changes the session, and the old cookie is invalid.
	before := ada.do("GET", "/v1/session", nil).Request.Header.Get("Cookie")
	first := ada.credential
	ada.credential = w.browser().credential
	options := ada.do("POST", "/v1/registration/options", nil)
	ada.do("POST", "/v1/registration", ada.attest(options)).want(t, 201, "")
	stranger := w.browser()
	stranger.do("GET", "/v1/session", nil, "Cookie", before).want(t, 401, "unauthenticated")
	ada.do("DELETE", "/v1/passkeys/"+base64.RawURLEncoding.EncodeToString(first.ID), nil).want(t, 204, "")

	// Ten minutes later the authentication is no longer recent.
	w.clock.forward(10 * time.Minute)
	ada.do("POST", "/v1/registration/options", nil).want(t, 403, "reauthentication_required")
	ada.do("DELETE", "/v1/passkeys/"+base64.RawURLEncoding.EncodeToString(ada.credential.ID), nil).want(t, 403, "reauthentication_required")
	ada.fetchNonce()
	ada.prove("POST", "/v1/devices", map[string]string{"name": "Laptop"}).want(t, 403, "reauthentication_required")
}

func TestEnrolment(t *testing.T) {
	w := newWorld(t)
	support, ada := w.browser(), w.browser()
	made := support.admin("POST", "/admin/v1/users", `{"name":"Ada","external_id":"crm-1"}`).want(t, 201, "")
	support.admin("POST", "/admin/v1/users", `{"name":"Bob","external_id":"crm-1"}`).want(t, 409, "conflict")
	code, ok := strings.CutPrefix(made.text("enrolment.url"), origin+"/#enrol=")
	if !ok || made.text("enrolment.expires_at") == "" {
		t.Fatalf("enrolment: %s", made.body)
	}
	// Another user is signed in at the browser in which the link is opened.
	bob := w.browser()
	bob.register("Bob")
	before := bob.do("GET", "/v1/session", nil).want(t, 200, "").Request.Header.Get("Cookie")
	ada.client = bob.client
	options := ada.do("POST", "/v1/recovery/options", map[string]string{"code": code})
	in := ada.do("POST", "/v1/recovery", ada.attest(options)).want(t, 201, "")
	w.browser().do("GET", "/v1/session", nil, "Cookie", before).want(t, 401, "unauthenticated")
	if in.text("user.id") != made.text("user.id") {
		t.Fatalf("enrolled as %s", in.body)
	}
	ada.do("POST", "/v1/recovery/options", map[string]string{"code": code}).want(t, 400, "ceremony_invalid")

	put := support.admin("PUT", "/admin/v1/subscriptions/stripe%3Asub_1",
		`{"external_id":"crm-1","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
	if put.text("subscription.id") != "stripe:sub_1" || put.text("subscription.user") != in.text("user.id") {
		t.Fatalf("put: %s", put.body)
	}
	suspended := support.admin("POST", "/admin/v1/subscriptions/stripe:sub_1/suspend", `{"reason":"dispute"}`).want(t, 200, "")
	if suspended.member("offline_until") != nil || suspended.member("subscription.suspended") != true {
		t.Fatalf("suspend: %s", suspended.body)
	}
	if e := ada.do("GET", "/v1/entitlements", nil); e.text("reason") != "suspended" {
		t.Fatalf("entitlements: %s", e.body)
	}

	// Days granted by support are a separate subscription, which a revocation takes back.
	granted := support.admin("POST", "/admin/v1/users/"+in.text("user.id")+"/grants", `{"plan":"premium","days":14,"reason":"goodwill"}`).want(t, 201, "")
	if granted.text("subscription.state") != "cancelled" || granted.text("subscription.paid_through") != w.clock.now().AddDate(0, 0, 14).Format(time.RFC3339) {
		t.Fatalf("grant: %s", granted.body)
	}
	if e := ada.do("GET", "/v1/entitlements", nil); e.text("state") != "active" {
		t.Fatalf("entitlements after the grant: %s", e.body)
	}
	support.admin("POST", "/admin/v1/subscriptions/"+granted.text("subscription.id")+"/revoke", `{"reason":"undone"}`).want(t, 200, "")
	if e := ada.do("GET", "/v1/entitlements", nil); e.text("state") != "revoked" {
		t.Fatalf("entitlements after the grant was taken back: %s", e.body)
	}
}

// TestWithdrawalShowsSinceAndHelp checks that a user who lost entitlements is told since when and where to get help, and
// that only support's changes move that time.
func TestWithdrawalShowsSinceAndHelp(t *testing.T) {
	w := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		a.HelpURL = "https://help.example.org/lost"
	})
	ada, support := w.browser(), w.browser()
	user := ada.register("Ada")
	put := func(paidThrough time.Time) {
		support.admin("PUT", "/admin/v1/subscriptions/adas", map[string]any{
			"user": user, "plan": "premium", "state": "active", "paid_through": paidThrough,
		}).want(t, 200, "")
	}
	act := func(action string) time.Time {
		w.clock.forward(time.Hour)
		support.admin("POST", "/admin/v1/subscriptions/adas/"+action, `{"reason":"drill"}`).want(t, 200, "")
		return w.clock.now()
	}
	told := func(reason any, since any) {
		t.Helper()
		w.clock.forward(time.Minute)
		if at, ok := since.(time.Time); ok {
			since = at.Format(time.RFC3339)
		}
		e := ada.do("GET", "/v1/entitlements", nil).want(t, 200, "")
		if e.member("reason") != reason || e.member("since") != since || e.text("help_url") != "https://help.example.org/lost" {
			t.Errorf("told %s, want %v since %v", e.body, reason, since)
		}
		shown := support.admin("GET", "/admin/v1/users/"+user, nil).want(t, 200, "")
		if shown.member("decision.since") != since {
			t.Errorf("support is told %v, want %v", shown.member("decision.since"), since)
		}
	}

	paid := w.clock.now().Add(30 * 24 * time.Hour)
	put(paid)
	told(nil, nil)
	suspended := act("suspend")
	told("suspended", suspended)
	act("suspend") // again: nothing changes
	put(paid.Add(time.Hour))
	told("suspended", suspended)
	revoked := act("revoke")
	told("revoked", revoked)
	act("suspend") // it is withdrawn already
	act("revoke")
	put(paid)
	told("revoked", revoked)
	act("reinstate")
	told(nil, nil)
	revoked = act("revoke")
	told("revoked", revoked)
	act("reinstate")

	put(w.clock.now())
	w.clock.forward(time.Hour)
	told(nil, w.clock.now().Add(-time.Hour))
	put(w.clock.now().Add(-4 * 24 * time.Hour)) // grace is three days
	told("lapsed", w.clock.now().Add(-24*time.Hour))
}

func TestSessionsAndDevices(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, _ := ada.link()
	other := w.browser()
	other.authenticator, other.credential = ada.authenticator, ada.credential
	other.signIn()

	list := ada.do("GET", "/v1/sessions", nil).want(t, 200, "").member("sessions").([]any)
	if len(list) != 2 {
		t.Fatalf("%d sessions", len(list))
	}
	for _, item := range list {
		if session := item.(map[string]any); session["current"] != true {
			ada.do("DELETE", "/v1/sessions/"+session["id"].(string), nil).want(t, 204, "")
		}
	}
	other.do("GET", "/v1/session", nil).want(t, 401, "unauthenticated")

	// The same browser linking again with a new key replaces its device.
	ada.key = w.browser().key
	again, _ := ada.link()
	devices := ada.do("GET", "/v1/devices", nil).want(t, 200, "").member("devices").([]any)
	if len(devices) != 1 || again == device || devices[0].(map[string]any)["id"] != again {
		t.Fatalf("devices: %v", devices)
	}
	// Other browsers of the user count up to the plan's limit.
	for range 4 {
		fresh := w.browser()
		fresh.authenticator, fresh.credential = ada.authenticator, ada.credential
		fresh.signIn()
		w.clock.forward(time.Second)
		fresh.link()
	}
	full := w.browser()
	full.authenticator, full.credential = ada.authenticator, ada.credential
	full.signIn()
	full.fetchNonce()
	limit := full.prove("POST", "/v1/devices", map[string]string{"name": "One more"}).want(t, 409, "device_limit")
	if listed, ok := limit.member("devices").([]any); !ok || len(listed) != 5 || listed[0].(map[string]any)["id"] != again {
		t.Fatalf("device_limit: %s", limit.body)
	}
	full.prove("POST", "/v1/devices", map[string]any{"name": "One more", "replaces": again}).want(t, 201, "")
	listed := full.do("GET", "/v1/devices", nil).member("devices").([]any)
	full.do("DELETE", "/v1/devices/"+listed[0].(map[string]any)["id"].(string), nil).want(t, 204, "")
	full.admin("POST", "/admin/v1/devices/"+listed[1].(map[string]any)["id"].(string)+"/revoke", `{"reason":"lost"}`).want(t, 204, "")
}

// TestUnlinkingClearsDeviceCookie checks that the device cookie is cleared only when its own device is unlinked.
func TestUnlinkingClearsDeviceCookie(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, _ := ada.link()
	other := w.browser()
	other.authenticator, other.credential = ada.authenticator, ada.credential
	other.signIn()
	another, _ := other.link()
	clears := func(device string) bool {
		t.Helper()
		left := ada.do("DELETE", "/v1/session", map[string]string{"device": device}).want(t, 204, "")
		for _, cookie := range left.Cookies() {
			if cookie.Name == "holdfast-device" {
				return cookie.MaxAge < 0
			}
		}
		return false
	}
	if clears("00000000-0000-4000-8000-000000000000") {
		t.Error("a device that is nobody's takes the cookie with it")
	}
	ada.signIn()
	if clears(another) {
		t.Error("another device takes the cookie with it")
	}
	ada.signIn()
	if !clears(device) {
		t.Error("the device is gone, its cookie is not")
	}
	ada.signIn()
	if left := ada.do("GET", "/v1/devices", nil).member("devices").([]any); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestNamesOfAllKinds checks that quotes and backslashes pass unchanged through JSON, PostgreSQL and documents.
func TestNamesOfAllKinds(t *testing.T) {
	w := newWorld(t)
	const name, feature = `Ada "the\" O'Hara \u0041 </script> {}`, `say "hi"\u0041,"revoked":{}`
	ada := w.browser()
	if user := ada.register(name); ada.do("GET", "/v1/session", nil).text("user.name") != name ||
		ada.admin("GET", "/admin/v1/users/"+user, nil).text("user.name") != name {
		t.Errorf("the user's name has changed")
	}
	// The catalogue refuses such a feature; somebody with write access to the database could add it.
	owner, err := sqlx.Connect("postgres", w.owner)
	must(t, err)
	defer owner.Close()
	_, err = owner.Exec(`UPDATE plans SET features = jsonb_build_object($1::text, '{"offline": true}'::jsonb)`, feature)
	must(t, err)
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, lineage := ada.link()
	document := claims(t, ada.reconcile(device, lineage).want(t, 200, "").text("document"))
	features, _ := document["features"].(map[string]any)
	if _, ok := features[feature]; !ok || len(features) != 1 {
		t.Errorf("features: %v", document["features"])
	}
}

func TestPlansAndAudit(t *testing.T) {
	w := newWorld(t)
	support := w.browser()
	support.admin("PUT", "/admin/v1/plans/team", `{"features":{"export":{"offline":true},"seats":{"limit":5,"offline":false}},"window":3600,"grace":60,"device_limit":9,"rank":20}`).want(t, 200, "")
	plan := support.admin("GET", "/admin/v1/plans/team", nil).want(t, 200, "")
	if plan.member("window") != 3600.0 || plan.member("grace") != 60.0 || plan.member("features.seats.limit") != 5.0 || plan.member("device_limit") != 9.0 {
		t.Fatalf("plan: %s", plan.body)
	}
	support.admin("PUT", "/admin/v1/plans/team", plan.body).want(t, 200, "") // the output of GET can be put back
	// A change is refused if somebody else changed the plan meanwhile, or if an existing plan is taken for a new one.
	edited := strings.Replace(string(plan.body), `"device_limit":9`, `"device_limit":8`, 1)
	support.admin("PUT", "/admin/v1/plans/team", edited).want(t, 200, "")
	support.admin("PUT", "/admin/v1/plans/team", strings.Replace(string(plan.body), `"rank":20`, `"rank":21`, 1)).want(t, 409, "conflict")
	support.admin("PUT", "/admin/v1/plans/team", `{"version":"","features":{},"device_limit":1}`).want(t, 409, "conflict")
	support.admin("PUT", "/admin/v1/plans/fresh", `{"version":"x","features":{},"device_limit":1}`).want(t, 409, "conflict")
	support.admin("GET", "/admin/v1/plans/fresh", nil).want(t, 404, "not_found")
	if now := support.admin("GET", "/admin/v1/plans/team", nil); now.member("device_limit") != 8.0 || now.member("rank") != 20.0 {
		t.Errorf("the plan is now %s", now.body)
	}
	plans := support.admin("GET", "/admin/v1/plans", nil).want(t, 200, "").member("plans").([]any)
	if len(plans) != 2 || plans[0].(map[string]any)["id"] != "team" {
		t.Fatalf("plans: %v", plans)
	}
	for _, name := range []string{"Ada", "Bob", "Cleo"} {
		support.admin("POST", "/admin/v1/users", map[string]string{"name": name}).want(t, 201, "")
	}
	var ids []any
	cursor := ""
	for {
		page := support.admin("GET", "/admin/v1/audit?limit=2&cursor="+cursor, nil).want(t, 200, "")
		for _, entry := range page.member("entries").([]any) {
			if actor := entry.(map[string]any)["actor"]; actor != "token:bootstrap" {
				t.Fatalf("actor %v", actor)
			}
			ids = append(ids, entry.(map[string]any)["id"])
		}
		if cursor = page.text("next"); cursor == "" {
			break
		}
	}
	if len(ids) < 4 {
		t.Fatalf("the trail has %d entries", len(ids))
	}
	for i := 1; i < len(ids); i++ {
		if ids[i].(string) >= ids[i-1].(string) {
			t.Fatalf("the trail is not newest first, without repeats: %v", ids)
		}
	}
	page := support.admin("GET", "/admin/v1/users?limit=2", nil).want(t, 200, "")
	rest := support.admin("GET", "/admin/v1/users?limit=2&cursor="+page.text("next"), nil).want(t, 200, "")
	if len(page.member("users").([]any)) != 2 || len(rest.member("users").([]any)) != 1 || rest.member("next") != nil {
		t.Fatalf("pages: %s %s", page.body, rest.body)
	}
}

// TestGaps lists what a restored database has lost, until support has reviewed it.
func TestGaps(t *testing.T) {
	w := newWorld(t)
	ada, support := w.browser(), w.browser()
	id := ada.register("Ada")
	device, lineage := ada.link()
	var before int
	must(t, w.db.Get(&before, `SELECT revision FROM users WHERE id = $1`, id))
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	lineage = ada.reconcile(device, lineage).want(t, 200, "").text("lineage")
	if none := support.admin("GET", "/admin/v1/gaps", nil).want(t, 200, ""); len(none.member("gaps").([]any)) != 0 || none.member("next") != nil {
		t.Fatalf("gaps where there are none: %s", none.body)
	}
	w.db.MustExec(`UPDATE users SET revision = $2 WHERE id = $1`, id, before)
	w.db.MustExec(`UPDATE devices SET revision = $2 WHERE id = $1`, device, before)
	ada.reconcile(device, lineage).want(t, 200, "")

	list := support.admin("GET", "/admin/v1/gaps?limit=1", nil).want(t, 200, "")
	gaps, ok := list.member("gaps").([]any)
	if !ok || len(gaps) != 1 || list.member("next") != nil {
		t.Fatalf("gaps: %s", list.body)
	}
	gap := gaps[0].(map[string]any)
	if user := gap["user"].(map[string]any); user["id"] != id || user["name"] != "Ada" || gap["device"] != device ||
		gap["database_revision"] != float64(before) || gap["device_revision"] != float64(before+1) {
		t.Fatalf("gap: %v", gap)
	}
	path := fmt.Sprintf("/admin/v1/gaps/%s/close", gap["id"])
	for range 2 {
		support.admin("POST", path, `{"reason":"looked"}`).want(t, 204, "")
	}
	if none := support.admin("GET", "/admin/v1/gaps", nil).want(t, 200, ""); len(none.member("gaps").([]any)) != 0 {
		t.Fatalf("closed: %s", none.body)
	}
}

// TestLogIsSilent runs a whole journey and searches the log for secrets and addresses.
func TestLogIsSilent(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	const agent = "Mozilla/5.0 (Tell-tale)"
	options := ada.do("POST", "/v1/registration/options", `{"name":"Ada Tell-tale"}`, "User-Agent", agent)
	ada.do("POST", "/v1/registration", ada.attest(options), "User-Agent", agent).want(t, http.StatusCreated, "")
	device, lineage := ada.link()
	reconciled := ada.reconcile(device, lineage).want(t, 200, "")
	made := ada.admin("POST", "/admin/v1/users", `{"name":"Bob Tell-tale"}`).want(t, 201, "")
	_, code, _ := strings.Cut(made.text("enrolment.url"), "#enrol=")
	ada.admin("GET", "/admin/v1/users?q=tell-tale", nil).want(t, 200, "")
	ada.do("GET", "/admin/v1/users", nil, "Authorization", "Bearer guessed-tell-tale").want(t, 401, "unauthenticated")
	ada.do("GET", "/nowhere/tell-tale", nil, "X-Forwarded-For", "203.0.113.9").want(t, 404, "not_found")
	spoilt := strings.Replace(ada.assert(ada.do("POST", "/v1/authentication/options", nil)), `"signature":"`, `"signature":"AAAA`, 1)
	ada.do("POST", "/v1/authentication", spoilt).want(t, 400, "credential_rejected")
	cookie := ada.do("GET", "/v1/session", nil).Request.Header.Get("Cookie")

	log := w.log.String()
	if !strings.Contains(log, "route=/v1/reconcile status=200 duration_ms=") || !strings.Contains(log, "credential rejected") {
		t.Fatalf("the log lacks its lines:\n%s", log)
	}
	secrets := []string{"tell-tale", "Tell-tale", "127.0.0.1", "203.0.113.9", adminSecret, code, lineage, reconciled.text("document"), ada.nonce}
	for pair := range strings.SplitSeq(cookie, "; ") {
		_, value, _ := strings.Cut(pair, "=")
		secrets = append(secrets, value)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
