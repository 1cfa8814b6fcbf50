package e2e

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"holdfast/e2e/support"
)

type revocation struct {
	Revision     int64      `json:"revision"`
	OfflineUntil *time.Time `json:"offline_until"`
	Devices      []struct {
		ID                string     `json:"id"`
		DocumentExpiresAt *time.Time `json:"document_expires_at"`
	} `json:"devices"`
}

// Once a revoke has answered, no reconcile that begins later grants the lost features, on any server process; and no
// document issued before or meanwhile ends after offline_until.
func TestRevokeRacesReconcile(t *testing.T) {
	t.Parallel()
	const (
		deviceCount = 20 // as many as may be linked in an hour
		perDevice   = 10 // 200 reconciles at once
	)
	rounds := 3
	if full {
		rounds = 20
	}

	ctx := t.Context()
	first, second := startTwo(t)
	admin := first.Client()
	raiseDeviceLimit(ctx, t, admin, deviceCount)

	owner := first.Client()
	if _, _, err := owner.Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	subscription, err := owner.Trial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	clients := []*support.Client{first.Client(), second.Client()}
	var devices []*support.Device
	for i := range deviceCount {
		device, err := support.NewDevice()
		if err != nil {
			t.Fatal(err)
		}
		// A separate jar each time, because in one browser, linking again replaces the previous device.
		browser := first.Client()
		if i == 0 {
			browser = owner
		} else if err := lendSession(owner, browser); err != nil {
			t.Fatal(err)
		}
		if err := device.Link(ctx, browser, "device"); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
		devices = append(devices, device)
	}

	var given documents
	for round := range rounds {
		// Every device reconciles repeatedly, alternating between both processes, until the revoke has answered.
		raced, stop := context.WithCancel(ctx)
		var before, racing sync.WaitGroup
		before.Add(len(devices))
		for i, device := range devices {
			racing.Go(func() {
				for n := 0; raced.Err() == nil; n++ {
					reconciled, err := device.Reconcile(ctx, clients[(i+n)%2])
					if n == 0 {
						before.Done()
					}
					if err != nil {
						t.Errorf("round %d, before the revoke: %v", round, err)
						return
					}
					given.keep(reconciled.Document)
				}
			})
		}
		before.Wait()
		var revoked revocation
		_, err := admin.At([]string{first.Address(), second.Address()}[round%2]).Do(ctx, http.MethodPost,
			"/admin/v1/subscriptions/"+subscription+"/revoke", map[string]string{"reason": "drill"}, &revoked, support.Bearer(support.AdminToken))
		answered := time.Now()

		var after sync.WaitGroup
		for i, device := range devices {
			for n := range perDevice {
				after.Go(func() {
					reconciled, err := device.Reconcile(ctx, clients[(i+n)%2])
					if err != nil {
						t.Errorf("round %d, after the revoke: %v", round, err)
						return
					}
					document := reconciled.Document
					if len(document.Features) > 0 || document.State != "revoked" || reconciled.Status != http.StatusOK {
						t.Errorf("round %d: %v after the revoke answered: %d, state %q, features %v",
							round, time.Since(answered), reconciled.Status, document.State, document.Features)
					}
					if document.Revision < revoked.Revision {
						t.Errorf("round %d: rev %d after revision %d was answered", round, document.Revision, revoked.Revision)
					}
				})
			}
		}
		stop()
		racing.Wait()
		after.Wait()
		if err != nil {
			t.Fatalf("round %d: revoke: %v", round, err)
		}

		given.check(t, revoked)
		var again revocation
		if _, err := admin.Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+subscription+"/revoke",
			map[string]string{"reason": "drill"}, &again, support.Bearer(support.AdminToken)); err != nil {
			t.Fatal(err)
		}
		if again.Revision != revoked.Revision {
			t.Errorf("a repeated revoke: revision %d, then %d", revoked.Revision, again.Revision)
		}
		if _, err := admin.Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+subscription+"/reinstate",
			map[string]string{"reason": "drill"}, nil, support.Bearer(support.AdminToken)); err != nil {
			t.Fatal(err)
		}
		reconciled, err := devices[0].Reconcile(ctx, clients[round%2])
		if err != nil {
			t.Fatal(err)
		}
		if len(reconciled.Document.Features) == 0 {
			t.Errorf("round %d: nothing came back with the reinstatement", round)
		}
	}

	keys, err := support.FetchJWKS(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range given.all {
		if err := keys.Verify(document); err != nil {
			t.Fatalf("%s: %v", document.Compact, err)
		}
	}
	t.Logf("%d documents with features, %d rounds", len(given.all), rounds)
}

// documents are all documents issued with features.
type documents struct {
	mu  sync.Mutex
	all []support.Document
}

func (d *documents) keep(document support.Document) {
	if len(document.Features) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, document)
}

func (d *documents) check(t *testing.T, revoked revocation) {
	t.Helper()
	if revoked.OfflineUntil == nil {
		t.Error("offline_until is null although documents were given")
		return
	}
	ends := map[string]*time.Time{}
	for _, device := range revoked.Devices {
		ends[device.ID] = device.DocumentExpiresAt
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, document := range d.all {
		if document.Ends().After(*revoked.OfflineUntil) {
			t.Errorf("a document ends at %v, after offline_until %v", document.Ends(), revoked.OfflineUntil)
		}
		if end := ends[document.Device]; end == nil || document.Ends().After(*end) {
			t.Errorf("a document of device %s ends at %v, after document_expires_at %v", document.Device, document.Ends(), end)
		}
	}
}

// raiseDeviceLimit raises the device limit of the premium plan.
func raiseDeviceLimit(ctx context.Context, t *testing.T, admin *support.Client, limit int) {
	t.Helper()
	var plan map[string]any
	if _, err := admin.Do(ctx, http.MethodGet, "/admin/v1/plans/premium", nil, &plan, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
	delete(plan, "id") // named by the path
	plan["device_limit"] = limit
	if _, err := admin.Do(ctx, http.MethodPut, "/admin/v1/plans/premium", plan, nil, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
}

// lendSession signs another browser in with the same session, without the device cookie.
func lendSession(from, to *support.Client) error {
	for _, cookie := range from.Cookies() {
		if cookie.Name == "holdfast" {
			to.SetCookie(cookie)
			return nil
		}
	}
	return errors.New("no session cookie")
}
