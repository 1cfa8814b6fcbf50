package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// waitingPerPlace is how many requests may wait for each place of a gate.
const waitingPerPlace = 2

// overloaded is the refusal of a request that finds no place in the gate.
var overloaded = refusal{http.StatusServiceUnavailable, unavailable.code, "The server is busy, and did nothing; Retry-After says when to try again."}

// gate bounds how many requests use the database: a request works in one of its places, waits for one up to patience, or is
// refused at once if too many wait already. Requests that are served stay quick that way, however many there are.
//
// A client never holds a place: see server.handle.
type gate struct {
	places   chan struct{}
	waiting  atomic.Int64
	patience time.Duration
}

func newGate(places int, patience time.Duration) *gate {
	return &gate{places: make(chan struct{}, places), patience: patience}
}

func (g *gate) mostWaiting() int64 { return int64(waitingPerPlace * cap(g.places)) }

// isFull reports whether a request that needs a place would be refused at once.
func (g *gate) isFull() bool { return g.waiting.Load() >= g.mostWaiting() }

// pass runs work in a place, or returns overloaded.
func (g *gate) pass(ctx context.Context, work func() error) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	defer func() { <-g.places }()
	return work()
}

func (g *gate) enter(ctx context.Context) error {
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.mostWaiting() {
		return overloaded
	}
	ctx, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	select {
	case g.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return overloaded
	}
}
