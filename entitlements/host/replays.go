package host

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/jose"
)

// ReplayStore remembers proofs, so that none passes twice. Only proofs that pass every other check are added. Replicas
// that share a [NonceSecret] need a store that they share too.
type ReplayStore interface {
	// Add adds an id for life, unless it is there, and reports whether it was added. Both must be one atomic step. When it
	// fails, the guard refuses the request with 503.
	Add(ctx context.Context, id string, life time.Duration) (bool, error)
}

// Replays sets where proofs are remembered, by default in this process.
func Replays(store ReplayStore) Option { return func(g *Guard) { g.replays = store } }

// replayID names a proof in a [ReplayStore]. Back ends in Go and Node can share one, so the form is that of the Node guard.
func replayID(p dpop.Proof) string {
	sum := sha256.Sum256([]byte(p.JKT + p.JTI))
	return jose.EncodeBase64(sum[:])
}

// memoryReplays remembers the proofs of one process: two generations of ids, of which the older is dropped as a whole.
type memoryReplays struct {
	now func() time.Time

	mu             sync.Mutex
	younger, older map[string]struct{}
	turn           time.Time
}

// MemoryReplays returns a store in this process, for guards that share it.
func MemoryReplays(now func() time.Time) ReplayStore { return &memoryReplays{now: now} }

func (m *memoryReplays) Add(_ context.Context, id string, life time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); !now.Before(m.turn) {
		m.older = nil
		if now.Before(m.turn.Add(life)) {
			m.older = m.younger
		}
		m.younger, m.turn = map[string]struct{}{}, now.Add(life)
	}
	_, younger := m.younger[id]
	_, older := m.older[id]
	if younger || older {
		return false, nil
	}
	m.younger[id] = struct{}{}
	return true, nil
}
