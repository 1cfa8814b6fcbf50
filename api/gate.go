package api

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// waitingPerPlace is how many requests may wait for each place of a gate: a burst of that size is served within about a
	// quarter of a second.
	waitingPerPlace = 16
	// fewPerPlace is how many of them count as few: they get their places in turn.
	fewPerPlace = 4
	// waitingInAFlood is how many may wait for each place in a flood. More would only wait, and learn later that they are
	// refused.
	waitingInAFlood = 1
	// workingInAFlood is how many places there are for each processor in a flood. More requests would work for longer, since
	// they take turns at the processors.
	workingInAFlood = 2
	// floodLasts is how long a flood lasts after its last refusal, at least.
	floodLasts = time.Second
)

// overloaded is the refusal of a request that finds no place in the gate.
var overloaded = refusal{http.StatusServiceUnavailable, unavailable.code, "The server is busy, and did nothing; Retry-After says when to try again."}

// gate bounds how many requests use the database. A request works in one of its places, or waits for one, for at most
// patience: in turn while few wait, else the newest goes first. If too many wait, a flood begins: all but the newest few are
// refused at once, and fewer may work and wait. It ends when none wait and none was refused for a while. So what is served
// takes a short time, however many requests there are, and what is refused learns it soon.
//
// A client never holds a place: see server.handle.
type gate struct {
	patience      time.Duration
	places        int
	placesInFlood int

	mu      sync.Mutex
	working int
	waiting list.List // of chan bool, the oldest first: whether there is a place
	flooded bool
	refused time.Time // of the last refusal
}

func newGate(places, inFlood int, patience time.Duration) *gate {
	return &gate{places: places, placesInFlood: min(places, inFlood), patience: patience}
}

// pass runs work in a place, or returns overloaded.
func (g *gate) pass(ctx context.Context, work func() error) error {
	if !g.enter(ctx) {
		return overloaded
	}
	defer g.leave()
	return work()
}

func (g *gate) enter(ctx context.Context) bool {
	g.mu.Lock()
	if g.waiting.Len() == 0 && time.Since(g.refused) > floodLasts {
		g.flooded = false
	}
	places, most := g.places, waitingPerPlace*g.places
	if g.flooded {
		places, most = g.placesInFlood, waitingInAFlood*g.placesInFlood
	}
	if g.working < places {
		g.working++
		g.mu.Unlock()
		return true
	}
	if g.waiting.Len() == most {
		g.flooded, g.refused = true, time.Now()
		for g.waiting.Len() >= waitingInAFlood*g.placesInFlood {
			g.answer(g.waiting.Front(), false)
		}
	}
	answer := make(chan bool, 1)
	turn := g.waiting.PushBack(answer)
	g.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	select {
	case place := <-answer:
		return place
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.waiting.Remove(turn) // does nothing if it has its answer
	g.mu.Unlock()
	select {
	case place := <-answer: // at the same moment
		return place
	default:
		return false
	}
}

// answer ends the wait of a request.
func (g *gate) answer(turn *list.Element, place bool) {
	g.waiting.Remove(turn).(chan bool) <- place //nolint:forcetypeassert // the list holds nothing else
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := g.waiting.Front()
	if g.flooded || g.waiting.Len() > fewPerPlace*g.places {
		next = g.waiting.Back()
	}
	if next == nil || g.flooded && g.working > g.placesInFlood {
		g.working--
		return
	}
	g.answer(next, true)
}

// counts returns how many requests work and wait.
func (g *gate) counts() (working, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.working, g.waiting.Len()
}
