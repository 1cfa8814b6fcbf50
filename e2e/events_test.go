package e2e

import (
	"net/http"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// An open page is notified of a revoke, on any server process. Its stream ends with its session, and with the server,
// which does not wait for it.
func TestEvents(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, second := startTwo(t)

	ada := first.Client()
	if _, _, err := ada.Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	subscription, err := ada.Trial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	page, err := ada.At(second.Address()).Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"revoke", "reinstate", "suspend"} {
		var changed revocation
		begun := time.Now()
		if _, err := first.Client().Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+subscription+"/"+change,
			map[string]string{"reason": "drill"}, &changed, support.Bearer(support.AdminToken)); err != nil {
			t.Fatal(err)
		}
		if err := support.Told(page, changed.Revision); err != nil {
			t.Fatalf("after %s: %v", change, err)
		}
		t.Logf("%s: told %v after it was asked for", change, time.Since(begun))
	}

	bob := first.Client()
	if _, _, err := bob.Register(ctx, "Bob"); err != nil {
		t.Fatal(err)
	}
	bobs, err := bob.At(second.Address()).Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Do(ctx, http.MethodDelete, "/v1/session", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := support.Ended(bobs); err != nil {
		t.Errorf("after signing out: %v", err)
	}

	begun := time.Now()
	if err := second.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if took := time.Since(begun); took > 8*time.Second { // requests under way would have ten
		t.Errorf("the server took %v to end", took)
	}
	if err := support.Ended(page); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
