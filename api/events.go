package api

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/entitlements"
	"holdfast/passkey"
)

const (
	eventStreamType = "text/event-stream"
	// Bounds of the random delay before a client reconnects: after a restart the clients come back spread out.
	retryLeast, retryMost = 5 * time.Second, 30 * time.Second
	// The same when the server is about to stop: other replicas take its clients over.
	moveLeast, moveMost = 500 * time.Millisecond, 5 * time.Second
)

// tooManyStreams is the refusal of an event stream beyond [Config.MaxStreams].
var tooManyStreams = refusal{http.StatusServiceUnavailable, unavailable.code, "Too many event streams are open here; Retry-After says when to try again."}

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

var usualPace = pace{body: 5 * time.Second, comment: 25 * time.Second, patience: 10 * time.Second, place: 5 * time.Second}

// streamEvents sends a page an event for each change of its user's entitlements and actions (server-sent events; HTML, section 9.2),
// until the session ends or the server stops. An event contains only a number; the client asks for the rest.
//
// It takes the connection over from net/http, whose buffers and stack of an idle request need four times the memory of the
// stream. The answer ends with the connection (RFC 9112, section 6.3).
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, by caller) error {
	if s.open.Add(1) > int64(s.maxStreams) {
		s.open.Add(-1)
		return tooManyStreams
	}
	begun := false
	defer func() {
		if !begun {
			s.open.Add(-1)
		}
	}()
	opening, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	session, err := s.passkeys.WatchSession(opening, by.session)
	if err != nil {
		return err
	}
	rights, err := s.entitlements.Watch(opening, by.user())
	if err != nil {
		session.Close()
		return err
	}
	events := eventStream{session: session, rights: rights, pace: s.pace, draining: s.draining, open: s.metrics.streams}

	h := w.Header()
	h.Set("Content-Type", eventStreamType)
	h.Set("Cache-Control", "no-store, no-transform") // a compressing proxy could delay events
	h.Set("X-Accel-Buffering", "no")                 // nginx buffers them otherwise
	if r.Method == http.MethodHead {
		events.close()
		return nil
	}
	if events.conn, _, err = http.NewResponseController(w).Hijack(); err != nil {
		events.close()
		return fmt.Errorf("take over the connection: %w", err)
	}
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head strings.Builder
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&head) // a Builder takes everything
	head.WriteString("\r\n" + retryWithin(retryLeast, retryMost))
	events.open.Inc()
	begun = true
	s.streams.Go(func() {
		defer s.open.Add(-1)
		events.run(head.String())
	})
	return nil
}

// retryWithin returns the field that tells a client to reconnect after a random time.
func retryWithin(least, most time.Duration) string {
	return fmt.Sprintf("retry: %d\n\n", (least + rand.N(most-least)).Milliseconds()) //nolint:gosec // only spreads the load
}

// eventStream is an open event stream.
type eventStream struct {
	conn     net.Conn
	session  *passkey.SessionWatch
	rights   *entitlements.Watch
	pace     pace
	draining <-chan struct{}
	open     prometheus.Gauge
}

// run sends head, and then events until the stream ends.
func (e *eventStream) run(head string) {
	defer e.open.Dec()
	defer e.close()
	gone := make(chan struct{})
	go func() { // a client that sends anything has broken off, too
		_, _ = e.conn.Read(make([]byte, 1))
		close(gone)
	}()
	var told entitlements.Marks
	comments := time.NewTicker(e.pace.comment)
	defer comments.Stop()
	// An error means that the client has gone or is too slow: the connection is of no further use.
	for err := e.send(head); err == nil; {
		select {
		case <-gone:
			return
		case <-e.session.Ended():
			// The device may have been removed, too, or the account deleted: the client should reconcile.
			_ = e.send("event: session_ended\ndata: {}\n\n")
			return
		case <-e.draining:
			_ = e.send(retryWithin(moveLeast, moveMost))
			return
		case marks, open := <-e.rights.Marks():
			if !open {
				return
			}
			if marks.Revision > told.Revision {
				err = e.send(fmt.Sprintf("event: entitlements\ndata: {\"revision\":%d}\n\n", marks.Revision))
			}
			if err == nil && marks.Actions > told.Actions {
				err = e.send(fmt.Sprintf("event: actions\ndata: {\"position\":%d}\n\n", marks.Actions))
			}
			told = marks
		case <-comments.C:
			err = e.send(":\n\n")
		}
	}
}

func (e *eventStream) send(text string) error {
	if err := e.conn.SetWriteDeadline(time.Now().Add(e.pace.patience)); err != nil {
		return err
	}
	_, err := io.WriteString(e.conn, text)
	return err
}

func (e *eventStream) close() {
	e.session.Close()
	e.rights.Close()
	if e.conn != nil {
		_ = e.conn.Close() // nothing is left to send
	}
}
