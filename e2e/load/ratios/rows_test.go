package ratios

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"holdfast/e2e/support"
)

// work is one request, or a group of requests, by client number i in its n-th attempt. It returns how long what is measured
// took.
type work func(ctx context.Context, i, n int) (time.Duration, error)

// timed is work that is measured as a whole.
func timed(do func(ctx context.Context, i, n int) error) work {
	return func(ctx context.Context, i, n int) (time.Duration, error) {
		begun := time.Now()
		err := do(ctx, i, n)
		return time.Since(begun), err
	}
}

// preparation is the part of some work that a device has done when its request begins.
type preparation struct {
	prepare func(i, n int) error
	batch   int // how many attempts each client can prepare at a time
}

// row is one kind of work, at Holdfast and, unless it is nil, at the peer.
type row struct {
	name        string
	ours, plain work
	before      *preparation // of ours; nil if there is none
}

// account is a signed-in client with its passkey and, at Holdfast, a device.
type account struct {
	client       *support.Client
	passkey      *support.Passkey
	device       *support.Device
	subscription string
	revoked      bool
	events       <-chan int64 // nil without an event stream
	attempt      support.Attempt
}

// of returns an account for client i: never one that another client has.
func of(accounts []account, clients, i, n int) *account {
	share := len(accounts) / clients
	return &accounts[i*share+n%share]
}

// accounts registers n accounts at an address, with a trial and a device if they are premium.
func (w *world) accounts(n int, address string, premium bool) []account {
	w.b.Helper()
	accounts := make([]account, n)
	for i := range accounts {
		a := &accounts[i]
		a.client = support.NewClient(address, "")
		a.client.Network = fmt.Sprintf("10.200.%d.1", i/200)
		w.b.Cleanup(a.client.Close)
		var err error
		if _, a.passkey, err = a.client.Register(w.b.Context(), fmt.Sprintf("User %x Number%d", i, i)); err != nil {
			w.b.Fatal(err)
		}
		if !premium {
			continue
		}
		if a.subscription, err = a.client.Trial(w.b.Context()); err != nil {
			w.b.Fatal(err)
		}
		if a.device, err = support.NewDevice(); err != nil {
			w.b.Fatal(err)
		}
		if err := a.device.Link(w.b.Context(), a.client, "Phone"); err != nil {
			w.b.Fatal(err)
		}
	}
	return accounts
}

// watched returns n accounts with an open event stream each. They must not sign in, which would end it.
func (w *world) watched(n int) []account {
	w.b.Helper()
	accounts := w.accounts(n, w.holdfast.Origin, true)
	w.listen(accounts)
	return accounts
}

// listen opens an event stream for each account.
func (w *world) listen(accounts []account) {
	w.b.Helper()
	for i := range accounts {
		a := &accounts[i]
		var err error
		if a.events, err = a.client.Events(w.b.Context()); err != nil {
			w.b.Fatal(err)
		}
		select {
		case <-a.events:
		case <-time.After(patience):
			w.b.Fatal("an event stream does not begin")
		}
	}
}

// rows lists the work of a number of clients at a process that serves ours, and at the peer. Each client has its own
// account of watched.
func (w *world) rows(clients int, address string, ours, theirs, watched []account) []row {
	signIn := func(accounts []account, address string) work {
		return timed(func(ctx context.Context, i, n int) error {
			a := of(accounts, clients, i, n)
			_, err := a.client.At(address).SignIn(ctx, a.passkey)
			return err
		})
	}
	register := func(origin, address string) work {
		return timed(func(ctx context.Context, i, n int) error {
			client := support.NewClient(origin, address)
			client.Network = fmt.Sprintf("10.%d.%d.1", i, n%256)
			defer client.Close()
			_, _, err := client.Register(ctx, fmt.Sprint("New ", i, " ", n))
			return err
		})
	}
	return []row{
		{name: "sign-in", ours: signIn(ours, address), plain: signIn(theirs, w.plain)},
		{name: "registration", ours: register(w.holdfast.Origin, address), plain: register(w.plain, w.plain)},
		{name: "reconcile", ours: timed(func(ctx context.Context, i, n int) error {
			a := of(ours, clients, i, n)
			_, err := a.device.Send(ctx, a.client.At(address), a.attempt)
			return err
		}), plain: timed(func(ctx context.Context, i, n int) error {
			a := of(theirs, clients, i, n)
			_, err := a.client.Do(ctx, http.MethodGet, "/v1/entitlements", nil, nil, nil)
			return err
		}), before: &preparation{func(i, n int) (err error) {
			a := of(ours, clients, i, n)
			a.attempt, err = a.device.Prepare(a.client)
			return err
		}, len(ours) / clients}},
		{name: "revoke → push", ours: func(ctx context.Context, i, _ int) (time.Duration, error) {
			return w.push(ctx, address, &watched[i])
		}},
		{name: "status list", ours: w.get(address, "/v1/status-lists/0", nil)},
		{name: "admin search", ours: w.get(address, "/admin/v1/users?q=user+1f", support.Bearer(support.AdminToken))},
	}
}

// push revokes the subscription of an account, or reinstates a revoked one, and returns how long after the answer the event
// stream says so.
func (w *world) push(ctx context.Context, address string, a *account) (time.Duration, error) {
	action := "revoke"
	if a.revoked {
		action = "reinstate"
	}
	for len(a.events) > 0 {
		<-a.events
	}
	var answer struct {
		Revision int64 `json:"revision"`
	}
	_, err := w.holdfast.Client().At(address).Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+a.subscription+"/"+action,
		map[string]string{"reason": "bench"}, &answer, support.Bearer(support.AdminToken))
	if err != nil {
		return 0, err
	}
	answered := time.Now()
	a.revoked = !a.revoked
	for {
		select {
		case revision, open := <-a.events:
			if !open {
				return 0, fmt.Errorf("the event stream has ended")
			}
			if revision >= answer.Revision {
				return time.Since(answered), nil
			}
		case <-time.After(patience):
			return 0, fmt.Errorf("revision %d is not pushed", answer.Revision)
		}
	}
}

func (w *world) get(address, path string, header http.Header) work {
	client := w.holdfast.Client()
	w.b.Cleanup(client.Close)
	return timed(func(ctx context.Context, _, _ int) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
		if err != nil {
			return err
		}
		request.Header = header.Clone()
		return client.Discard(request)
	})
}
