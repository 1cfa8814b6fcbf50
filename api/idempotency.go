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

// Answers stores the answers to requests with an Idempotency-Key for 24 hours. Actor, route and key identify a request;
// claimed is the time of its claim.
type Answers interface {
	// Claim gives the caller the exclusive right to execute the request, and returns claimed as true. If the request has
	// been executed before, claimed is false and status and answer are those passed to Keep. A status of 0 means that the
	// request is in progress, or that the key was used with another body. A claim that is neither kept nor released within
	// a minute passes to the next caller with the same body.
	Claim(ctx context.Context, actor, route, key string, bodyHash []byte, now time.Time) (claimed bool, status int, answer []byte, err error)
	// Keep ends a claim and stores the answer for repetitions.
	Keep(ctx context.Context, actor, route, key string, claimed time.Time, status int, answer []byte) error
	// Release ends a claim as if it had never been made.
	Release(ctx context.Context, actor, route, key string, claimed time.Time) error
}

const (
	maxIdempotencyKey = 255
	maxKeyedPath      = 512 // bytes; no id, ours or a billing system's, makes a path that long
	// keepTimeout is how long storing an answer may take, even if its request has run out of time.
	keepTimeout = 5 * time.Second
)

var (
	invalidIdempotencyKey = refusal{invalidRequest.status, invalidRequest.code, "Idempotency-Key must be one value of 1 to 255 visible ASCII characters."}
	idempotencyConflict   = refusal{http.StatusConflict, "conflict", "A request with this Idempotency-Key had another body, or is still in progress."}
)

// once executes an admin request with an Idempotency-Key at most once: repetitions get the stored success. A request that
// did not succeed can be tried again under the same key.
//
// The answer is stored after the change has been committed. If the server dies in between, the claim expires after a
// minute, and a repetition then executes the request again.
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
		if status == 0 || err != nil { // err: the actor has a new session, or the bootstrap token has changed
			return idempotencyConflict
		}
		return writeKept(w, status, kept)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout+keepTimeout)
	defer cancel()
	answer := w.(*heldAnswer) //nolint:forcetypeassert // of server.serve
	defer func() {            // even after a panic
		if answer.status/100 == 2 {
			return
		}
		if err := s.answers.Release(ctx, by.actor, path, key, now); err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "idempotency key not released", slog.String("request", requestID(ctx)), slog.Any("error", err))
		}
	}()
	if err := route.handler(w, r, by); err != nil {
		return err
	}
	// The answer is stored before it is sent, so that a client that saw it can rely on it. It is sent even if storing
	// fails, because the change has been made.
	kept := seal.Seal(nil, nil, answer.body.Bytes(), hash[:]) //nolint:gosec // this AEAD generates its own nonce
	if err := s.answers.Keep(ctx, by.actor, path, key, now, answer.status, kept); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "answer not kept", slog.String("request", requestID(ctx)), slog.Any("error", err))
	}
	return nil
}

func isIdempotencyKey(key string) bool {
	return len(key) >= 1 && len(key) <= maxIdempotencyKey && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}

// answerSeal returns a cipher keyed by the caller's token or session token, of which the database holds only a hash: a
// stored answer may contain a one-time link.
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

// heldAnswer buffers an answer.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// send sends the answer, whose headers w has already.
func (a *heldAnswer) send(w http.ResponseWriter) {
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client may have gone
}

// writeKept sends a stored success of the admin API, which is JSON unless it is empty.
func writeKept(w http.ResponseWriter, status int, body []byte) error {
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
	return nil
}
