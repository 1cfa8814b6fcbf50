package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/e2e/support"
)

const (
	oldWebhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	webhookSecret    = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	webhookPatience  = 2 * time.Minute
)

// receiver receives the server's webhooks. It first verifies each with the official library.
type receiver struct {
	t    *testing.T
	http *httptest.Server

	mu  sync.Mutex
	got []message
}

// message is a received webhook.
type message struct {
	ID, Type      string
	Authorization string
	Data          struct {
		User, Subscription, Device string
		Revision                   int64
		Before, After              map[string]any
	}
}

// newReceiver makes a receiver with that answer, optionally with an untrusted TLS certificate.
func newReceiver(t *testing.T, trusted bool, answer http.HandlerFunc) *receiver {
	r := &receiver{t: t}
	r.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.receive(request)
		answer(w, request)
	}))
	r.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	if trusted {
		r.http.Start()
	} else {
		r.http.StartTLS()
	}
	t.Cleanup(func() {
		r.http.CloseClientConnections()
		r.http.Close()
	})
	return r
}

func (r *receiver) receive(request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Errorf("half a webhook: %v", err)
		return
	}
	verifier, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		r.t.Error(err)
		return
	}
	if err := verifier.Verify(body, request.Header); err != nil {
		r.t.Errorf("a webhook does not verify: %v", err)
	}
	m := message{ID: request.Header.Get("webhook-id"), Authorization: request.Header.Get("Authorization")}
	if err := json.Unmarshal(body, &m); err != nil {
		r.t.Errorf("%s: %v", body, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, m)
}

// messages returns the webhooks received so far.
func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// times returns how often each message was received.
func (r *receiver) times() map[string]int {
	times := map[string]int{}
	for _, m := range r.messages() {
		times[m.ID]++
	}
	return times
}

// hijacked lets answer write anything to the connection.
func hijacked(answer func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		answer(conn)
	}
}

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(webhookPatience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, webhookPatience)
		}
	}
}

// told is a server that notifies urls, its owner's view of it, and a person with a trial.
type told struct {
	t            *testing.T
	server       *support.Server
	db           *sql.DB
	user         support.User
	client       *support.Client
	subscription string
}

func newTold(t *testing.T, urls ...string) *told {
	t.Helper()
	w := &told{t: t, server: support.NewServer(t, binary)}
	w.server.Settings = []string{
		"HOLDFAST_WEBHOOK_URL=" + strings.Join(urls, ","), "HOLDFAST_WEBHOOK_SECRET=" + oldWebhookSecret + "," + webhookSecret,
	}
	if err := w.server.Start(); err != nil {
		t.Fatal(err)
	}
	w.connect()
	w.client = w.server.Client()
	var err error
	if w.user, _, err = w.client.Register(t.Context(), "Ada Tell-tale"); err != nil {
		t.Fatal(err)
	}
	if w.subscription, err = w.client.Trial(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// connect connects to the database as its owner, also again after the cluster has ended.
func (w *told) connect() {
	w.t.Helper()
	if w.db != nil {
		w.db.Close()
	}
	cluster, err := support.FindCluster(w.server.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.db, err = sql.Open("postgres", cluster.URL("holdfast_owner")); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.db.Close() })
}

// change is a support action on the trial.
func (w *told) change(client *support.Client, action string) error {
	_, err := client.Do(w.t.Context(), http.MethodPost, "/admin/v1/subscriptions/"+w.subscription+"/"+action,
		map[string]string{"reason": "Tell-tale"}, nil, support.Bearer(support.AdminToken))
	return err
}

func (w *told) mustChange(action string) {
	w.t.Helper()
	if err := w.change(w.server.Client(), action); err != nil {
		w.t.Fatal(err)
	}
}

// now makes every delivery that waits for another attempt due.
func (w *told) now() {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), `UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'`); err != nil {
		w.t.Fatal(err)
	}
}

type delivery struct {
	ID, Message, Type, Endpoint, State string
	Attempts                           int
	LastStatus                         *int    `json:"last_status"`
	LastError                          *string `json:"last_error"`
}

// deliveries returns what staff see of one endpoint, in a state or in any.
func (w *told) deliveries(endpoint, state string) (found []delivery) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Deliveries []delivery
			Next       string
		}
		if _, err := w.client.Do(w.t.Context(), http.MethodGet, "/admin/v1/webhooks?limit=200&state="+state+"&cursor="+cursor, nil, &page,
			support.Bearer(support.AdminToken)); err != nil {
			w.t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			if d.Endpoint == endpoint {
				found = append(found, d)
			}
		}
		if cursor = page.Next; cursor == "" {
			return found
		}
	}
}

// TestHostileReceivers: receivers that fail, hang or lie cause no loss for others, nor for themselves: their messages
// wait until they work again or, once given up, until an operator resends them.
func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	honest := newReceiver(t, true, ok)
	var works atomic.Bool // the failing one
	var redirected, flooded atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected.Add(1) }))
	t.Cleanup(elsewhere.Close)
	closed := support.FreeAddress(t)
	flood := func(write func() (int, error)) {
		for {
			n, err := write()
			flooded.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
	padding := bytes.Repeat([]byte("x"), 32<<10)

	hostile := map[string]struct {
		receiver  *receiver
		failure   string // the failure that staff see; empty if the receiver accepts messages
		status    int
		deaf, tls bool // nothing reaches it
	}{
		"fails": {newReceiver(t, true, func(w http.ResponseWriter, _ *http.Request) {
			if !works.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}), "status", 500, false, false},
		"hangs": {newReceiver(t, true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "timeout", 0, false, false},
		"drips": {newReceiver(t, true, hijacked(func(conn net.Conn) {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX-Drip: " + strings.Repeat("x", 10_000)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})), "timeout", 0, false, false},
		"redirects": {newReceiver(t, true, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}), "redirect", 307, false, false},
		"closes": {newReceiver(t, true, hijacked(func(net.Conn) {})), "connection", 0, false, false},
		"talks nonsense": {newReceiver(t, true, hijacked(func(conn net.Conn) {
			fmt.Fprint(conn, "level=INFO msg=Tell-tale\n\n")
		})), "connection", 0, false, false},
		"floods the header": {newReceiver(t, true, hijacked(func(conn net.Conn) {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
			flood(func() (int, error) { return fmt.Fprintf(conn, "X-Flood: %s\r\n", padding[:1000]) })
		})), "connection", 0, false, false},
		"floods the body": {newReceiver(t, true, func(w http.ResponseWriter, _ *http.Request) {
			flood(func() (int, error) { return w.Write(padding) })
		}), "", 200, false, false},
		"takes it, then repeats": {newReceiver(t, true, hijacked(func(conn net.Conn) {
			fmt.Fprint(conn, strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nTell-tale", 3))
			time.Sleep(50 * time.Millisecond)
			fmt.Fprint(conn, strings.Repeat("HTTP/1.1 500 OK\r\nContent-Length: 9\r\n\r\nTell-tale", 3))
		})), "", 200, false, false},
		"has a certificate of its own": {newReceiver(t, false, ok), "tls", 0, true, true},
	}
	urls := []string{strings.Replace(honest.http.URL, "://", "://ada:tell-tale@", 1) + "/hook?token=tell-tale", "http://" + closed}
	for _, h := range hostile {
		urls = append(urls, h.receiver.http.URL)
	}
	plain := newReceiver(t, true, ok) // contacted with TLS, which it does not support
	urls = append(urls, strings.Replace(plain.http.URL, "http:", "https:", 1))

	w := newTold(t, urls...)
	want := []string{"subscription.changed"}
	w.mustChange("revoke")
	w.mustChange("reinstate")
	want = append(want, "subscription.revoked", "subscription.changed")
	// The honest one gets everything at once, though the others will take long.
	eventually(t, "the honest receiver", func() bool { return len(honest.messages()) == len(want) })
	revisions := map[int64]string{}
	for _, m := range honest.messages() {
		revisions[m.Data.Revision] = m.Type
		if m.Data.User != w.user.ID || m.Data.Subscription != w.subscription || m.Authorization != "Basic YWRhOnRlbGwtdGFsZQ==" {
			t.Errorf("%+v", m)
		}
	}
	var types []string
	for _, revision := range slices.Sorted(maps.Keys(revisions)) {
		types = append(types, revisions[revision])
	}
	if !slices.Equal(types, want) {
		t.Errorf("by their revisions: %q", types)
	}
	if first := len(w.deliveries(honest.http.URL+"/hook", "delivered")); first > len(want) {
		t.Errorf("%d delivered to the honest receiver", first)
	}

	// Staff see each receiver's failure, and that working receivers have none.
	for name, h := range hostile {
		endpoint := h.receiver.http.URL
		eventually(t, name, func() bool {
			for _, d := range w.deliveries(endpoint, "") {
				if h.failure == "" != (d.State == "delivered") || d.Attempts == 0 || (d.LastError == nil) != (h.failure == "") {
					return false
				}
			}
			return true
		})
		all := w.deliveries(endpoint, "")
		if len(all) != len(want) {
			t.Errorf("%s: %d deliveries", name, len(all))
		}
		for _, d := range all {
			status := 0
			if d.LastStatus != nil {
				status = *d.LastStatus
			}
			if h.failure != "" && *d.LastError != h.failure || status != h.status {
				t.Errorf("%s: %d %s", name, status, *d.LastError)
			}
		}
		if got := len(h.receiver.messages()); (got == 0) != h.deaf {
			t.Errorf("%s: it got %d messages", name, got)
		}
		if h.failure == "" {
			for id, times := range h.receiver.times() {
				if times != 1 {
					t.Errorf("%s: %s came %d times", name, id, times)
				}
			}
		}
	}
	for endpoint, failure := range map[string]string{urls[1]: "unreachable", urls[len(urls)-1]: "tls"} {
		eventually(t, failure, func() bool {
			found := w.deliveries(endpoint, "pending")
			return len(found) == len(want) && !slices.ContainsFunc(found, func(d delivery) bool { return d.LastError == nil || *d.LastError != failure })
		})
	}
	if redirected.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if most := int64(len(want)) * 2 * (16 << 20); flooded.Load() > most { // the kernel's buffer for each connection
		t.Errorf("%d bytes were taken of floods", flooded.Load())
	}

	// When the failed one works again, it gets everything, under the same ids.
	works.Store(true)
	failing := hostile["fails"].receiver
	w.now()
	eventually(t, "the receiver that failed", func() bool { return len(w.deliveries(failing.http.URL, "delivered")) == len(want) })
	if times := failing.times(); len(times) != len(want) {
		t.Errorf("it knows %d messages: %v", len(times), times)
	}

	// A delivery given up is logged and counted, and sent again on request.
	if _, err := w.db.Exec(`UPDATE webhook_deliveries d SET attempts = 9, next_attempt_at = now() FROM webhook_endpoints e
		WHERE e.id = d.endpoint AND e.shown = $1`, urls[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "given up", func() bool { return len(w.deliveries(urls[1], "dead")) == len(want) })
	eventually(t, "counted", func() bool {
		metrics, err := w.server.Metrics()
		return err == nil && strings.Contains(metrics, fmt.Sprintf("holdfast_webhooks{state=\"dead\"} %d\n", len(want)))
	})
	listener, err := net.Listen("tcp", closed)
	if err != nil {
		t.Fatal(err)
	}
	back := &receiver{t: t}
	backServer := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { back.receive(r) })}
	go func() { _ = backServer.Serve(listener) }()
	t.Cleanup(func() { backServer.Close() })
	for _, d := range w.deliveries(urls[1], "dead") {
		if _, err := w.client.Do(t.Context(), http.MethodPost, "/admin/v1/webhooks/"+d.ID+"/resend", nil, nil, support.Bearer(support.AdminToken)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "resent", func() bool { return len(back.times()) == len(want) })

	// An erased user leaves the one message that says so.
	if _, err := w.client.Do(t.Context(), http.MethodDelete, "/v1/account", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the erasure", func() bool { return len(honest.messages()) == len(want)+1 })
	last := honest.messages()[len(want)]
	if last.Type != "user.erased" || last.Data.User != w.user.ID || last.Data.Subscription != "" {
		t.Errorf("%+v", last)
	}
	var others int
	if err := w.db.QueryRow(`SELECT count(*) FROM webhook_deliveries WHERE type <> 'user.erased'`).Scan(&others); err != nil || others != 0 {
		t.Errorf("%d deliveries of the erased user, %v", others, err)
	}
	logged := w.server.Log()
	if !strings.Contains(logged, "gave up a webhook") || strings.Contains(strings.ToLower(logged), "tell-tale") || strings.Contains(logged, "Unsolicited") {
		t.Errorf("the log:\n%s", logged)
	}
	begun := time.Now()
	if err := w.server.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("the server took %v to end", took)
	}
}

// A server killed after sending a message and before recording it sends it again, under the same id. A server killed
// after answering a change still sends its message.
func TestServerKilledWhileSending(t *testing.T) {
	t.Parallel()
	var w *told
	var kill atomic.Bool
	killed := make(chan struct{})
	r := newReceiver(t, true, func(http.ResponseWriter, *http.Request) {
		if kill.CompareAndSwap(true, false) { // it has the message, but the server will not learn that
			if err := w.server.Kill(); err != nil {
				t.Error(err)
			}
			close(killed)
		}
	})
	hangs := newReceiver(t, true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w = newTold(t, r.http.URL, hangs.http.URL)
	eventually(t, "the trial", func() bool { return len(w.deliveries(r.http.URL, "delivered")) == 1 })
	kill.Store(true)
	if err := w.change(w.server.Client(), "revoke"); err != nil {
		t.Logf("the revoke was cut off: %v", err) // it was committed, since a message was sent
	}
	<-killed
	if err := w.server.Start(); err != nil {
		t.Fatal(err)
	}
	w.connect()
	w.now() // the lease of the killed server
	eventually(t, "the message again", func() bool { return len(w.deliveries(r.http.URL, "delivered")) == 2 })
	times := r.times()
	if len(times) != 2 || times[r.messages()[1].ID] != 2 {
		t.Errorf("messages and how often they came: %v", times)
	}

	for range 5 {
		w.mustChange("reinstate")
		w.mustChange("revoke")
	}
	if err := w.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Start(); err != nil {
		t.Fatal(err)
	}
	w.connect()
	w.now()
	eventually(t, "everything", func() bool { return len(w.deliveries(r.http.URL, "delivered")) == 12 })
	if n := len(r.times()); n != 12 {
		t.Errorf("%d messages", n)
	}
	if n := len(w.deliveries(hangs.http.URL, "pending")); n != 12 {
		t.Errorf("%d messages wait for the receiver that hangs", n)
	}
}

// Two servers share the work: each message arrives once, whichever of them sends it.
func TestTwoServersShareDeliveries(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, true, func(http.ResponseWriter, *http.Request) {})
	w := newTold(t, r.http.URL)
	second := w.server.Replica(t)
	second.Settings = w.server.Settings
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	const changes = 100
	for i := range changes {
		client := []*support.Client{w.server.Client(), second.Client()}[i/2%2]
		if err := w.change(client, []string{"revoke", "reinstate"}[i%2]); err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
	eventually(t, "all", func() bool { return len(w.deliveries(r.http.URL, "delivered")) == changes+1 })
	for id, times := range r.times() {
		if times != 1 {
			t.Errorf("%s came %d times", id, times)
		}
	}
	for _, server := range []*support.Server{w.server, second} {
		metrics, err := server.Metrics()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(metrics, "holdfast_webhook_attempts_total{outcome=\"delivered\"} 0\n") {
			t.Error("one of the servers has sent nothing")
		}
	}
}

// TestHangingReceiversDoNotSlowRevoke checks that changes are answered while receivers hang, and that a message being sent
// holds no transaction, whose locks and connection changes would wait for.
func TestHangingReceiversDoNotSlowRevoke(t *testing.T) {
	t.Parallel()
	const changes = 120
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	first, second := newReceiver(t, true, hang), newReceiver(t, true, hang)
	w := newTold(t, first.http.URL, second.http.URL)
	eventually(t, "a message is being sent to each", func() bool { return len(first.messages()) > 0 && len(second.messages()) > 0 })
	var sending time.Time
	if err := w.db.QueryRow(`SELECT clock_timestamp()`).Scan(&sending); err != nil {
		t.Fatal(err)
	}
	for i := range changes {
		w.mustChange([]string{"revoke", "reinstate"}[i%2])
	}
	var held int
	if err := w.db.QueryRow(`SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND xact_start < $1`, sending).Scan(&held); err != nil || held > 0 {
		t.Errorf("%d transactions are as old as the messages being sent: %v", held, err)
	}
	for _, r := range []*receiver{first, second} {
		if n := len(w.deliveries(r.http.URL, "pending")); n != changes+1 {
			t.Errorf("%d messages wait", n)
		}
	}
}

// A plan with ten thousand holders is changed, and the server killed while it notifies them: it continues after its next
// start, and notifies nobody twice.
func TestServerKilledWhileRaisingHolders(t *testing.T) {
	t.Parallel()
	const holders = 10_000
	w := newTold(t)
	if _, err := w.db.Exec(`
		WITH made AS (INSERT INTO users (id, name, created_at) SELECT gen_random_uuid(), 'Holder', now() FROM generate_series(1, $1) RETURNING id)
		INSERT INTO subscriptions (id, user_id, plan, state, paid_through, created_at, updated_at)
		SELECT id, id, 'premium', 'active', now() + interval '1 year', now(), now() FROM made`, holders); err != nil {
		t.Fatal(err)
	}
	raised := func() (n int) {
		if err := w.db.QueryRow(`SELECT count(*) FROM users WHERE name = 'Holder' AND revision = 2`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	begun := time.Now()
	raiseDeviceLimit(t.Context(), t, w.client, 6)
	answered := time.Since(begun)
	eventually(t, "some are raised", func() bool { return raised() > 0 })
	if err := w.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Start(); err != nil {
		t.Fatal(err)
	}
	w.connect()
	t.Logf("the change was answered after %v; %d holders were raised when the server was killed", answered, raised())
	eventually(t, "all are raised once", func() bool { return raised() == holders })
}
