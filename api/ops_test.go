package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/api"
	"holdfast/sql"
)

func TestOps(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	ada.reconcile(device, lineage).want(t, 200, "")
	ada.reconcile(device, "AAAA").want(t, 400, "lineage_invalid")
	ada.do("GET", "/secret/path", nil).want(t, 404, "not_found")
	ada.do("POST", "/v1/authentication", map[string]string{}).want(t, 400, "invalid_request")
	ada.do("BREW", "/v1/session", nil).want(t, 405, "method_not_allowed")

	var down error
	ops := httptest.NewServer(api.NewOps(w.metrics, func(context.Context) error { return down }))
	defer ops.Close()
	b := w.browser()
	b.w = &world{t: t, url: ops.URL}
	metrics := string(b.do("GET", "/metrics", nil).want(t, 200, "").body)
	for _, line := range []string{
		`holdfast_http_requests_total{method="POST",route="/v1/reconcile",status="2xx"} 1`,
		`holdfast_http_requests_total{method="GET",route="other",status="4xx"} 1`,
		`holdfast_http_requests_total{method="OTHER",route="other",status="4xx"} 1`,
		`holdfast_http_request_duration_seconds_count{method="POST",route="/v1/reconcile"} 2`,
		`holdfast_reconciles_total{outcome="ok"} 1`,
		`holdfast_ceremonies_total{ceremony="registration",outcome="ok"} 1`,
		`holdfast_ceremonies_total{ceremony="authentication",outcome="invalid_request"} 1`,
		`holdfast_refusals_total{code="not_found"} 1`,
		`holdfast_requests_in_flight 0`,
		`holdfast_reconciles_total{outcome="lineage_invalid"} 1`,
		`holdfast_keyset_expiry_timestamp_seconds `,
		`holdfast_keyset_remaining_seconds 3.456e+07`,
		`holdfast_keyset_version 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(metrics, "secret") {
		t.Error("a path that a client chose is a label")
	}
	b.do("GET", "/healthz", nil).want(t, 200, "")
	b.do("GET", "/readyz", nil).want(t, 200, "")
	down = errors.New("database unavailable")
	if b.do("GET", "/readyz", nil).want(t, 503, "").Header.Get("Retry-After") == "" {
		t.Error("/readyz is red without Retry-After")
	}
	b.do("GET", "/healthz", nil).want(t, 200, "")
	for _, name := range []string{"", "start.js", "swagger-ui-bundle.js", "swagger-ui.css", "openapi.yaml"} {
		if csp := b.do("GET", "/docs/"+name, nil).want(t, 200, "").Header.Get("Content-Security-Policy"); csp == "" {
			t.Errorf("/docs/%s has no policy", name)
		}
	}
	b.do("GET", "/docs/none", nil).want(t, 404, "")
	b.do("GET", "/debug/pprof/goroutine", nil).want(t, 200, "")
	b.do("GET", "/debug/pprof/cmdline", nil).want(t, 404, "") // the arguments may contain a token
}

// TestUnavailable checks that a database that does not answer in time leads to a 503 with Retry-After, not to a 500.
func TestUnavailable(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	owner, err := sql.Open(t.Context(), w.owner)
	must(t, err)
	defer owner.Close()
	conn, err := owner.Connx(t.Context())
	must(t, err)
	defer conn.Close()
	for _, statement := range []string{"RESET ROLE", "SET ROLE NONE", "BEGIN", "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"} {
		_, err = conn.ExecContext(t.Context(), statement)
		must(t, err)
	}
	refused := ada.do("GET", "/v1/session", nil).want(t, http.StatusServiceUnavailable, "unavailable")
	if refused.Header.Get("Retry-After") == "" || len(refused.Header.Values("Set-Cookie")) != 0 {
		t.Errorf("unavailable: %v", refused.Header)
	}
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	ada.do("GET", "/v1/session", nil).want(t, 200, "")
	if !strings.Contains(w.log.String(), "lock timeout") {
		t.Error("the cause is not in the log")
	}
}

// TestPanic checks that a panic leads to a 500 with a fixed text, that only the log has the cause, and that the server
// continues.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	client := w.browser()
	w.clock.breakAfter(0)
	got := client.do("POST", "/v1/authentication/options", nil).want(t, 500, "internal")
	if strings.Contains(string(got.body), "clock") || got.text("instance") == "" {
		t.Errorf("the answer tells the cause: %s", got.body)
	}
	log := w.log.String()
	if !strings.Contains(log, "the clock is broken") || !strings.Contains(log, strings.TrimPrefix(got.text("instance"), "urn:uuid:")) ||
		!strings.Contains(log, "route=/v1/authentication/options status=500") {
		t.Errorf("log: %s", log)
	}
	w.clock.breakAfter(-1)
	client.do("POST", "/v1/authentication/options", nil).want(t, 200, "")
	w.clock.forward(time.Second)
}

// TestRetryAfter checks that every refusal that allows another try says when.
func TestRetryAfter(t *testing.T) {
	seen := map[int]int{}
	errs := append(api.Refusals(), context.DeadlineExceeded, fmt.Errorf("read: %w", context.Canceled), errors.New("unknown"))
	for _, err := range errs {
		w := httptest.NewRecorder()
		api.Refuse(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), err)
		seen[w.Code]++
		again := w.Code == http.StatusTooManyRequests || w.Code == http.StatusServiceUnavailable
		if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); again != (err == nil && seconds > 0) {
			t.Errorf("%v: %d with Retry-After %q", err, w.Code, w.Header().Get("Retry-After"))
		}
	}
	if seen[429] < 2 || seen[503] < 3 {
		t.Errorf("answers: %v", seen)
	}
}

// eventually waits until so returns true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestClientGone checks that a request whose client disconnected causes no error in the log and no 5xx in log and metrics.
func TestClientGone(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	user := ada.register("Ada")
	db := w.connect()
	lock := db.MustBegin()
	defer lock.Rollback()
	lock.MustExec(`SELECT FROM users WHERE id = $1 FOR UPDATE`, user)

	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/trial", nil)
	must(t, err)
	left := make(chan error, 1)
	go func() {
		response, err := ada.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		left <- err
	}()
	eventually(t, "the request waits for the lock", func() bool {
		var waiting int
		must(t, db.Get(&waiting, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`))
		return waiting == 1
	})
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	eventually(t, "the request has ended", func() bool { return strings.Contains(w.log.String(), "route=/v1/trial") })
	line := regexp.MustCompile(`.*route=/v1/trial.*`).FindString(w.log.String())
	if !strings.Contains(line, "status=499") || strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("log: %s", w.log)
	}
	if strings.Contains(w.scrape(), `status="5xx"`) {
		t.Error("a 5xx is counted")
	}
	lock.Rollback()
	ada.do("POST", "/v1/trial", nil).want(t, 201, "")
}

// TestRequestID checks that every answer names its request as the log does, and that only a trusted proxy may choose the
// name, which must be a UUID.
func TestRequestID(t *testing.T) {
	w := newWorld(t)
	direct := w.browser().do("GET", "/v1/session", nil, "X-Request-Id", "5f1c4b1e8d6b4c0fa1f2b3c4d5e6f708").want(t, 401, "unauthenticated")
	own := direct.Header.Get("X-Request-Id")
	if uuid.Validate(own) != nil || strings.Contains(own, "5f1c4b1e") || direct.text("instance") != "urn:uuid:"+own || !strings.Contains(w.log.String(), "request="+own) {
		t.Errorf("a client's id: answered %q, instance %q", own, direct.text("instance"))
	}

	w = newWorld(t, behind("127.0.0.0/8", "::1/128"))
	for given, taken := range map[string]bool{
		"5f1c4b1e8d6b4c0fa1f2b3c4d5e6f708":              true, // nginx's $request_id
		"5f1c4b1e-8d6b-4c0f-a1f2-b3c4d5e6f708":          true,
		"{5f1c4b1e-8d6b-4c0f-a1f2-b3c4d5e6f708}":        false,
		"urn:uuid:5f1c4b1e-8d6b-4c0f-a1f2-b3c4d5e6f708": false,
		"192.0.2.1":                             false,
		"":                                      false,
		"5f1c4b1e-8d6b-4c0f-a1f2-b3c4d5e6f70\"": false,
		strings.Repeat("a", 2000):               false,
	} {
		answer := w.browser().do("GET", "/v1/session", nil, "X-Request-Id", given).want(t, 401, "unauthenticated")
		id := answer.Header.Get("X-Request-Id")
		if (id == given) != taken || uuid.Validate(id) != nil || !strings.Contains(w.log.String(), "request="+id) {
			t.Errorf("%q of a trusted proxy: answered %q", given, id)
		}
		if taken && answer.text("instance") != "urn:uuid:5f1c4b1e-8d6b-4c0f-a1f2-b3c4d5e6f708" {
			t.Errorf("instance %q", answer.text("instance"))
		}
	}
}
