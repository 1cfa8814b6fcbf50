package api_test

import (
	"encoding/json"
	"testing"
	"time"
)

// TestReplays: the same bytes again are answered while their nonce lives, since an answer may have been lost: with what is true
// then, bound to the same device and proof. They take nothing forward, and never make a device look copied.
func TestReplays(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	device, lineage := ada.link()
	lineages := func() (row string) {
		must(t, w.db.Get(&row, `SELECT lineage_n || encode(lineage_parent, 'hex') || (forked_at IS NULL) FROM devices WHERE id = $1`, device))
		return row
	}
	body := must1(json.Marshal(map[string]any{"device": device, "lineage": lineage, "keyset_version": 0}))(t)
	stolen, read := ada.proof("POST", "/v1/reconcile", body, nil), ada.proof("GET", "/v1/entitlements", nil, nil)
	first := ada.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 200, "")
	after := lineages()
	thief := w.browser()
	replayed := thief.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 200, "")
	a, b := claims(t, first.text("document")), claims(t, replayed.text("document"))
	if a["proof"] != b["proof"] || a["device"] != b["device"] || lineages() != after {
		t.Errorf("replayed: %v, %v; the lineage %s, was %s", a, b, lineages(), after)
	}
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 200, "")
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 200, "")

	ada.reconcile(device, first.text("lineage")).want(t, 200, "")
	after = lineages()
	thief.do("POST", "/v1/reconcile", body, "DPoP", stolen).want(t, 401, "use_dpop_nonce")
	if lineages() != after {
		t.Errorf("the lineage is %s, was %s", lineages(), after)
	}
	w.clock.forward(5*time.Minute + time.Second)
	thief.do("GET", "/v1/entitlements", nil, "DPoP", read).want(t, 401, "use_dpop_nonce")
}
