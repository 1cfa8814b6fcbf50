package e2e

import (
	"net/http"
	"testing"

	"holdfast/e2e/support"
)

// A stop leaves no process behind and loses nothing: after the next start the same people sign in, their sessions are
// valid, and their devices reconcile.
func TestSecondStartKeepsEveryUser(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := support.NewServer(t, binary)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}

	type person struct {
		user    support.User
		client  *support.Client
		passkey *support.Passkey
		device  *support.Device
	}
	var people []person
	for _, name := range []string{"Ada", "Grace", "Ada"} { // names need not be unique
		client := server.Client()
		user, passkey, err := client.Register(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if user.Name != name {
			t.Errorf("registered %q as %q", name, user.Name)
		}
		if _, err := client.Trial(ctx); err != nil {
			t.Fatal(err)
		}
		device, err := support.NewDevice()
		if err != nil {
			t.Fatal(err)
		}
		if err := device.Link(ctx, client, "laptop"); err != nil {
			t.Fatal(err)
		}
		people = append(people, person{user, client, passkey, device})
	}

	for range 2 {
		if err := server.Stop(); err != nil {
			t.Fatalf("SIGTERM: %v", err)
		}
		left, err := support.Processes(server.Data)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) > 0 {
			t.Fatalf("left running: %q", left)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			if _, err := p.client.Do(ctx, http.MethodGet, "/v1/session", nil, nil, nil); err != nil {
				t.Errorf("session of %s: %v", p.user.Name, err)
			}
			user, err := server.Client().SignIn(ctx, p.passkey)
			if err != nil {
				t.Errorf("sign-in of %s: %v", p.user.Name, err)
			} else if user != p.user {
				t.Errorf("%+v signed in as %+v", p.user, user)
			}
			reconciled, err := p.device.Reconcile(ctx, p.client)
			if err != nil {
				t.Errorf("reconcile of %s: %v", p.user.Name, err)
			} else if reconciled.Document.State != "active" {
				t.Errorf("reconcile of %s: state %q", p.user.Name, reconciled.Document.State)
			}
		}
	}
}
