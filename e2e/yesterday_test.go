package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// TestRestoreOfOlderDataFolder replaces today's data folder with yesterday's.
func TestRestoreOfOlderDataFolder(t *testing.T) {
	t.Parallel()
	server := support.NewServer(t, binary)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	yesterday := filepath.Join(support.Folder(t), "yesterday")
	loseDay(t, server, func() {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		copyFolder(t.Context(), t, server.Data, yesterday)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
	}, func() {
		if err := os.RemoveAll(server.Data); err != nil {
			t.Fatal(err)
		}
		copyFolder(t.Context(), t, yesterday, server.Data)
	})
}

// loseDay takes the database of a running server back by a day: remember keeps the present state, and goBack returns to it
// while the server is stopped. Every device that the database then knows reconciles and none is called a copy. The users with
// a lost change are listed, and nobody else. A repeated revoke knows how long documents issued on the lost day are valid.
func loseDay(t *testing.T, server *support.Server, remember, goBack func()) {
	t.Helper()
	ctx := t.Context()
	admin := func(method, path string, body, out any) {
		t.Helper()
		if _, err := server.Client().Do(ctx, method, "/admin/v1"+path, body, out, support.Bearer(support.AdminToken)); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	because := map[string]string{"reason": "drill"}

	// The changes of each of them on the day that will be lost.
	const (
		nothing     = iota // only reconciles
		revoked            // revoked, and the device has reconciled since
		undone             // revoked and reinstated
		overtaken          // revoked, and changed as often after the restore
		newcomer           // linked on that day
		circumspect        // revoked, and the device has not reconciled since
	)
	type person struct {
		user         support.User
		client       *support.Client
		device       *support.Device
		subscription string
		held         support.Document
	}
	people := make([]*person, circumspect+1)
	reconcile := func(who int) support.Document {
		t.Helper()
		p := people[who]
		reconciled, err := p.device.Reconcile(ctx, p.client)
		if err != nil || reconciled.Status != http.StatusOK {
			t.Fatalf("device %d: %d, %v", who, reconciled.Status, err)
		}
		if reconciled.Document.Revision < p.held.Revision {
			t.Errorf("device %d: revision %d after %d", who, reconciled.Document.Revision, p.held.Revision)
		}
		p.held = reconciled.Document
		return p.held
	}
	link := func(who int) {
		t.Helper()
		p := people[who]
		var err error
		if p.device, err = support.NewDevice(); err != nil {
			t.Fatal(err)
		}
		p.held = support.Document{}
		if err := p.device.Link(ctx, p.client, "laptop"); err != nil {
			t.Fatalf("device %d: %v", who, err)
		}
		reconcile(who)
	}
	for who := range people {
		p := &person{client: server.Client()}
		people[who] = p
		var err error
		if p.user, _, err = p.client.Register(ctx, "Person "+strconv.Itoa(who)); err != nil {
			t.Fatal(err)
		}
		if p.subscription, err = p.client.Trial(ctx); err != nil {
			t.Fatal(err)
		}
		if who != newcomer {
			link(who)
		}
	}

	remember()
	// Today.
	for _, who := range []int{revoked, undone, overtaken, circumspect} {
		admin(http.MethodPost, "/subscriptions/"+people[who].subscription+"/revoke", because, nil)
	}
	for range 3 {
		reconcile(nothing)
	}
	for _, who := range []int{revoked, overtaken} {
		if document := reconcile(who); document.State != "revoked" {
			t.Fatalf("device %d: %+v", who, document)
		}
	}
	admin(http.MethodPost, "/subscriptions/"+people[undone].subscription+"/reinstate", because, nil)
	reconcile(undone)
	link(newcomer)

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	goBack()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}

	// Billing is at work before the devices come back.
	admin(http.MethodPut, "/subscriptions/"+people[overtaken].subscription, map[string]any{
		"user": people[overtaken].user.ID, "plan": "premium", "state": "active", "paid_through": time.Now().Add(1000 * time.Hour).Format(time.RFC3339),
	}, nil)
	for _, who := range []int{nothing, revoked, undone, overtaken, circumspect} {
		for range 2 {
			if document := reconcile(who); document.State != "active" || len(document.Features) == 0 {
				t.Errorf("device %d, whose revocation is lost if there was one: %+v", who, document)
			}
		}
	}
	link(newcomer) // the restored database does not know its device

	type gap struct {
		ID   string `json:"id"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Device string `json:"device"`
	}
	gaps := func() (open []gap) {
		t.Helper()
		var page struct {
			Gaps []gap `json:"gaps"`
		}
		admin(http.MethodGet, "/gaps", nil, &page)
		return page.Gaps
	}
	listed := map[string]bool{}
	for _, g := range gaps() {
		listed[g.User.ID+" "+g.Device] = true
	}
	for _, who := range []int{revoked, undone, overtaken} {
		name := people[who].user.ID + " " + people[who].device.ID
		if !listed[name] {
			t.Errorf("person %d is not listed", who)
		}
		delete(listed, name)
	}
	if len(listed) > 0 {
		t.Errorf("others are listed: %v", listed)
	}

	// An operator examines the gaps, repeats the revokes, and closes them.
	var again revocation
	admin(http.MethodPost, "/subscriptions/"+people[revoked].subscription+"/revoke", because, &again)
	if ends := people[revoked].held.Ends(); again.OfflineUntil == nil || again.OfflineUntil.Before(ends) || again.Revision <= people[revoked].held.Revision {
		t.Errorf("revoked again: %+v; a document ends at %v", again, ends)
	}
	if document := reconcile(revoked); document.State != "revoked" {
		t.Errorf("revoked again: %+v", document)
	}
	for _, g := range gaps() {
		admin(http.MethodPost, "/gaps/"+g.ID+"/close", because, nil)
	}
	if open := gaps(); len(open) > 0 {
		t.Errorf("closed: %+v", open)
	}
}

// copyFolder copies a folder with its owners and modes.
func copyFolder(ctx context.Context, t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}
