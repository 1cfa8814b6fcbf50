package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
	"holdfast/sql"
)

// paced returns a constructor for a server whose event streams comment often.
func paced(comment, patience time.Duration) func(api.Config) (http.Handler, error) {
	return func(cfg api.Config) (http.Handler, error) { return api.NewPaced(cfg, comment, patience) }
}

// replica starts another server on the database, with its own pool and listener.
func (w *world) replica(build func(api.Config) (http.Handler, error), options ...option) *world {
	w.t.Helper()
	r := *w
	db, err := sql.Open(w.t.Context(), w.runtime+"&lock_timeout=200")
	must(w.t, err)
	w.t.Cleanup(func() { db.Close() })
	r.db, r.metrics = db, api.NewMetrics()
	r.start(build, append(options, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.Metrics = r.metrics })...)
	ctx, stop := context.WithCancel(w.t.Context())
	var raising sync.WaitGroup
	w.t.Cleanup(func() { stop(); raising.Wait() })
	listens, plans := make(chan struct{}, 1), make(chan struct{}, 1)
	raising.Go(func() { r.rights.RaiseHolders(ctx, plans, func(err error) { w.t.Log("raise holders:", err) }) })
	must(w.t, sql.Listen(w.t.Context(), w.runtime, sql.Audience{
		Status: func() {}, Webhook: func() {},
		Revision:   func(user entitlements.UserID, n int64) { r.rights.MarksRaised(user, entitlements.Marks{Revision: n}) },
		Action:     func(user entitlements.UserID, n int64) { r.rights.MarksRaised(user, entitlements.Marks{Actions: n}) },
		SessionEnd: r.passkeys.SessionEnded,
		Plan: func() {
			select {
			case plans <- struct{}{}:
			default:
			}
		},
		Missed: func(ctx context.Context) error {
			select {
			case listens <- struct{}{}:
			default:
			}
			return errors.Join(r.passkeys.RecheckSessions(ctx), r.rights.RereadMarks(ctx))
		},
	}))
	<-listens
	return &r
}

// stream is an open event stream.
type stream struct {
	t      *testing.T
	answer *http.Response
	blocks chan string // each event or comment as received; closed at the end of the answer
	end    error       // how the answer ended: io.EOF is a clean end
}

// patience is how long tests wait for expected events.
const patience = 30 * time.Second

// events opens a stream at w.
func (b *browser) events(w *world, headers ...string) *stream {
	b.w.t.Helper()
	request, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, w.url+"/v1/events", nil)
	must(b.w.t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(request)
	must(b.w.t, err)
	b.w.t.Cleanup(func() { response.Body.Close() })
	s := &stream{t: b.w.t, answer: response, blocks: make(chan string, 10_000)}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		b.w.t.Fatalf("GET /v1/events: %d %v", response.StatusCode, response.Header)
	}
	go func() {
		defer close(s.blocks)
		reader := bufio.NewReader(response.Body)
		for block := ""; ; {
			line, err := reader.ReadString('\n')
			if err != nil {
				s.end = err
				return
			}
			if line != "\n" {
				block += line
				continue
			}
			s.blocks <- block
			block = ""
		}
	}()
	if retry := s.next(); !strings.HasPrefix(retry, "retry: ") {
		b.w.t.Fatalf("the stream begins with %q", retry)
	} else if n, err := strconv.Atoi(strings.TrimSpace(retry[len("retry: "):])); err != nil || n < 5000 || n > 30_000 {
		b.w.t.Fatalf("%q", retry)
	}
	return s
}

// next returns the next event or comment.
func (s *stream) next() string {
	s.t.Helper()
	select {
	case block, open := <-s.blocks:
		if !open {
			s.t.Fatalf("the stream has ended: %v", s.end)
		}
		return block
	case <-time.After(patience):
		s.t.Fatal("nothing comes")
	}
	return ""
}

// want waits for the event with a revision, skipping comments.
func (s *stream) want(revision any) {
	s.t.Helper()
	for {
		block := s.next()
		if block == ":\n" {
			continue
		}
		if want := fmt.Sprintf("event: entitlements\ndata: {\"revision\":%v}\n", revision); block != want {
			s.t.Fatalf("the stream says %q, want %q", block, want)
		}
		return
	}
}

// wantSessionEnd waits until the server says that the session has ended, and ends the answer.
func (s *stream) wantSessionEnd() {
	s.t.Helper()
	for {
		switch block := s.next(); block {
		case ":\n":
			continue
		case "event: session_ended\ndata: {}\n":
			s.wantEnd()
			return
		default:
			s.t.Fatalf("the stream says %q, want the end of the session", block)
		}
	}
}

// wantEnd waits until the server ends the answer.
func (s *stream) wantEnd() {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case block, open := <-s.blocks:
			if !open {
				if !errors.Is(s.end, io.EOF) {
					s.t.Errorf("the stream ended with %v", s.end)
				}
				return
			}
			if block != ":\n" {
				s.t.Fatalf("the stream goes on: %q", block)
			}
		case <-timeout:
			s.t.Fatal("the stream does not end")
		}
	}
}

func (b *browser) revision() any {
	b.w.t.Helper()
	return b.do("GET", "/v1/entitlements", nil).want(b.w.t, 200, "").member("revision")
}

// openStreams returns the number of open streams in the metrics.
func (w *world) openStreams() int {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	api.NewOps(w.metrics, nil).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(recorder.Body.String()) {
		if number, found := strings.CutPrefix(line, "holdfast_event_streams "); found {
			return must1(strconv.Atoi(strings.TrimSpace(number)))(w.t)
		}
	}
	w.t.Fatal("there is no gauge of open streams")
	return 0
}

// TestEvents checks that a user's change at one server reaches that user's streams at another server, and no other user's.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	other := w.replica(api.New)
	ada, bob := w.browser(), w.browser()
	adaID := ada.register("Ada")
	bob.register("Bob")

	events, bobs := ada.events(other, "Origin", allowed, "Accept-Encoding", "gzip"), bob.events(other)
	events.want(ada.revision())
	bobs.want(bob.revision())
	h := events.answer.Header
	if h.Get("Cache-Control") != "no-store, no-transform" || h.Get("X-Accel-Buffering") != "no" || h.Get("Content-Encoding") != "" ||
		h.Get("Access-Control-Allow-Origin") != allowed || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("headers: %v", h)
	}

	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	events.want(ada.revision())
	device, lineage := ada.link()
	linked := ada.revision()
	events.want(linked)
	ada.admin("PUT", "/admin/v1/subscriptions/adas", `{"user":"`+adaID+`","plan":"premium","state":"active","paid_through":"2099-01-01T00:00:00Z"}`).want(t, 200, "")
	events.want(ada.revision())
	begun := time.Now()
	revoked := ada.admin("POST", "/admin/v1/subscriptions/adas/revoke", `{"reason":"drill"}`).want(t, 200, "")
	events.want(revoked.member("revision"))
	t.Logf("revoked, and told %v after the request began", time.Since(begun))
	ada.admin("POST", "/admin/v1/subscriptions/adas/reinstate", `{"reason":"drill"}`).want(t, 200, "")
	events.want(ada.revision())
	plan := ada.admin("GET", "/admin/v1/plans/premium", nil).want(t, 200, "")
	before := ada.revision()
	ada.admin("PUT", "/admin/v1/plans/premium", strings.Replace(string(plan.body), `"id":"premium",`, "", 1)).want(t, 200, "")
	events.want(before.(float64) + 1) // soon after the answer

	// A copied profile is detected: it spends the same token as the original, repeatedly.
	next := ada.reconcile(device, lineage).want(t, 200, "").text("lineage")
	ada.reconcile(device, next).want(t, 200, "")
	ada.reconcile(device, lineage).want(t, 401, "use_dpop_nonce")
	forked := ada.reconcile(device, lineage).want(t, 409, "device_forked")
	events.want(ada.revision())
	if rev := claims(t, forked.text("document"))["rev"]; rev != ada.revision() {
		t.Errorf("the document says revision %v, the stream %v", rev, ada.revision())
	}

	ada.do("DELETE", "/v1/devices/"+device, nil).want(t, 204, "")
	events.want(ada.revision())
	bob.do("POST", "/v1/trial", nil).want(t, 201, "")
	bobs.want(bob.revision()) // the next event after the first
	if len(events.blocks) > 0 {
		t.Errorf("more: %q", <-events.blocks)
	}
	ada.w = other
	if head := ada.do("HEAD", "/v1/events", nil); head.StatusCode != 200 || head.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	ada.w = w
}

// TestEventsEndWithSession checks that a stream ends when its session does, for whatever reason, and that other streams
// continue.
func TestEventsEndWithSession(t *testing.T) {
	w := newWorld(t)
	other := w.replica(api.New)
	for name, end := range map[string]func(b *browser, session string){
		"signed out":      func(b *browser, _ string) { b.do("DELETE", "/v1/session", nil).want(t, 204, "") },
		"signed in again": func(b *browser, _ string) { b.signIn() },
		"ended": func(b *browser, session string) {
			b.do("DELETE", "/v1/sessions/"+session, nil).want(t, 204, "")
		},
		"account erased": func(b *browser, _ string) { b.do("DELETE", "/v1/account", nil).want(t, 204, "") },
	} {
		t.Run(name, func(t *testing.T) {
			b, second := w.browser(), w.browser()
			b.register("Ada")
			second.authenticator, second.credential = b.authenticator, b.credential
			second.signIn()
			session, _ := b.do("GET", "/v1/sessions", nil).member("sessions").([]any)
			id := ""
			for _, item := range session {
				if s := item.(map[string]any); s["current"] == true {
					id = s["id"].(string)
				}
			}
			events, others := b.events(other), second.events(other)
			events.want(1)
			others.want(1)
			end(b, id)
			events.wantSessionEnd()
			if name == "account erased" {
				others.wantSessionEnd()
			} else {
				second.do("POST", "/v1/trial", nil).want(t, 201, "")
				others.want(2)
			}
		})
	}
	t.Run("its time", func(t *testing.T) {
		b := w.browser()
		user := b.register("Ada")
		w.db.MustExec(`UPDATE sessions SET expires_at = $2 WHERE user_id = $1`, user, w.clock.now().Add(time.Second))
		events := b.events(other)
		events.want(1)
		events.wantSessionEnd()
	})
}

// TestEventsDatabaseAway checks that while the database is away a stream stays open and a new one is refused, and that
// changes and ends of sessions in the meantime are delivered afterwards.
func TestEventsDatabaseAway(t *testing.T) {
	w := newWorld(t)
	other := w.replica(paced(20*time.Millisecond, 10*time.Second))
	ada, bob := w.browser(), w.browser()
	adaID, bobID := ada.register("Ada"), bob.register("Bob")
	events, bobs := ada.events(other), bob.events(other)
	events.want(1)
	bobs.want(1)

	owner := must1(sqlx.Connect("postgres", w.owner))(t)
	defer owner.Close()
	admin := must1(owner.Connx(t.Context()))(t)
	defer admin.Close()
	exec := func(statement string, arguments ...any) {
		t.Helper()
		_, err := admin.ExecContext(t.Context(), statement, arguments...)
		must(t, err)
	}
	var name string
	must(t, admin.GetContext(t.Context(), &name, `SELECT quote_ident(current_database())`))
	exec(`ALTER DATABASE ` + name + ` CONNECTION LIMIT 0`)
	exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	for {
		var left int
		must(t, admin.GetContext(t.Context(), &left, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'holdfast_runtime'`))
		if left == 0 {
			break
		}
	}

	ada.w = other
	ada.do("GET", "/v1/events", nil).want(t, 503, "unavailable")
	exec(`UPDATE users SET revision = revision + 1 WHERE id = $1`, adaID)
	exec(`UPDATE users SET revision = revision + 1 WHERE id = $1`, adaID)
	exec(`DELETE FROM sessions WHERE user_id = $1`, bobID)
	for range 10 {
		if block := events.next(); block != ":\n" {
			t.Fatalf("%q while the database is away", block)
		}
	}
	exec(`ALTER DATABASE ` + name + ` CONNECTION LIMIT -1`)
	events.want(3)
	bobs.wantSessionEnd()
}

// TestEventsOutlastTimeouts checks that the server's timeouts do not end streams.
func TestEventsOutlastTimeouts(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	var handler http.Handler
	other := w.replica(func(cfg api.Config) (http.Handler, error) {
		h, err := api.NewPaced(cfg, 50*time.Millisecond, 10*time.Second)
		handler = h
		return h, err
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	other.url = server.URL
	events := ada.events(other)
	events.want(1)
	for begun := time.Now(); time.Since(begun) < time.Second; {
		events.next()
	}
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	events.want(2)
}

// pipes is an unbuffered listener: whatever was written has been read.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestEventsSlowClient checks that a slow client gets only the latest revision, and that a client that does not read at all
// is disconnected.
func TestEventsSlowClient(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	adaID := entitlements.UserID(ada.register("Ada"))
	var handler http.Handler
	other := w.replica(func(cfg api.Config) (http.Handler, error) {
		h, err := api.NewPaced(cfg, time.Hour, 2*time.Second)
		handler = h
		return h, err
	})
	listener := pipes{make(chan net.Conn)}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	defer close(listener.conns)

	client, remote := net.Pipe()
	listener.conns <- remote
	defer client.Close()
	cookies := ada.client.Jar.Cookies(must1(http.NewRequest("GET", w.url, nil))(t).URL)
	request := "GET /v1/events HTTP/1.1\r\nHost: x\r\nCookie: "
	for _, cookie := range cookies {
		request += cookie.Name + "=" + cookie.Value + "; "
	}
	_, err := client.Write([]byte(request + "\r\n\r\n"))
	must(t, err)
	reader := bufio.NewReader(client)
	until := func(text string) (events int) {
		t.Helper()
		must(t, client.SetReadDeadline(time.Now().Add(patience)))
		for {
			line, err := reader.ReadString('\n')
			must(t, err)
			if strings.HasPrefix(line, "data:") {
				events++
			}
			if strings.Contains(line, text) {
				return events
			}
		}
	}
	until(`{"revision":1}`)
	for revision := range 10_000 {
		other.rights.MarksRaised(adaID, entitlements.Marks{Revision: int64(revision) + 2})
	}
	if n := until(`{"revision":10001}`); n > 2 {
		t.Errorf("%d events were held for the client", n)
	}

	other.rights.MarksRaised(adaID, entitlements.Marks{Revision: 20_000}) // the client never reads these
	for begun := time.Now(); other.openStreams() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("the client is not dropped")
		}
	}
}

// TestEventStreamsAreBounded checks that a stream costs two goroutines and none of the HTTP server's, that they end with it,
// and that a user with too many streams loses the oldest.
func TestEventStreamsAreBounded(t *testing.T) {
	const most, users = 20, 5
	w := newWorld(t)
	other := w.replica(api.New)
	var browsers []*browser
	for range users {
		b := w.browser()
		b.register("Ada")
		browsers = append(browsers, b)
	}
	before := runtime.NumGoroutine()
	var streams []*stream
	for _, b := range browsers {
		for range most {
			s := b.events(other)
			s.want(1)
			streams = append(streams, s)
		}
	}
	// Per stream: the server's two; here, the client's two and ours.
	if more := runtime.NumGoroutine() - before; more > 5*len(streams)+10 {
		t.Errorf("%d goroutines for %d streams", more, len(streams))
	}
	if open := other.openStreams(); open != len(streams) {
		t.Errorf("the gauge says %v of %d streams", open, len(streams))
	}
	further := browsers[0].events(other)
	further.want(1)
	streams[0].wantEnd()
	browsers[0].do("POST", "/v1/trial", nil).want(t, 201, "")
	for _, s := range slices.Concat(streams[1:most], []*stream{further}) {
		s.want(2)
	}
	for _, s := range append(streams, further) {
		s.answer.Body.Close()
	}
	for begun := time.Now(); runtime.NumGoroutine() > before+10 || other.openStreams() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%d goroutines, were %d; %v streams", runtime.NumGoroutine(), before, other.openStreams())
		}
	}
}

// TestEventsDrain checks that a server that is shutting down ends its streams and need not wait for them.
func TestEventsDrain(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	draining := make(chan struct{})
	var streams sync.WaitGroup
	other := w.replica(api.New, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		a.Draining, a.Streams, a.MaxStreams = draining, &streams, 1
	})
	events := ada.events(other)
	events.want(1)
	second := w.browser()
	second.w, second.client.Jar = other, ada.client.Jar
	second.do("GET", "/v1/events", nil).want(t, http.StatusServiceUnavailable, "unavailable")
	other.server.Config.RegisterOnShutdown(func() { close(draining) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, other.server.Config.Shutdown(ctx))
	if retry := events.next(); !strings.HasPrefix(retry, "retry: ") {
		t.Errorf("the stream ends with %q", retry)
	} else if n, err := strconv.Atoi(strings.TrimSpace(retry[len("retry: "):])); err != nil || n < 500 || n > 5000 {
		t.Errorf("its clients go elsewhere within %q", retry)
	}
	events.wantEnd()
	streams.Wait()
}
