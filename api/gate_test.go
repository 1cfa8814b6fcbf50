package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/api"
)

// heldAnswers are Answers whose Claim returns only when released.
type heldAnswers struct {
	api.Answers
	entered, release chan struct{}
}

func (h *heldAnswers) Claim(
	ctx context.Context, actor, route, key string, bodyHash []byte, now time.Time,
) (claimed bool, status int, answer []byte, err error) {
	h.entered <- struct{}{}
	<-h.release
	return h.Answers.Claim(ctx, actor, route, key, bodyHash, now)
}

// narrow starts another server that works on one request at a time. The result takes that place until release is closed.
func (w *world) narrow(build func(api.Config) (http.Handler, error)) (other *world, occupy func() (done <-chan answer), release chan struct{}) {
	w.t.Helper()
	held := &heldAnswers{entered: make(chan struct{}), release: make(chan struct{})}
	other = w.replica(func(cfg api.Config) (http.Handler, error) {
		held.Answers = cfg.Answers
		cfg.Places, cfg.Answers = 1, held
		return build(cfg)
	})
	return other, func() <-chan answer {
		support := other.browser()
		done := make(chan answer, 1)
		go func() { done <- support.keyed("k-1", "/admin/v1/users", `{"name":"Ada"}`) }()
		<-held.entered
		return done
	}, held.release
}

// waiting returns the number of requests that wait for a place, from the metrics.
func (w *world) waiting() string {
	recorder := httptest.NewRecorder()
	api.NewOps(w.metrics, nil).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(recorder.Body.String()) {
		if number, found := strings.CutPrefix(line, "holdfast_requests_waiting "); found {
			return strings.TrimSpace(number)
		}
	}
	return ""
}

// TestGateShortensItsQueueInAFlood checks that a burst is served, in turn when few are left; that when more requests come
// than can wait, the oldest are refused at once and the newest go first; and that the queue is long again a second later.
func TestGateShortensItsQueueInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pass := api.NewGate(1, 1, time.Hour)
		var served, refused []int
		var mu sync.Mutex
		send := func(numbers ...int) (release chan struct{}) {
			release = make(chan struct{})
			occupied := make(chan struct{})
			go func() {
				_ = pass(t.Context(), func() error { close(occupied); <-release; return nil })
			}()
			<-occupied
			served, refused = nil, nil
			for _, number := range numbers {
				go func() {
					err := pass(t.Context(), func() error { served = append(served, number); return nil })
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						refused = append(refused, number)
					}
				}()
				synctest.Wait()
			}
			return release
		}
		want := func(name string, got, want []int) {
			t.Helper()
			if slices.Sort(refused); !slices.Equal(got, want) {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
		upTo := func(n int) (numbers []int) {
			for i := range n {
				numbers = append(numbers, i)
			}
			return numbers
		}
		most, few, flood := api.WaitingPerPlace, api.FewPerPlace, api.WaitingInAFlood

		burst := slices.Clone(upTo(most)[few:])
		slices.Reverse(burst)
		burst = append(burst, upTo(few)...)
		close(send(upTo(most)...))
		synctest.Wait()
		want("served of a burst", served, burst)

		release := send(upTo(most + 1)...)
		want("refused at the beginning of a flood", refused, upTo(most+1-flood))
		close(release)
		synctest.Wait()
		left := upTo(most + 1)[most+1-flood:]
		slices.Reverse(left)
		want("served in a flood", served, left)

		release = send(upTo(flood + 1)...)
		want("refused soon after", refused, []int{0})
		close(release)
		synctest.Wait()

		time.Sleep(2 * time.Second)
		close(send(upTo(most)...))
		synctest.Wait()
		want("served of a later burst", served, burst)
	})
}

// TestGateNarrowsInAFlood checks that fewer requests work at once in a flood, and as many as before after it.
func TestGateNarrowsInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const places = 3
		pass := api.NewGate(places, 1, time.Hour)
		var working int
		var mu sync.Mutex
		change := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			working += by
		}
		release := make(chan struct{})
		send := func(n int) {
			for range n {
				go func() {
					_ = pass(t.Context(), func() error { change(1); <-release; change(-1); return nil })
				}()
				synctest.Wait()
			}
		}
		want := func(when string, n int) {
			t.Helper()
			if synctest.Wait(); working != n {
				t.Errorf("%s: %d work, want %d", when, working, n)
			}
		}
		send(places + api.WaitingPerPlace*places)
		want("before the flood", places)
		send(1)
		for _, n := range append([]int{2, 1}, slices.Repeat([]int{1}, api.WaitingInAFlood)...) {
			release <- struct{}{}
			want("in the flood", n)
		}
		close(release)
		want("at its end", 0)
		time.Sleep(2 * time.Second)
		release = make(chan struct{})
		send(places + 1)
		want("after it", places)
		close(release)
	})
}

// TestOverload checks that of too many waiting requests the oldest are refused and change nothing, while public documents
// and open streams are served, and that the others are served afterwards.
func TestOverload(t *testing.T) {
	w := newWorld(t)
	other, occupy, release := w.narrow(func(cfg api.Config) (http.Handler, error) { return api.NewQueued(cfg, time.Hour) })
	ada := w.browser()
	ada.register("Ada")
	events := ada.events(other)
	events.want(ada.revision())
	options := ada.do("POST", "/v1/authentication/options", nil).want(t, 200, "")
	spent := w.count("spent")

	ada.w = other
	first := occupy()
	waits := func(n int, send func() answer) <-chan answer {
		sent := make(chan answer, 1)
		go func() { sent <- send() }()
		for other.waiting() != strconv.Itoa(n) { // the test's deadline ends this
			time.Sleep(time.Millisecond)
		}
		return sent
	}
	assertion := fmt.Sprintf(`{"ceremony":%q,"credential":%s}`, options.text("ceremony"), ada.assert(options))
	oldest := []struct {
		name string
		send func() answer
	}{
		{"sign-in", func() answer { return ada.do("POST", "/v1/authentication", assertion) }},
		{"a trial", func() answer { return ada.do("POST", "/v1/trial", nil) }},
		{"a new stream", func() answer { return ada.do("GET", "/v1/events", nil) }},
		{"support", func() answer { return ada.admin("POST", "/admin/v1/users", `{"name":"Bob"}`) }},
	}
	var sent, waiting []<-chan answer
	for i, request := range oldest {
		sent = append(sent, waits(i+1, request.send))
	}
	nonce := func() answer { return other.browser().do("GET", "/v1/nonce", nil) }
	for n := len(sent); n < api.WaitingPerPlace; n++ {
		waiting = append(waiting, waits(n+1, nonce))
	}
	waiting = append(waiting, waits(api.WaitingInAFlood, nonce)) // one too many: most are refused at once

	for i, request := range oldest {
		name, refused := request.name, (<-sent[i]).want(t, 503, "unavailable")
		if refused.Header.Get("Retry-After") != "2" {
			t.Errorf("%s: Retry-After %q", name, refused.Header.Get("Retry-After"))
		}
	}
	if w.count("subscriptions") != 0 || w.count("spent") != spent || w.count("users") != 1 {
		t.Error("refused requests changed something")
	}
	ada.do("GET", "/.well-known/jwks.json", nil).want(t, 200, "")
	ada.do("GET", "/v1/status-lists/0", nil).want(t, 200, "")
	ada.w = w
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
	events.want(ada.revision()) // the stream that was open

	close(release)
	(<-first).want(t, 201, "")
	stays := len(waiting) - api.WaitingInAFlood
	for _, answered := range waiting[:stays] {
		(<-answered).want(t, 503, "unavailable")
	}
	for _, answered := range waiting[stays:] {
		(<-answered).want(t, 204, "")
	}
	if strings.Contains(w.log.String(), "request failed") {
		t.Error("refusals under overload are logged as failures")
	}
}

// TestOverloadPatience checks that a request does not wait for a place longer than allowed.
func TestOverloadPatience(t *testing.T) {
	w := newWorld(t)
	other, occupy, release := w.narrow(func(cfg api.Config) (http.Handler, error) { return api.NewQueued(cfg, time.Millisecond) })
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	ada.w = other
	first := occupy()
	if ada.reconcile(device, lineage).want(t, 503, "unavailable").Header.Get("DPoP-Nonce") == "" {
		t.Error("no nonce comes with the refusal of a reconcile")
	}
	if refused := ada.do("GET", "/v1/session", nil).want(t, 503, "unavailable"); refused.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", refused.Header.Get("Retry-After"))
	}
	close(release)
	(<-first).want(t, 201, "")
}

// TestSlowClientsHoldNoPlace checks that clients that send or read slowly do not keep others from being served.
func TestSlowClientsHoldNoPlace(t *testing.T) {
	w := newWorld(t)
	var handler http.Handler
	other := w.replica(func(cfg api.Config) (http.Handler, error) {
		cfg.Places = 1
		h, err := api.NewImpatient(cfg, time.Hour)
		handler = h
		return h, err
	})
	ada := w.browser()
	ada.register("Ada")
	ada.w = other

	sending := must1((&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(other.url, "http://")))(t)
	defer sending.Close()
	_, err := io.WriteString(sending, "POST /v1/authentication HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n{")
	must(t, err)
	// The server says 100 when it begins to read the body.
	if line, err := bufio.NewReader(sending).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	ada.do("GET", "/v1/session", nil).want(t, 200, "")

	for i := range 100 { // more than one write's worth
		ada.admin("POST", "/admin/v1/users", fmt.Sprintf(`{"name":"User %d %s"}`, i, strings.Repeat("x", 80))).want(t, 201, "")
	}
	listener := pipes{make(chan net.Conn)}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	defer close(listener.conns)
	reading, remote := net.Pipe()
	listener.conns <- remote
	_, err = io.WriteString(reading, "GET /admin/v1/users?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+adminSecret+"\r\n\r\n")
	must(t, err)
	_, err = io.ReadFull(reading, make([]byte, 1)) // the server writes, and waits for the reader
	must(t, err)
	ada.do("GET", "/v1/session", nil).want(t, 200, "")
}
