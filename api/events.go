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
	// When a client comes back whose stream has ended: each at a time of its own, so that a restart is no stampede.
	retryLeast, retryMost = 5 * time.Second, 30 * time.Second
)

// pace holds the time limits of requests and event streams.
type pace struct {
	// body is how long the first bodyLimit bytes of a request's body may take.
	body time.Duration
	// comment is how often there is a comment, which keeps proxies from taking a silent stream for a dead one (HTML,
	// section 9.2.7), and finds out which clients have gone without a word.
	comment time.Duration
	// patience is how long a client may take to receive what is written to it.
	patience time.Duration
}

var usualPace = pace{body: 5 * time.Second, comment: 25 * time.Second, patience: 10 * time.Second}

// streamEvents tells a page of every change of what its user has, by server-sent events (HTML, section 9.2), until its
// session ends or the server does. An event names the revision and no more: what it means, a reconcile tells.
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
	h.Set("Cache-Control", "no-store, no-transform") // a proxy that compressed it could hold events back
	h.Set("X-Accel-Buffering", "no")                 // nginx would hold them back in any case
	if r.Method == http.MethodHead {
		return nil
	}
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	stream := stream{w, http.NewResponseController(w), s.pace.patience}
	retry := retryLeast + rand.N(retryMost-retryLeast) //nolint:gosec // spreads, hides nothing
	err = stream.send(fmt.Sprintf("retry: %d\n\n", retry.Milliseconds()))
	comments := time.NewTicker(s.pace.comment)
	defer comments.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return nil
		case <-session.Ended():
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
	return nil // it has gone, or does not keep up: the connection is of no more use
}

// stream is an answer that goes on for longer than the server's timeouts allow others to.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// send gets text to the client in time, or fails.
func (s stream) send(text string) error {
	_, err := s.Write([]byte(text))
	return err
}

// Write gets p to the client in time, or fails.
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

// end leaves the server time to end the answer: that of what was sent last may be over.
func (s stream) end() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience))
	return nil
}
