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
	// waitingInAFlood is the same in a flood. More would only wait, and learn later that they are refused.
	waitingInAFlood = 4
	// floodLasts is how long a flood lasts after its last refusal, at least.
	floodLasts = time.Second
)

// overloaded is the refusal of a request that finds no place in the gate.
var overloaded = refusal{http.StatusServiceUnavailable, unavailable.code, "The server is busy, and did nothing; Retry-After says when to try again."}

// gate bounds how many requests use the database. A request works in one of its places, or waits for one: in turn, for at
// most patience. If too many wait, a flood begins: all but the newest few are refused at once, fewer may wait, and the newest
// goes first. It ends when none wait and none was refused for a while. So what is served has waited for a short time, however
// many requests there are, and what is refused learns it soon.
//
// A client never holds a place: see server.handle.
type gate struct {
	patience time.Duration
	places   int

	mu      sync.Mutex
	working int
	waiting list.List // of chan bool, the oldest first: whether there is a place
	flooded bool
	refused time.Time // of the last refusal
}

func newGate(places int, patience time.Duration) *gate {
	return &gate{places: places, patience: patience}
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
	if g.working < g.places {
		g.working++
		g.mu.Unlock()
		return true
	}
	if g.waiting.Len() == 0 && time.Since(g.refused) > floodLasts {
		g.flooded = false
	}
	if g.waiting.Len() == waitingPerPlace*g.places || g.flooded && g.waiting.Len() >= waitingInAFlood*g.places {
		g.flooded, g.refused = true, time.Now()
		for g.waiting.Len() >= waitingInAFlood*g.places {
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
	if g.flooded {
		next = g.waiting.Back()
	}
	if next == nil {
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
