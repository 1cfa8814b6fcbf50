package api_test

import (
	"testing"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

// TestExternalIDInDocuments checks that documents show the user's present external id if they are configured to, and
// otherwise never, and that a device's proof tells a back end whose device it is.
func TestExternalIDInDocuments(t *testing.T) {
	for _, shown := range []bool{false, true} {
		w := newWorld(t, func(_ *api.Config, _ *passkey.Config, e *entitlements.Config) { e.ExternalIDs = shown })
		ada := w.browser()
		user := ada.register("Ada")
		device, lineage := ada.link()
		for _, id := range []any{nil, "crm-17", "crm-18", nil} {
			if id != nil || ada.admin("GET", "/admin/v1/users/"+user, nil).member("user.external_id") != nil {
				ada.admin("PUT", "/admin/v1/users/"+user, map[string]any{"external_id": id}).want(t, 200, "")
			}
			want := id
			if !shown {
				want = nil
			}
			reconciled := ada.reconcile(device, lineage).want(t, 200, "")
			lineage = reconciled.text("lineage")
			if got, found := claims(t, reconciled.text("document"))["external_id"]; got != want || found != (want != nil) {
				t.Errorf("shown %v: the document has %v, want %v", shown, got, want)
			}
			for by, known := range map[string]answer{
				"proof": ada.prove("GET", "/v1/entitlements", nil).want(t, 200, ""), "cookie": ada.do("GET", "/v1/entitlements", nil).want(t, 200, ""),
			} {
				if known.text("user") != user || known.member("external_id") != want || known.member("fresh_for") != 10.0 {
					t.Errorf("shown %v, by %s: %s, want %v", shown, by, known.body, want)
				}
			}
		}
	}
}
