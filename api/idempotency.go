package api

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Answers keeps what was answered to requests that carry an Idempotency-Key, for 24 hours. A request is known by actor,
// route and key; claimed is the time that its claim was made at.
type Answers interface {
	// Claim makes the request the caller's to carry out: claimed is true. Otherwise somebody has carried it out, and
	// status and answer are what Keep was given; or, where status is 0, it came with another body, or is in progress. A
	// claim that was neither kept nor released for a minute passes to the next caller with the same body.
	Claim(ctx context.Context, actor, route, key string, bodyHash []byte, now time.Time) (claimed bool, status int, answer []byte, err error)
	// Keep ends a claim with the answer to give from now on.
	Keep(ctx context.Context, actor, route, key string, claimed time.Time, status int, answer []byte) error
	// Release ends a claim as if it had not been made.
	Release(ctx context.Context, actor, route, key string, claimed time.Time) error
}

const (
	maxIdempotencyKey = 255
	maxKeyedPath      = 512 // bytes; no id of ours, nor of billing, makes a path that long
	// keepTimeout is how long an answer may take to be kept, also when its request has run out of time.
	keepTimeout = 5 * time.Second
)

var (
	invalidIdempotencyKey = refusal{invalidRequest.status, invalidRequest.code, "Idempotency-Key must be one value of 1 to 255 visible ASCII characters."}
	idempotencyConflict   = refusal{http.StatusConflict, "conflict", "A request with this Idempotency-Key had another body, or is still in progress."}
)

// once carries a request of the admin API out at most once for each Idempotency-Key, if it has one: a success is given
// again to whoever repeats it. What was not a success can be tried again under the same key.
//
// The answer is kept after the change has been committed: a server that dies in between leaves a claim that ends after a
// minute, and a repetition then carries the request out again.
func (s *server) once(w http.ResponseWriter, r *http.Request, route route, by caller) error {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return route.handler(w, r, by)
	}
	key := keys[0]
	if len(keys) > 1 || !isIdempotencyKey(key) {
		return invalidIdempotencyKey
	}
	if len(r.URL.Path) > maxKeyedPath {
		return notFound
	}
	body, err := readBody(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	hash := sha256.Sum256(body)
	seal, err := answerSeal(by.secret)
	if err != nil {
		return err
	}

	path, now := r.Method+" "+r.URL.Path, s.now()
	claimed, status, sealed, err := s.answers.Claim(r.Context(), by.actor, path, key, hash[:], now)
	if err != nil {
		return err
	}
	if !claimed {
		kept, err := seal.Open(nil, nil, sealed, hash[:])
		if status == 0 || err != nil { // err: the actor has another session by now, or the bootstrap token has changed
			return idempotencyConflict
		}
		return writeKept(w, status, kept)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout+keepTimeout)
	defer cancel()
	answer := heldAnswer{header: w.Header()}
	defer func() { // after a panic too
		if answer.status/100 == 2 {
			return
		}
		if err := s.answers.Release(ctx, by.actor, path, key, now); err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "idempotency key not released", slog.String("request", requestID(ctx)), slog.Any("error", err))
		}
	}()
	if err := route.handler(&answer, r, by); err != nil {
		return err
	}
	// Kept before it is given: whoever has seen it can rely on it. The change is made, so it is given in any case.
	kept := seal.Seal(nil, nil, answer.body.Bytes(), hash[:]) //nolint:gosec // this kind makes its nonce by itself
	if err := s.answers.Keep(ctx, by.actor, path, key, now, answer.status, kept); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "answer not kept", slog.String("request", requestID(ctx)), slog.Any("error", err))
	}
	return writeKept(w, answer.status, answer.body.Bytes())
}

func isIdempotencyKey(key string) bool {
	return len(key) >= 1 && len(key) <= maxIdempotencyKey && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}

// answerSeal encrypts kept answers under a key that follows from the caller's token or that of their session, of which the
// database holds nothing but a hash: an answer may hold a one-time link.
func answerSeal(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "holdfast kept answer", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// heldAnswer holds an answer back.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// writeKept gives a success of the admin API, which is JSON unless it is empty.
func writeKept(w http.ResponseWriter, status int, body []byte) error {
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
	return nil
}
