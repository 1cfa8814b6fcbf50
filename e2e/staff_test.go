package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/e2e/support"
)

// hire creates a staff member on the command line, who accepts the invitation.
func hire(ctx context.Context, t *testing.T, server *support.Server, name, role string) (*support.Client, support.User, *support.Passkey) {
	t.Helper()
	invite := exec.CommandContext(ctx, binary, "staff", "invite", "--name", name, "--role", role, "--data", server.Data, "--origin", server.Origin)
	out, err := invite.Output()
	if err != nil {
		t.Fatalf("staff invite: %v", err)
	}
	_, code, found := strings.Cut(strings.TrimSpace(string(out)), "#invite=")
	if !found {
		t.Fatalf("staff invite printed %q", out)
	}
	client := server.Client()
	user, passkey, err := client.Enrol(ctx, code)
	if err != nil {
		t.Fatalf("%s takes up the invitation: %v", name, err)
	}
	return client, user, passkey
}

// entry is a line of the audit export.
type entry struct {
	ID     string `json:"id"`
	Actor  string `json:"actor"`
	Action string `json:"action"`
	Object string `json:"object"`
	Before *struct {
		Revoked bool `json:"revoked"`
	} `json:"before"`
	After *struct {
		Revoked bool `json:"revoked"`
	} `json:"after"`
	Reason string `json:"reason"`
}

// trail returns the audit entries about a subscription's revocations, oldest first.
func trail(ctx context.Context, t *testing.T, client *support.Client, user, subscription string) []entry {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.Address+"/admin/v1/audit/export?user="+user, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = support.Bearer(support.AdminToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var entries []entry
	for lines := json.NewDecoder(response.Body); lines.More(); {
		var line entry
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%s: %v", response.Status, err)
		}
		if line.Object == "subscription:"+subscription && (line.Action == "subscription.revoke" || line.Action == "subscription.reinstate") {
			entries = append(entries, line)
		}
	}
	return entries
}

// Two staff members revoke and reinstate one subscription at once, on two servers, while its devices reconcile. Every
// change gets the next revision, the audit trail matches the answers, and no device sees a revision go back, or features
// at a revision that had none.
func TestConcurrentStaffChanges(t *testing.T) {
	t.Parallel()
	each := 100 // changes by each of them
	if full {
		each = 2500
	}
	ctx := t.Context()
	first, second := startTwo(t)
	servers := []*support.Server{first, second}

	ada := first.Client()
	user, _, err := ada.Register(ctx, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	subscription, err := ada.Trial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var devices []*support.Device
	for range 3 {
		device, err := support.NewDevice()
		if err != nil {
			t.Fatal(err)
		}
		browser := first.Client()
		if err := lendSession(ada, browser); err != nil {
			t.Fatal(err)
		}
		if err := device.Link(ctx, browser, "laptop"); err != nil {
			t.Fatal(err)
		}
		devices = append(devices, device)
	}
	var before revocation
	if _, err := first.Client().Do(ctx, http.MethodGet, "/admin/v1/subscriptions/"+subscription+"/revocation", nil, &before, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}

	// The answers: whether the subscription was revoked at a revision, and who got the answer.
	type answered struct {
		Revision     int64 `json:"revision"`
		Subscription struct {
			Revoked bool `json:"revoked"`
		} `json:"subscription"`
	}
	answers := map[string][]answered{}
	var acting, watching sync.WaitGroup
	var mu sync.Mutex
	for i, name := range []string{"Eve", "Sam"} {
		member, as, passkey := hire(ctx, t, first, name, []string{"admin", "support"}[i])
		member = member.At(servers[i].Address())
		acting.Go(func() {
			var given []answered
			for n := range each {
				var answer answered
				change := func() error {
					_, err := member.Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+subscription+"/"+[]string{"revoke", "reinstate"}[n%2],
						map[string]string{"reason": name + " says so"}, &answer, nil)
					return err
				}
				err := change()
				var problem *support.Problem
				if errors.As(err, &problem) && problem.Code == "reauthentication_required" { // it has taken more than 10 minutes
					if _, err = member.SignIn(ctx, passkey); err == nil {
						err = change()
					}
				}
				if err != nil {
					t.Errorf("%s, change %d: %v", name, n, err)
					return
				}
				if len(given) > 0 && answer.Revision < given[len(given)-1].Revision {
					t.Errorf("%s is answered revision %d after %d", name, answer.Revision, given[len(given)-1].Revision)
				}
				given = append(given, answer)
			}
			mu.Lock()
			defer mu.Unlock()
			answers["staff:"+as.ID] = given
		})
	}
	done, stop := context.WithCancel(ctx)
	defer stop()
	held := make([][]support.Document, len(devices))
	var put atomic.Int64
	for i, device := range devices {
		clients := []*support.Client{first.Client(), second.Client()}
		watching.Go(func() {
			for n := i; done.Err() == nil; n++ {
				reconciled, err := device.Reconcile(ctx, clients[n%2])
				var problem *support.Problem
				if errors.As(err, &problem) && problem.Code == "unavailable" {
					put.Add(1) // the account kept changing under it
					continue
				}
				if err != nil || reconciled.Status != http.StatusOK {
					t.Errorf("device %d: %d, %v", i, reconciled.Status, err)
					return
				}
				held[i] = append(held[i], reconciled.Document)
			}
		})
	}
	acting.Wait()
	stop()
	watching.Wait()
	if t.Failed() {
		return
	}

	entries := trail(ctx, t, first.Client(), user.ID, subscription)
	if len(entries) < each {
		t.Fatalf("%d changes", len(entries))
	}
	revoked := map[int64]bool{before.Revision: false}
	made := map[int64]string{}
	for i, e := range entries {
		revision := before.Revision + int64(i) + 1
		if e.Before == nil || e.After == nil || e.Before.Revoked != revoked[revision-1] || e.After.Revoked == e.Before.Revoked ||
			e.After.Revoked != (e.Action == "subscription.revoke") || i > 0 && e.ID <= entries[i-1].ID || !strings.HasSuffix(e.Reason, " says so") {
			t.Fatalf("change %d, to revision %d: %+v, after %v", i, revision, e, revoked[revision-1])
		}
		revoked[revision], made[revision] = e.After.Revoked, e.Actor
	}
	for actor, given := range answers {
		for _, answer := range given {
			state, known := revoked[answer.Revision]
			if !known || state != answer.Subscription.Revoked {
				t.Fatalf("%s was answered revision %d, revoked %v; the trail says %v, %v", actor, answer.Revision, answer.Subscription.Revoked, known, state)
			}
			if made[answer.Revision] == actor {
				delete(made, answer.Revision)
			}
		}
	}
	if len(made) > 0 {
		t.Errorf("changes in the trail that nobody was answered: %v", made)
	}
	seen, changes := 0, 0
	for i, documents := range held {
		for n, document := range documents {
			if n > 0 && document.Revision < documents[n-1].Revision {
				t.Fatalf("device %d: revision %d after %d", i, document.Revision, documents[n-1].Revision)
			}
			if n > 0 && document.Revision > documents[n-1].Revision {
				changes++
			}
			if withdrawn, known := revoked[document.Revision]; !known || withdrawn != (len(document.Features) == 0) {
				t.Fatalf("device %d: at revision %d, revoked %v, it was given %v", i, document.Revision, withdrawn, document.Features)
			}
			seen++
		}
	}
	var after struct {
		Revision      int64 `json:"revision"`
		Subscriptions []struct {
			Revoked bool `json:"revoked"`
		} `json:"subscriptions"`
	}
	if _, err := first.Client().Do(ctx, http.MethodGet, "/admin/v1/users/"+user.ID, nil, &after, support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
	if last := before.Revision + int64(len(entries)); after.Revision != last || after.Subscriptions[0].Revoked != revoked[last] {
		t.Errorf("in the end %+v; the trail ends at revision %d, revoked %v", after, last, revoked[last])
	}
	t.Logf("%d changes in %d tries; %d documents, %d times another revision than before, %d tries put off", len(entries), 2*each, seen, changes, put.Load())
}
