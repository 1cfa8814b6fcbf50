package passkey

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: argon2id (RFC 9106) with 19 MiB, two passes, one lane, the minimum of OWASP's Password
// Storage Cheat Sheet. The secrets have 80 random bits, so the hash is not their only protection.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16 // bytes
	argonKey    = 32 // bytes
)

// slowHashes makes and checks slow hashes of secrets. At most one for each processor runs at a time, which bounds the
// memory that callers can make it take; checks go first, so that making codes does not delay a recovery.
type slowHashes struct {
	memory uint32 // KiB
	turns  *turns
	decoy  string // a hash that no secret matches
}

func newSlowHashes(memory uint32, random io.Reader) (slowHashes, error) {
	salt, key := make([]byte, argonSalt), make([]byte, argonKey)
	for _, b := range [][]byte{salt, key} {
		if _, err := io.ReadFull(random, b); err != nil {
			return slowHashes{}, fmt.Errorf("read random bytes: %w", err)
		}
	}
	return slowHashes{memory: memory, turns: &turns{free: runtime.GOMAXPROCS(0)}, decoy: encodeHash(memory, salt, key)}, nil
}

// make hashes a secret with a fresh salt.
func (h slowHashes) make(ctx context.Context, random io.Reader, secret string) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	key, err := h.key(ctx, making, secret, salt, h.memory, argonPasses, argonLanes, argonKey)
	if err != nil {
		return "", err
	}
	return encodeHash(h.memory, salt, key), nil
}

// matches hashes the secret with the parameters of hash, and reports whether they match.
func (h slowHashes) matches(ctx context.Context, hash, secret string) (bool, error) {
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(hash, "$") // "", argon2id, v=19, m=…,t=…,p=…, salt, key
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errors.New("unknown form of hash")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false, fmt.Errorf("unknown form of hash: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("unknown form of hash: %w", err)
	}
	expected, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("unknown form of hash: %w", err)
	}
	key, err := h.key(ctx, checking, secret, salt, memory, passes, lanes, uint32(len(expected)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, expected) == 1, nil
}

// key waits for its turn, or for the end of ctx.
func (h slowHashes) key(ctx context.Context, rank rank, secret string, salt []byte, memory, passes uint32, lanes uint8, size uint32) ([]byte, error) {
	if err := h.turns.take(ctx, rank); err != nil {
		return nil, fmt.Errorf("wait to hash: %w", err)
	}
	defer h.turns.giveBack()
	return argon2.IDKey([]byte(secret), salt, passes, memory, lanes, size), nil
}

// rank is the priority of a hash; lower goes first.
type rank int

const (
	checking rank = iota
	making
	ranks
)

// turns is a priority queue of permissions to hash: by rank, then first come, first served.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting [ranks][]chan struct{}
}

// take waits for a turn, or for the end of ctx.
func (t *turns) take(ctx context.Context, rank rank) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.waiting[rank] = append(t.waiting[rank], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	at := slices.Index(t.waiting[rank], turn)
	if at >= 0 {
		t.waiting[rank] = slices.Delete(t.waiting[rank], at, at+1)
	}
	t.mu.Unlock()
	if at < 0 { // the turn came at the same time
		t.giveBack()
	}
	return ctx.Err()
}

// giveBack passes the turn on.
func (t *turns) giveBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rank, queue := range t.waiting {
		if len(queue) > 0 {
			close(queue[0])
			t.waiting[rank] = queue[1:]
			return
		}
	}
	t.free++
}

// encodeHash returns the form with parameters that the reference implementation of argon2 writes.
func encodeHash(memory uint32, salt, key []byte) string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, memory, argonPasses, argonLanes, encode(salt), encode(key))
}
