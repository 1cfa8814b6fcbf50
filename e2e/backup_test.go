package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/e2e/support"
)

// A backup is made under load, work goes on for a day, and the machine is lost. The restored server works elsewhere:
// users sign in, and every honest device reconciles and is not called a copy, although each has seen more than the
// database.
func TestBackupUnderLoadAndRestoreElsewhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := support.NewServer(t, binary)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	type person struct {
		client       *support.Client
		passkey      *support.Passkey
		device       *support.Device
		subscription string
		reconciles   atomic.Int64
	}
	people := make([]*person, 6)
	for i := range people {
		p := &person{client: server.Client()}
		var err error
		if _, p.passkey, err = p.client.Register(ctx, "Person "+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		if p.subscription, err = p.client.Trial(ctx); err != nil {
			t.Fatal(err)
		}
		if p.device, err = support.NewDevice(); err != nil {
			t.Fatal(err)
		}
		if err := p.device.Link(ctx, p.client, "laptop"); err != nil {
			t.Fatal(err)
		}
		people[i] = p
	}
	act := func(p *person, action string) error {
		_, err := server.Client().Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+p.subscription+"/"+action,
			map[string]string{"reason": "drill"}, nil, support.Bearer(support.AdminToken))
		return err
	}

	working, rest := context.WithCancel(ctx)
	var work sync.WaitGroup
	for _, p := range people {
		work.Go(func() {
			for working.Err() == nil {
				if _, err := p.device.Reconcile(ctx, p.client); err != nil {
					t.Errorf("a reconcile while the backup is made: %v", err)
					return
				}
				p.reconciles.Add(1)
			}
		})
	}
	work.Go(func() {
		for working.Err() == nil {
			for _, action := range []string{"revoke", "reinstate"} {
				if err := act(people[0], action); err != nil {
					t.Errorf("%s while the backup is made: %v", action, err)
					return
				}
			}
		}
	})
	before := make([]int64, len(people))
	for i, p := range people {
		before[i] = p.reconciles.Load()
	}
	backup := filepath.Join(support.Folder(t), "yesterday.tar")
	command(t, "backup", backup, "--data", server.Data)
	for i, p := range people {
		if p.reconciles.Load() == before[i] {
			t.Errorf("person %d could do nothing while the backup was made", i)
		}
	}
	rest()
	work.Wait()
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}

	// The day after the backup: only the devices will remember it.
	for _, action := range []string{"revoke", "reinstate", "revoke"} {
		if err := act(people[1], action); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range people {
		if _, err := p.device.Reconcile(ctx, p.client); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	elsewhere := support.NewServer(t, binary)
	elsewhere.Data, elsewhere.Origin = filepath.Join(elsewhere.Data, "restored"), server.Origin
	command(t, "restore", backup, "--data", elsewhere.Data)
	if err := elsewhere.Start(); err != nil {
		t.Fatal(err)
	}
	for i, p := range people {
		client := p.client.At(elsewhere.Address())
		for range 2 {
			reconciled, err := p.device.Reconcile(ctx, client)
			if err != nil {
				t.Fatalf("person %d, after the restore: %v", i, err)
			}
			// Person 0 is unchanged since the backup; the revocation of person 1 is lost with the day.
			if state := reconciled.Document.State; reconciled.Status != http.StatusOK || i > 0 && state != "active" {
				t.Errorf("person %d, after the restore: %d, state %q", i, reconciled.Status, state)
			}
		}
		if _, err := elsewhere.Client().SignIn(ctx, p.passkey); err != nil {
			t.Errorf("person %d signs in after the restore: %v", i, err)
		}
	}
	var gaps struct {
		Gaps []struct {
			Device string `json:"device"`
		} `json:"gaps"`
	}
	if _, err := elsewhere.Client().Do(ctx, http.MethodGet, "/admin/v1/gaps", nil, &gaps, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
	listed := false
	for _, gap := range gaps.Gaps {
		listed = listed || gap.Device == people[1].device.ID
	}
	if !listed {
		t.Errorf("whose revocation is lost is not among the gaps: %+v", gaps.Gaps)
	}
}

// command runs the program, which must succeed.
func command(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("holdfast %q: %v\n%s", args, err, out)
	}
}
