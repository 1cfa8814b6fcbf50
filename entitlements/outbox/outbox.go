// Package outbox tells other systems what has become of subscriptions, devices and users, by webhooks as Standard Webhooks
// has them: signed, and sent until they are taken or given up.
//
// A message is written down in the transaction of the change that it tells of, once for each endpoint: a [Delivery]. A
// server that sends one first takes a lease on it, with the attempt counted, and sends outside any transaction. What it
// learns is written down after that. So nothing is lost whatever ends when, and a receiver may hear a message twice, under
// the same id; it may hear later ones first, and tells by the revision in them.
//
// What the package promises: a receiver that fails, hangs or lies holds up neither the changes, nor other receivers, nor
// anything else that the server does. Each endpoint has a few attempts at once, and each attempt an end.
//
// The package knows neither HTTP nor SQL: what sends is a [Sender], what keeps is a [Store].
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
	// sendPatience is how long an attempt may take, and settlePatience how long writing down what came of it.
	sendPatience   = 10 * time.Second
	settlePatience = 5 * time.Second
	// lease is how long a delivery that was claimed is nobody else's. It is more than an attempt takes, so whoever made
	// an older claim is gone.
	lease = 30 * time.Second
	// poll is how often a server looks for deliveries that are due again, or that nobody told it of.
	poll = 2 * time.Second
	// What was delivered is kept for a week, for people to look at; what was given up, for three months.
	keepDelivered, keepDead = 7 * 24 * time.Hour, 90 * 24 * time.Hour
	// How often the deliveries are counted, and old ones deleted.
	countEvery, sweepEvery = 5 * time.Second, time.Hour
)

// Endpoint is where messages are sent to.
type Endpoint struct {
	URL string
	// Shown is the URL without credentials: what logs and people may see.
	Shown string
}

// State is what has become of a delivery.
type State string

const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Dead      State = "dead" // given up
)

// Failure says in a word why an attempt failed; empty where it did not.
type Failure string

const (
	TimedOut        Failure = "timeout"     // no answer in time
	Unreachable     Failure = "unreachable" // no connection
	BadTLS          Failure = "tls"         // a certificate that does not hold, or no TLS
	Broken          Failure = "connection"  // the connection ended without an answer, or with none that is HTTP
	Redirected      Failure = "redirect"    // which is not followed
	Refused         Failure = "status"      // an answer that is no success
	EndpointRemoved Failure = "endpoint_removed"
)

// Delivery is a message to one endpoint.
type Delivery struct {
	ID            string
	Place         int64 // higher for later ones
	Message       string
	Type          string
	Endpoint      string // as it is shown
	User          string
	Payload       []byte // JSON
	State         State
	Attempts      int // since it was made or resent
	CreatedAt     time.Time
	NextAttemptAt time.Time // while an attempt is under way, the end of its lease
	DeliveredAt   *time.Time
	LastStatus    int // 0: there was no answer
	LastError     Failure
}

// Query selects deliveries: of all states where State is empty; before the place Before, where it is not 0.
type Query struct {
	State  State
	Before int64
	Limit  int
}

// Counts is how many deliveries there are of each kind: pending and dead ones in the database, and those that this server
// has delivered, and the attempts of it that failed.
type Counts struct{ Pending, Dead, Delivered, Failed int64 }

// Result is what came of an attempt: the delivery as it is from then on.
type Result struct {
	Delivery string
	Attempt  int // by which the delivery is known to be still the same one's
	State    State
	At       time.Time
	Next     time.Time // of a pending one
	Status   int
	Failure  Failure
}

// ErrConflict says that a delivery cannot be sent, since nothing is sent to its endpoint any more.
var ErrConflict = fmt.Errorf("the endpoint is not configured: %w", entitlements.ErrConflict)

// Store keeps the deliveries. Each method is atomic.
type Store interface {
	// Register makes endpoints the ones that messages are written down for from now on, and returns their ids in the same
	// order.
	Register(ctx context.Context, endpoints []Endpoint) ([]int64, error)
	// Claim counts an attempt for, and returns, up to limit deliveries to the endpoint that are due at now, the longest
	// due first, and makes them due again at until. No two calls get the same one before that.
	Claim(ctx context.Context, endpoint int64, limit int, now, until time.Time) ([]Delivery, error)
	// Settle writes down what came of an attempt. A failure counts only if there has been no other attempt since, a
	// success in any case; nothing changes a delivery that is not pending.
	Settle(ctx context.Context, result Result) error
	// Pending and dead deliveries are counted.
	Counts(ctx context.Context) (pending, dead int64, err error)
	// Sweep deletes what was delivered before the first time and what is dead and was made before the second. What is
	// pending for endpoints that messages are no longer written down for is dead. It is done in small transactions.
	Sweep(ctx context.Context, delivered, dead time.Time) error
	// Deliveries lists deliveries, the last one first.
	Deliveries(ctx context.Context, query Query) ([]Delivery, error)
	// Resend makes a delivery pending and due at that time, with no attempts, and audits that with entry, whose user it
	// fills in. entitlements.ErrNotFound where there is none; ErrConflict where messages are not written down for its
	// endpoint.
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

// Sender sends one request and returns the status of the answer, or 0, and what was wrong. It gives up when ctx ends, and
// reads no more of an answer than it needs.
type Sender interface {
	Send(ctx context.Context, request Request) (status int, failure Failure)
}

// Config is what the service needs to know.
type Config struct {
	Endpoints []Endpoint
	// Secrets sign, each of them every message: receivers know one of them.
	Secrets []Secret
	Now     func() time.Time
	// GivenUp is called with each delivery that has died, with the endpoint as it is shown. Optional.
	GivenUp func(Delivery)
}

// Service is the package's front door. It is safe for concurrent use.
type Service struct {
	config    Config
	store     Store
	sender    Sender
	endpoints []int64

	pending, dead, delivered, failed atomic.Int64
}

// New registers the endpoints: from then on, messages are written down for them and for no others.
func New(ctx context.Context, config Config, store Store, sender Sender) (*Service, error) {
	if config.Now == nil || len(config.Endpoints) > 0 && len(config.Secrets) == 0 {
		return nil, errors.New("outbox: incomplete configuration")
	}
	ids, err := store.Register(ctx, config.Endpoints)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return &Service{config: config, store: store, sender: sender, endpoints: ids}, nil
}

// Run sends what is due until ctx ends. A value on written hurries it; without any, it looks by itself. Report is called
// with the error when the store begins to fail, and with nil when it works again. It is to be called once, in a goroutine
// of its own; what it is sending when ctx ends is cut off, and sent again by whoever comes next.
func (s *Service) Run(ctx context.Context, written <-chan struct{}, report func(error)) {
	var working sync.WaitGroup
	defer working.Wait()
	wakes := make([]chan struct{}, len(s.endpoints))
	for i, endpoint := range s.endpoints {
		wakes[i] = make(chan struct{}, 1)
		working.Go(func() { s.serve(ctx, endpoint, s.config.Endpoints[i].URL, wakes[i]) })
	}
	working.Go(func() { s.keepBooks(ctx, report) })
	pace := time.NewTicker(poll)
	defer pace.Stop()
	for {
		for _, wake := range wakes {
			select {
			case wake <- struct{}{}:
			default: // one is waiting
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-written:
		case <-pace.C:
		}
	}
}

// keepBooks counts and sweeps until ctx ends, and reports how the store does.
func (s *Service) keepBooks(ctx context.Context, report func(error)) {
	var swept time.Time
	entitlements.Repeat(ctx, countEvery, nil, func(ctx context.Context) error {
		err := s.count(ctx)
		if now := s.instant(); err == nil && now.Sub(swept).Abs() >= sweepEvery { // a clock may be set back, too
			swept = now
			err = s.store.Sweep(ctx, now.Add(-keepDelivered), now.Add(-keepDead))
		}
		return err
	}, report)
}

// serve sends what is due to one endpoint, whenever it is woken.
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
				due = nil // at the next turn, then
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

// acquire waits for a free slot and takes all that are. It returns how many; none when ctx ends.
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

// attempt sends one delivery and writes down what came of it.
func (s *Service) attempt(ctx context.Context, url string, delivery Delivery) {
	now := s.instant()
	sending, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	status, failure := s.sender.Send(sending, Request{
		URL: url, ID: delivery.Message, Timestamp: now, Signature: sign(s.config.Secrets, delivery.Message, now, delivery.Payload),
		Payload: delivery.Payload,
	})
	if failure != "" && ctx.Err() != nil {
		return // cut off: whether it arrived, nobody knows
	}
	result := judge(delivery, status, failure, s.instant(), rand.Float64()) //nolint:gosec // spreads, hides nothing
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

// Counts is how it stands; what is in the database, as of some seconds ago.
func (s *Service) Counts() Counts {
	return Counts{Pending: s.pending.Load(), Dead: s.dead.Load(), Delivered: s.delivered.Load(), Failed: s.failed.Load()}
}

// Deliveries lists deliveries, the last one first. It fails with [entitlements.ErrInvalid] for an unknown state.
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

// Resend sends a delivery again, whatever has become of it, soon and with as many attempts as a new one, under the same
// message id. It fails with [entitlements.ErrInvalid], [entitlements.ErrNotFound] and [ErrConflict].
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

// instant is now, as PostgreSQL keeps it: in microseconds.
func (s *Service) instant() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }
