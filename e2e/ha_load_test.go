package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/e2e/support"
)

const (
	subscribers = 6                      // users who are revoked and reinstated, each with a device at each of the other targets
	pace        = 120 * time.Millisecond // between two operations of one worker
	patience    = 30 * time.Second       // of a worker, for one operation of up to three requests
)

// load is the mixed load of the drill, and the log of it. Each worker sends all its requests to one target, so that a target
// that is silent holds up nobody else.
type load struct {
	t       *testing.T
	origin  string
	targets []target
	began   time.Time

	subscribers []*subscriber

	mu      sync.Mutex
	members []*member                // acknowledged sign-ups and sign-ins
	actions []action                 // all acknowledged actions, and those on subscribers that may have happened
	trouble []string                 // answers that no fault explains
	silent  map[string]time.Duration // until when targets may leave requests unanswered
}

// target is where requests go: a replica, or the proxy in front of all.
type target struct{ name, address string }

// subscriber is a user with a subscription and devices, which are used at one target each.
type subscriber struct {
	subscription string
	devices      []*support.Device
}

// member is a session that was acknowledged.
type member struct {
	client  *support.Client
	user    support.User
	passkey *passkey
	action
}

// passkey makes one assertion after the other, as its counter demands.
type passkey struct {
	sync.Mutex
	*support.Passkey
}

// client returns a new browser at a target, in a network of its own.
func (l *load) client(at target) *support.Client {
	c := support.NewClient(l.origin, at.address)
	c.Network = fmt.Sprintf("%d.%d.%d.1", 20+rand.IntN(50), rand.IntN(256), rand.IntN(256))
	return c
}

// prepare makes the subscribers.
func (l *load) prepare(ctx context.Context) {
	l.t.Helper()
	check := func(err error) {
		l.t.Helper()
		if err != nil {
			l.t.Fatal(err)
		}
	}
	l.began = time.Now()
	for user := range subscribers {
		s := &subscriber{}
		owner := l.client(l.targets[0])
		_, _, err := owner.Register(ctx, fmt.Sprint("Ada ", user))
		check(err)
		s.subscription, err = owner.Trial(ctx)
		check(err)
		for range len(l.targets) - 1 {
			device, err := support.NewDevice()
			check(err)
			browser := l.client(l.targets[0])
			check(lendSession(owner, browser))
			check(device.Link(ctx, browser, "laptop"))
			s.devices = append(s.devices, device)
		}
		l.subscribers = append(l.subscribers, s)
		l.reconcile(ctx, l.targets[0], owner, user, s.devices[0])
	}
}

// run works until ctx ends.
func (l *load) run(ctx context.Context) {
	var workers sync.WaitGroup
	work := func(step func(ctx context.Context)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // the last operations are finished, too
				step(patient)
				cancel()
				select {
				case <-ctx.Done():
				case <-time.After(pace/2 + rand.N(pace)):
				}
			}
		})
	}
	for _, at := range l.targets {
		work(func(ctx context.Context) { l.signUp(ctx, at) })
		work(func(ctx context.Context) { l.signIn(ctx, at) })
	}
	for user, s := range l.subscribers {
		staff, next := l.targets[user%len(l.targets)], revoke
		client := l.client(staff)
		work(func(ctx context.Context) {
			if l.decide(ctx, staff, client, user, next) {
				next = map[kind]kind{revoke: reinstate, reinstate: revoke}[next]
			}
		})
		for i, device := range s.devices {
			at := l.targets[(user+1+i)%len(l.targets)]
			client := l.client(at)
			work(func(ctx context.Context) { l.reconcile(ctx, at, client, user, device) })
		}
	}
	workers.Wait()
}

func (l *load) signUp(ctx context.Context, at target) {
	client := l.client(at)
	defer client.Close()
	done := l.begin(signUp, at, -1)
	user, made, err := client.Register(ctx, "Grace")
	if op := done(err); op.done() {
		l.join(&member{client, user, &passkey{Passkey: made}, op})
	}
}

func (l *load) signIn(ctx context.Context, at target) {
	l.mu.Lock()
	var who *member
	if len(l.members) > 0 {
		who = l.members[rand.IntN(len(l.members))]
	}
	l.mu.Unlock()
	if who == nil || !who.passkey.TryLock() {
		return
	}
	defer who.passkey.Unlock()
	client := l.client(at)
	defer client.Close()
	done := l.begin(signIn, at, -1)
	user, err := client.SignIn(ctx, who.passkey.Passkey)
	if err == nil && user != who.user {
		err = fmt.Errorf("%v signed in as %v", who.user, user)
	}
	if op := done(err); op.done() {
		l.join(&member{client, user, who.passkey, op})
	}
}

func (l *load) join(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = append(l.members, m)
}

func (l *load) reconcile(ctx context.Context, at target, client *support.Client, user int, device *support.Device) {
	done := l.begin(reconcile, at, user)
	reconciled, err := device.Reconcile(ctx, client)
	if err == nil && reconciled.Status != http.StatusOK {
		err = &support.Problem{Status: reconciled.Status, Code: "device_forked", Title: "an honest device is taken for a copy"}
	}
	if op := done(err); op.done() {
		document := reconciled.Document
		op.standing, op.until = standing{document.Revision, len(document.Features) > 0}, document.Expires
		l.record(op)
	}
}

// decide revokes or reinstates the subscription. It reports whether that was acknowledged.
func (l *load) decide(ctx context.Context, at target, client *support.Client, user int, what kind) bool {
	done := l.begin(what, at, user)
	var changed revocation
	_, err := client.Do(ctx, http.MethodPost, "/admin/v1/subscriptions/"+l.subscribers[user].subscription+"/"+string(what),
		map[string]string{"reason": "drill"}, &changed, support.Bearer(support.AdminToken))
	op := done(err)
	if op.done() {
		op.standing = standing{changed.Revision, what == reinstate}
		if changed.OfflineUntil != nil {
			op.until = changed.OfflineUntil.Unix()
		}
	}
	if op.kind != "" {
		l.record(op)
	}
	return op.done()
}

func (l *load) record(op action) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.actions = append(l.actions, op)
}

// begin begins an action. The function that it returns ends it; the result has no kind if nothing has happened.
func (l *load) begin(what kind, at target, user int) func(error) action {
	op := action{kind: what, target: at.name, user: user, call: time.Since(l.began)}
	return func(err error) action {
		op.end = time.Since(l.began)
		timedOut := errors.Is(err, context.DeadlineExceeded)
		problem, foreign, network := (*support.Problem)(nil), (*support.ForeignError)(nil), (*net.OpError)(nil)
		switch {
		case err == nil:
			return op
		case errors.As(err, &problem) && problem.Code == "unavailable":
			if !strings.Contains(problem.Detail, "outcome is unknown") {
				return action{}
			}
			op.unknown = true
			return op
		case errors.As(err, &foreign) && foreign.Status == http.StatusServiceUnavailable: // the proxy has no replica to send it to
			return action{}
		case errors.As(err, &network) && network.Op == "dial":
			return action{}
		case problem != nil, foreign != nil && foreign.Status <= http.StatusInternalServerError, timedOut && !l.mayBeSilent(op):
			l.mu.Lock()
			defer l.mu.Unlock()
			l.trouble = append(l.trouble, fmt.Sprintf("%v, %s at %s: %v", op.end.Round(time.Millisecond), what, at.name, err))
			return action{}
		}
		op.unknown = true
		if timedOut || foreign != nil && foreign.Status == http.StatusGatewayTimeout { // the request may still be somewhere
			op.end = never
		}
		return op
	}
}

// silence says until when a struck replica, and the proxy whose requests it has, may leave requests unanswered. All others
// must answer whatever happens to the database.
func (l *load) silence(replica string, until time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = map[string]time.Duration{replica: until, "proxy": until}
}

func (l *load) mayBeSilent(op action) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return op.call <= l.silent[op.target]
}

// done reports whether the action was acknowledged.
func (op action) done() bool { return op.kind != "" && !op.unknown }

// histories returns the actions of each subscriber.
func (l *load) histories() [][]action {
	all := make([][]action, subscribers)
	for _, op := range l.actions {
		all[op.user] = append(all[op.user], op)
	}
	for i, history := range all {
		all[i] = settle(history)
	}
	return all
}

// acknowledged returns all acknowledged actions, in the order of their ends.
func (l *load) acknowledged() (all []action) {
	for _, m := range l.members {
		all = append(all, m.action)
	}
	for _, op := range l.actions {
		if op.done() {
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b action) int { return cmp.Compare(a.end, b.end) })
	return all
}

// sinceThen reports whether each kind of action was acknowledged at each target that began after a moment.
func (l *load) sinceThen(moment time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[[2]string]bool{}
	for _, m := range l.members {
		if m.call > moment {
			seen[[2]string{string(m.kind), m.target}] = true
		}
	}
	for _, op := range l.actions {
		if op.done() && op.call > moment {
			seen[[2]string{string(op.kind), op.target}] = true
		}
	}
	return len(seen) == len(kinds)*len(l.targets)
}

func (l *load) now() time.Duration { return time.Since(l.began) }
