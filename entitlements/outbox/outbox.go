// Package outbox notifies other systems of changes of subscriptions, devices and users, by webhooks according to
// Standard Webhooks: signed, and retried until they are accepted or given up.
//
// A message is stored in the transaction of the change that it reports, once for each endpoint: a [Delivery]. To send
// one, a server first takes a lease on it, which counts the attempt, then sends outside any transaction, and then stores
// the result. So a crash at any point loses nothing, but a receiver may get a message twice, under the same id. It may
// also get later messages first; the revision in them gives the order.
//
// The package promises: a receiver that fails, hangs or lies delays neither the changes, nor other receivers, nor
// anything else that the server does. Each endpoint has a few concurrent attempts, and each attempt has a time limit.
//
// The package knows neither HTTP nor SQL: a [Sender] sends, a [Store] persists.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/entitlements"
)

const (
	// attemptsAtOnce is how many deliveries one server sends to one endpoint at the same time.
	attemptsAtOnce = 4
	// sendPatience is how long an attempt may take, and settlePatience how long storing its result may take.
	sendPatience   = 10 * time.Second
	settlePatience = 5 * time.Second
	// lease is how long a claimed delivery is reserved. It is longer than an attempt takes, so the holder of an older
	// claim is gone.
	lease = 30 * time.Second
	// poll is how often a server looks for deliveries that are due again, or that no notification announced.
	poll = 2 * time.Second
	// Delivered messages are kept for a week, for people to look at, and dead ones for three months.
	keepDelivered, keepDead = 7 * 24 * time.Hour, 90 * 24 * time.Hour
	// How often the deliveries are counted, and old ones deleted.
	countEvery, sweepEvery = 5 * time.Second, time.Hour
)

// Endpoint is a receiver of messages.
type Endpoint struct {
	URL string
	// Shown is the URL without credentials: what logs and people may see.
	Shown string
}

// State is the state of a delivery.
type State string

const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Dead      State = "dead" // given up
)

// Failure is a code for why an attempt failed; empty if it did not.
type Failure string

const (
	TimedOut        Failure = "timeout"     // no answer in time
	Unreachable     Failure = "unreachable" // no connection
	BadTLS          Failure = "tls"         // an invalid certificate, or no TLS
	Broken          Failure = "connection"  // the connection ended without a valid HTTP answer
	Redirected      Failure = "redirect"    // a redirect, which is not followed
	Refused         Failure = "status"      // an unsuccessful status
	EndpointRemoved Failure = "endpoint_removed"
)

// Delivery is a message to one endpoint.
type Delivery struct {
	ID            string
	Message       string
	Type          string
	Endpoint      string // Endpoint.Shown
	User          string
	Payload       []byte // JSON
	State         State
	Attempts      int // since it was made or resent
	CreatedAt     time.Time
	NextAttemptAt time.Time // during an attempt, the end of its lease
	DeliveredAt   *time.Time
	LastStatus    int // 0: no answer
	LastError     Failure
	FailingSince  *time.Time // the first failed attempt since it was made or resent; nil: none, or delivered
	Configured    bool       // whether its endpoint is still configured: others are sent nothing
}

// Query selects deliveries: of all states if State is empty; older than Before, if it is not "".
type Query struct {
	State  State
	Before string
	Limit  int
}

// Counts are the numbers of pending and dead deliveries in the database, of deliveries that this server has made, and of
// its failed attempts.
type Counts struct{ Pending, Dead, Delivered, Failed int64 }

// Result is the result of an attempt: the new state of the delivery.
type Result struct {
	User     string
	Delivery string
	Attempt  int // shows whether another attempt has begun since
	State    State
	At       time.Time
	Next     time.Time // of a pending delivery
	Status   int
	Failure  Failure
}

// ErrConflict is returned for a delivery whose endpoint is no longer configured.
var ErrConflict = fmt.Errorf("the endpoint is not configured: %w", entitlements.ErrConflict)

// Store keeps the deliveries. Each method is atomic.
type Store interface {
	// Register makes endpoints the ones that messages are stored for from now on, and returns their ids in the same
	// order.
	Register(ctx context.Context, endpoints []Endpoint) ([]int64, error)
	// Claim returns up to limit deliveries to the endpoint that are due at now, the longest due first, counts an attempt
	// for each, and makes them due again at until. No two calls get the same delivery before that.
	Claim(ctx context.Context, endpoint int64, limit int, now, until time.Time) ([]Delivery, error)
	// Settle stores the result of an attempt. A failure counts only if no other attempt has begun since, a success
	// always; a delivery that is not pending does not change.
	Settle(ctx context.Context, result Result) error
	// Counts counts the pending and the dead deliveries.
	Counts(ctx context.Context) (pending, dead int64, err error)
	// Sweep deletes deliveries delivered before the first time, and dead ones made before the second. Pending deliveries
	// to endpoints that are no longer registered become dead. It works in small transactions.
	Sweep(ctx context.Context, delivered, dead time.Time) error
	// Deliveries lists deliveries, newest first.
	Deliveries(ctx context.Context, query Query) ([]Delivery, error)
	// Resend makes a delivery pending and due at that time, with no attempts, and stores the audit entry, whose user it
	// fills in. entitlements.ErrNotFound if the delivery does not exist; ErrConflict if its endpoint is not registered.
	Resend(ctx context.Context, id string, at time.Time, entry entitlements.AuditEntry) (Delivery, error)
}

// Request is what a Sender sends: the payload with the headers of Standard Webhooks.
type Request struct {
	URL       string
	ID        string // webhook-id
	Timestamp time.Time
	Signature string
	Payload   []byte
}

// Sender sends one request and returns the status of the answer, or 0, and the failure. It gives up when ctx ends, and
// reads no more of an answer than it needs.
type Sender interface {
	Send(ctx context.Context, request Request) (status int, failure Failure)
}

// Config configures a [Service].
type Config struct {
	Endpoints []Endpoint
	// Secrets each sign every message, because a receiver knows only one of them.
	Secrets []Secret
	Now     func() time.Time
	// ClockOff returns an error while Now is wrong: nothing is sent then, because receivers would refuse the timestamp, and
	// the attempts would be used up. Optional.
	ClockOff func() error
	// GivenUp is called with each delivery that becomes dead; its endpoint is the shown one. Optional.
	GivenUp func(Delivery)
}

// Service sends the deliveries. It is safe for concurrent use.
type Service struct {
	config    Config
	store     Store
	sender    Sender
	endpoints []int64

	pending, dead, delivered, failed atomic.Int64
}

// New registers the endpoints: from then on, messages are stored for them and for no others.
func New(ctx context.Context, config Config, store Store, sender Sender) (*Service, error) {
	if config.Now == nil || len(config.Endpoints) > 0 && len(config.Secrets) == 0 {
		return nil, errors.New("outbox: incomplete configuration")
	}
	ids, err := store.Register(ctx, config.Endpoints)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if config.ClockOff == nil {
		config.ClockOff = func() error { return nil }
	}
	return &Service{config: config, store: store, sender: sender, endpoints: ids}, nil
}

// Run sends due deliveries until ctx ends. A value on written triggers it at once; without one, it polls. Report is
// called with the error when the clock or the store begins to fail, and with nil when both work again. Run must be called
// once, in its own goroutine. A request under way when ctx ends is cut off; whichever server claims it next sends it again.
func (s *Service) Run(ctx context.Context, written <-chan struct{}, report func(error)) {
	var working sync.WaitGroup
	defer working.Wait()
	wakes := make([]chan struct{}, len(s.endpoints))
	for i, endpoint := range s.endpoints {
		wakes[i] = make(chan struct{}, 1)
		working.Go(func() { s.serve(ctx, endpoint, s.config.Endpoints[i].URL, wakes[i]) })
	}
	working.Go(func() { s.keepBooks(ctx, report) })
	entitlements.Poll(ctx, poll, written, func(bool) {
		if s.config.ClockOff() != nil {
			return
		}
		for _, wake := range wakes {
			select {
			case wake <- struct{}{}:
			default: // one is queued already
			}
		}
	})
}

// keepBooks counts and sweeps until ctx ends, and reports whether the clock and the store work.
func (s *Service) keepBooks(ctx context.Context, report func(error)) {
	var swept time.Time
	entitlements.Repeat(ctx, countEvery, nil, func(ctx context.Context) error {
		err := errors.Join(s.config.ClockOff(), s.count(ctx))
		if now := s.instant(); err == nil && now.Sub(swept).Abs() >= sweepEvery { // Abs: a clock may be set back
			swept = now
			err = s.store.Sweep(ctx, now.Add(-keepDelivered), now.Add(-keepDead))
		}
		return err
	}, report)
}

// serve sends due deliveries to one endpoint whenever it is woken.
func (s *Service) serve(ctx context.Context, endpoint int64, url string, wake <-chan struct{}) {
	slots := make(chan struct{}, attemptsAtOnce)
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
		for more := true; more; {
			free := acquire(ctx, slots)
			now := s.instant()
			due, err := s.store.Claim(ctx, endpoint, free, now, now.Add(lease))
			if err != nil {
				due = nil // retried at the next turn
			}
			for range free - len(due) {
				<-slots
			}
			for _, delivery := range due {
				sending.Go(func() {
					defer func() { <-slots }()
					s.attempt(ctx, url, delivery)
				})
			}
			more = free > 0 && len(due) == free
		}
	}
}

// acquire waits for a free slot and takes all free ones. It returns their number; 0 when ctx ends.
func acquire(ctx context.Context, slots chan<- struct{}) (n int) {
	select {
	case slots <- struct{}{}:
		n = 1
	case <-ctx.Done():
		return 0
	}
	for {
		select {
		case slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
}

// attempt sends one delivery and stores the result.
func (s *Service) attempt(ctx context.Context, url string, delivery Delivery) {
	now := s.instant()
	sending, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	status, failure := s.sender.Send(sending, Request{
		URL: url, ID: delivery.Message, Timestamp: now, Signature: sign(s.config.Secrets, delivery.Message, now, delivery.Payload),
		Payload: delivery.Payload,
	})
	if failure != "" && ctx.Err() != nil {
		return // cut off: it may or may not have arrived
	}
	result := judge(delivery, status, failure, s.instant(), rand.Float64()) //nolint:gosec // jitter needs no secrecy
	if result.State == Delivered {
		s.delivered.Add(1)
	} else {
		s.failed.Add(1)
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	if err := s.store.Settle(settling, result); err != nil {
		return // when the lease ends, it is sent again
	}
	if result.State == Dead && s.config.GivenUp != nil {
		delivery.State, delivery.LastStatus, delivery.LastError = Dead, status, failure
		s.config.GivenUp(delivery)
	}
}

func (s *Service) count(ctx context.Context) error {
	pending, dead, err := s.store.Counts(ctx)
	if err != nil {
		return fmt.Errorf("count webhooks: %w", err)
	}
	s.pending.Store(pending)
	s.dead.Store(dead)
	return nil
}

// Counts returns the current counts; those of the database are up to some seconds old.
func (s *Service) Counts() Counts {
	return Counts{Pending: s.pending.Load(), Dead: s.dead.Load(), Delivered: s.delivered.Load(), Failed: s.failed.Load()}
}

// Deliveries lists deliveries, newest first. It fails with [entitlements.ErrInvalid] for an unknown state.
func (s *Service) Deliveries(ctx context.Context, query Query) ([]Delivery, error) {
	switch query.State {
	case "", Pending, Delivered, Dead:
	default:
		return nil, fmt.Errorf("%w: state is pending, delivered or dead", entitlements.ErrInvalid)
	}
	deliveries, err := s.store.Deliveries(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return deliveries, nil
}

// Resend sends a delivery again soon, in any state, with as many attempts as a new one, under the same message id. It
// fails with [entitlements.ErrInvalid], [entitlements.ErrNotFound] and [ErrConflict].
func (s *Service) Resend(ctx context.Context, actor, id, reason string) (Delivery, error) {
	if err := entitlements.CheckReason(actor, reason); err != nil {
		return Delivery{}, err
	}
	delivery, err := s.store.Resend(ctx, id, s.instant(), entitlements.AuditEntry{
		Actor: actor, Action: "webhook.resent", Object: "webhook:" + id, Reason: reason,
	})
	if err != nil {
		return Delivery{}, fmt.Errorf("resend webhook: %w", err)
	}
	return delivery, nil
}

// instant returns the current time in PostgreSQL's precision: microseconds.
func (s *Service) instant() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }
