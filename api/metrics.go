package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/entitlements/outbox"
)

// Metrics counts the public listener's requests for the operations listener. Labels are route patterns, codes and classes,
// never values that a client chose.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	reconciles *prometheus.CounterVec
	billing    *prometheus.CounterVec
	ceremonies *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	working    prometheus.Gauge
	untrusted  prometheus.Counter
	streams    prometheus.Gauge
}

// NewMetrics returns the counters of one server.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_http_request_duration_seconds", Help: "Time from the request's header to the end of its answer; event streams apart.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
		reconciles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_reconciles_total", Help: "Reconciles with a good proof, by outcome: ok, or the problem's code.",
		}, []string{"outcome"}),
		billing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_billing_events_total", Help: "Events of billing systems, by source and outcome: applied, unchanged, ignored, or the problem's code.",
		}, []string{"source", "outcome"}),
		ceremonies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_ceremonies_total", Help: "Finished passkey ceremonies (authentication, registration, recovery), by outcome: ok, or the problem's code.",
		}, []string{"ceremony", "outcome"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_refusals_total", Help: "Problem documents answered, by code, such as rate_limited.",
		}, []string{"code"}),
		working: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_requests_in_flight", Help: "Requests that are being answered; open event streams apart.",
		}),
		untrusted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_untrusted_forwards_total", Help: "Requests with a forwarded address that did not come from --trusted-proxies.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_event_streams", Help: "Event streams that are open.",
		}),
	}
	m.registry.MustRegister(m.requests, m.durations, m.reconciles, m.billing, m.ceremonies, m.refusals, m.working, m.untrusted, m.streams,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds further metrics of the server.
func (m *Metrics) Register(more ...prometheus.Collector) { m.registry.MustRegister(more...) }

// WatchReadiness exports the answer of /readyz, asked at each scrape.
func (m *Metrics) WatchReadiness(ready func(context.Context) error) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_ready", Help: "1 if /readyz is green, else 0.",
	}, func() float64 {
		if inTime(context.Background(), ready) != nil {
			return 0
		}
		return 1
	}))
}

// inTime returns what ready finds out within two seconds.
func inTime(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- ready(ctx) }()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return errors.New("the database does not confirm a change in time")
	}
}

func (m *Metrics) request(route, name string, status int, elapsed time.Duration, stream bool) {
	m.requests.WithLabelValues(route, method(name), strconv.Itoa(status/100)+"xx").Inc()
	if stream { // streams last for hours by design
		return
	}
	m.durations.WithLabelValues(route, method(name)).Observe(elapsed.Seconds())
}

// watchKeyset exports the served keyset's version and end. Alert 60 days before the end.
func (m *Metrics) watchKeyset(version func() int64, end, now func() time.Time) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_keyset_expiry_timestamp_seconds", Help: "When the keyset ends: after that, no document is valid. Unix time.",
	}, func() float64 { return float64(end().Unix()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_keyset_remaining_seconds", Help: "Time until the keyset ends; negative after that.",
	}, func() float64 { return end().Sub(now()).Seconds() }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_keyset_version", Help: "Version of the keyset, which must become the same on all replicas.",
	}, func() float64 { return float64(version()) }))
}

// watchGate exports how many requests use the database or wait for that. Where some wait for long, the server is overloaded.
func (m *Metrics) watchGate(g *gate) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_requests_working", Help: "Requests that use the database.",
	}, func() float64 { working, _ := g.counts(); return float64(working) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_requests_waiting", Help: "Requests that wait until they may use the database. When too many wait, more are answered 503.",
	}, func() float64 { _, waiting := g.counts(); return float64(waiting) }))
}

// watchWebhooks exports counts of outgoing webhooks. Dead webhooks need attention; a growing number of pending ones means
// that a receiver is failing.
func (m *Metrics) watchWebhooks(counts func() outbox.Counts) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_webhooks", Help: "Outgoing webhooks in the database, as of some seconds ago.", ConstLabels: prometheus.Labels{"state": "pending"},
	}, func() float64 { return float64(counts().Pending) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_webhooks", Help: "Outgoing webhooks in the database, as of some seconds ago.", ConstLabels: prometheus.Labels{"state": "dead"},
	}, func() float64 { return float64(counts().Dead) }), prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "holdfast_webhook_attempts_total", Help: "Attempts to send a webhook, by outcome.", ConstLabels: prometheus.Labels{"outcome": "delivered"},
	}, func() float64 { return float64(counts().Delivered) }), prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "holdfast_webhook_attempts_total", Help: "Attempts to send a webhook, by outcome.", ConstLabels: prometheus.Labels{"outcome": "failed"},
	}, func() float64 { return float64(counts().Failed) }))
}

// NewOps returns the handler of the operations listener, which must never be public: metrics, liveness, readiness,
// profiles and the API reference. ready fails if the server should get no requests; it may take two seconds.
func NewOps(metrics *Metrics, ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := inTime(r.Context(), ready); err != nil {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /docs/", newReference())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // without its cmdline, which may hold the bootstrap token
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
