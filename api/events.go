package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	eventStream = "text/event-stream"
	// Bounds of the random delay before a client reconnects: after a restart the clients come back spread out.
	retryLeast, retryMost = 5 * time.Second, 30 * time.Second
)

// pace holds the time limits of requests and event streams.
type pace struct {
	// body is how long the first bodyLimit bytes of a request's body may take.
	body time.Duration
	// comment is the interval of comments on a stream. They keep proxies from closing an idle stream (HTML, section 9.2.7)
	// and reveal clients that disconnected silently.
	comment time.Duration
	// patience is how long a client may take to receive a write.
	patience time.Duration
	// place is how long a request may wait for a place in the gate.
	place time.Duration
}

var usualPace = pace{body: 5 * time.Second, comment: 25 * time.Second, patience: 10 * time.Second, place: time.Second}

// streamEvents sends a page an event for each change of its user's entitlements (server-sent events; HTML, section 9.2),
// until the session ends or the server stops. An event contains only the revision; the client reconciles to learn the rest.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, by caller) error {
	opening, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	session, err := s.passkeys.WatchSession(opening, by.session)
	if err != nil {
		return err
	}
	defer session.Close()
	rights, err := s.entitlements.Watch(opening, by.user())
	if err != nil {
		return err
	}
	defer rights.Close()
	cancel()

	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store, no-transform") // a compressing proxy could delay events
	h.Set("X-Accel-Buffering", "no")                 // nginx buffers them otherwise
	if r.Method == http.MethodHead {
		return nil
	}
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	stream := stream{w, http.NewResponseController(w), s.pace.patience}
	retry := retryLeast + rand.N(retryMost-retryLeast) //nolint:gosec // only spreads the load
	err = stream.send(fmt.Sprintf("retry: %d\n\n", retry.Milliseconds()))
	comments := time.NewTicker(s.pace.comment)
	defer comments.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return nil
		case <-session.Ended():
			// The device may have been removed, too, or the account deleted: the client should reconcile.
			_ = stream.send("event: session_ended\ndata: {}\n\n")
			return stream.end()
		case <-s.draining:
			return stream.end()
		case revision, open := <-rights.Revisions():
			if !open {
				return stream.end()
			}
			err = stream.send(fmt.Sprintf("event: entitlements\ndata: {\"revision\":%d}\n\n", revision))
		case <-comments.C:
			err = stream.send(":\n\n")
		}
	}
	return nil // the client has gone or is too slow: the connection is of no further use
}

// stream is an answer that may outlast the server's timeouts.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// send writes text to the client, or fails if that takes longer than patience.
func (s stream) send(text string) error {
	_, err := s.Write([]byte(text))
	return err
}

// Write writes p to the client, or fails if that takes longer than patience.
func (s stream) Write(p []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.control.Flush()
}

// end extends the write deadline so that the server can end the answer: the last write's deadline may have passed.
func (s stream) end() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience))
	return nil
}
