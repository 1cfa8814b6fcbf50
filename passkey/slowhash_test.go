package passkey

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"testing"
)

func (t *turns) queued(rank rank) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting[rank])
}

// TestRecoveryHashesGoFirst: however many codes are waiting to be made, a check gets the next turn.
func TestRecoveryHashesGoFirst(t *testing.T) {
	turns := &turns{free: 1}
	if err := turns.take(t.Context(), making); err != nil {
		t.Fatal(err)
	}
	const makers = 160
	got := make(chan rank, makers+1)
	wait := func(rank rank, n int) {
		go func() {
			if turns.take(t.Context(), rank) == nil {
				got <- rank
			}
		}()
		for turns.queued(rank) < n {
			runtime.Gosched()
		}
	}
	for n := range makers {
		wait(making, n+1)
	}
	wait(checking, 1)
	turns.giveBack()
	if first := <-got; first != checking {
		t.Errorf("rank %d went first", first)
	}
	for range makers {
		turns.giveBack()
		<-got
	}
	turns.giveBack()

	// Cancelled callers leave nothing behind.
	if err := turns.take(t.Context(), checking); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := turns.take(ctx, making); !errors.Is(err, context.Canceled) || turns.queued(making) != 0 {
		t.Errorf("cancelled: %v, %d left", err, turns.queued(making))
	}
	turns.giveBack()
	if turns.free != 1 {
		t.Errorf("%d turns are free, want 1", turns.free)
	}
}

// TestHashesTakeTheirRank checks that a code is checked with the priority of checks, and made with that of making.
func TestHashesTakeTheirRank(t *testing.T) {
	hashes := newBench(t).hashes
	hashes.turns.free = 0
	for rank, hash := range map[rank]func(context.Context){
		checking: func(ctx context.Context) { _, _ = hashes.matches(ctx, hashes.decoy, "secret") },
		making:   func(ctx context.Context) { _, _ = hashes.make(ctx, rand.Reader, "secret") },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			hash(ctx)
			close(ended)
		}()
		for hashes.turns.queued(checking)+hashes.turns.queued(making) == 0 {
			runtime.Gosched()
		}
		if hashes.turns.queued(rank) != 1 {
			t.Errorf("rank %d was not taken", rank)
		}
		cancel()
		<-ended
	}
}

// TestCreateRecoveryCodesRefusesConcurrentCall: a user's second request for codes is refused while the first one waits.
func TestCreateRecoveryCodesRefusesConcurrentCall(t *testing.T) {
	b := newBench(t)
	b.hashes.turns.free = 0
	session := Session{ID: "a", User: User{ID: "5f6d2a4e-0000-4000-8000-000000000001"}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := b.CreateRecoveryCodes(ctx, session)
		ended <- err
	}()
	for b.hashes.turns.queued(making) == 0 {
		runtime.Gosched()
	}
	if _, err := b.CreateRecoveryCodes(t.Context(), session); !errors.Is(err, ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.CreateRecoveryCodes(gone, session); errors.Is(err, ErrBusy) {
		t.Error("the first has ended, and is in the way")
	}
}
