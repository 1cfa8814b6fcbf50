// Package api is the HTTP surface. It converts requests to domain types, calls passkey and entitlements, and converts their
// results to answers. It decides nothing about users or rights itself.
//
// The table in routes.go lists the whole surface: for each route its callers and its scope. Every handler is wrapped, in
// this order, in the body's limit, the gate that bounds how many requests work at once, the cross-origin guard, the check
// of the proof, session or token, and the Idempotency-Key. Every answer that is not a success is a problem document
// (RFC 9457) with a stable code; see problem.go.
//
// The package guarantees that nothing a client sends causes a 5xx, that no log line or metric contains an address, token,
// cookie, body or query, and that answers below /v1 and /admin are never cached unless they are public documents.
package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"holdfast/api/stripe"
	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/passkey"
)

// Config configures the public surface. All fields are required unless marked optional.
type Config struct {
	Passkeys     *passkey.Service
	Entitlements *entitlements.Service
	Webhooks     *outbox.Service
	Answers      Answers

	// Origin is the public origin, such as "https://app.example.org". Requests from its own pages pass the cross-origin
	// guard. The Host header is never trusted.
	Origin string
	// AllowOrigins are further origins whose pages may call /v1 with credentials. Optional.
	AllowOrigins []string
	// TrustedProxies are the networks of proxies whose Forwarded or X-Forwarded-For header is trusted. Optional.
	TrustedProxies []netip.Prefix
	// BootstrapToken is the SHA-256 of a bearer token with every scope; zero means no token.
	BootstrapToken [sha256.Size]byte

	// HelpURL is where users who are locked out get help: https: or mailto:. Optional.
	HelpURL string

	// Stripe and BillingWebhook receive events from billing systems. Optional.
	Stripe         *stripe.Receiver
	BillingWebhook *WebhookReceiver

	// App holds the built web application, which New reads once; nil serves none.
	App fs.FS
	// AppChanges has App's files read at each request, because they change.
	AppChanges bool
	// AppURL is the address of the app's page to which users' links lead; empty without a page. The page gets the fragments
	// #enrol=CODE and #recover=CODE, and #/security from password managers.
	AppURL string
	// BillingLink leads from a customer to their page in the billing system. Optional.
	BillingLink BillingLink
	// AppCSP is the Content-Security-Policy of App, from [AppPolicy]; empty for its default.
	AppCSP string
	// Console holds the built support console, served at /support, which New reads once; nil serves none.
	Console fs.FS
	// Roots is the document served as /roots.json, which the app's service worker pins.
	Roots []byte

	// Places is how many requests may use the database at once; 16 times as many may wait. In a flood, two for each processor
	// may use it, and 4 times as many may wait.
	Places int

	// Draining is closed when the server is about to stop: event streams then send their clients elsewhere and end, while
	// other requests are finished. Optional.
	Draining <-chan struct{}
	// Streams counts the open event streams, to wait for their end. Optional.
	Streams *sync.WaitGroup
	// MaxStreams is how many event streams may be open; 0 means 10,000.
	MaxStreams int

	Metrics *Metrics
	// Traces gets a span for each request. Optional.
	Traces trace.TracerProvider
	Log    *slog.Logger
	Now    func() time.Time
}

// requestTimeout is how long a request may take, including the database, before it is answered 503. For a stream it limits
// the time until the stream begins.
const requestTimeout = 10 * time.Second

// Body limits in bytes. A reconcile may carry a ledger; a billing event may carry whole objects.
const (
	bodyLimit          = 64 << 10
	webhookBodyLimit   = 512 << 10
	reconcileBodyLimit = 4 << 20
)

type server struct {
	passkeys     *passkey.Service
	entitlements *entitlements.Service
	webhooks     *outbox.Service
	answers      Answers
	origin       string
	allowOrigins []string
	secure       bool           // the origin is https
	proxies      []netip.Prefix // whose word about client addresses is trusted
	untrusted    sync.Once      // guards the warning about an untrusted proxy
	buckets      *buckets
	gate         *gate
	large        sync.Map // thumbprints of the keys of devices that are sending a body larger than bodyLimit
	bootstrap    [sha256.Size]byte
	helpURL      string           // empty if none
	stripe       *stripe.Receiver // nil: not configured
	billing      *WebhookReceiver // likewise
	app          *app             // nil: none is served
	console      *app             // likewise
	appURL       string           // empty if none
	billingLink  BillingLink
	related      asset // origins
	endpoints    asset // of passkey management, for password managers
	openAPI      asset
	roots        asset
	compress     func(http.Handler) http.Handler // for public documents: they hold no secret that compression could leak
	draining     <-chan struct{}
	streams      *sync.WaitGroup
	open         atomic.Int64 // event streams
	maxStreams   int
	pace         pace
	metrics      *Metrics
	tracer       trace.Tracer
	log          *slog.Logger
	now          func() time.Time
	router       *chi.Mux
}

// New returns the handler of the public listener. It fails if an origin is invalid, or if the app is unsuitable: see
// [Config.App].
func New(cfg Config) (http.Handler, error) { return newServer(cfg, usualPace) }

func newServer(cfg Config, pace pace) (http.Handler, error) {
	origin, err := url.Parse(cfg.Origin)
	if err != nil || origin.Host == "" || origin.Scheme+"://"+origin.Host != cfg.Origin {
		return nil, fmt.Errorf("api: %q is not an origin", cfg.Origin)
	}
	if cfg.Passkeys == nil || cfg.Entitlements == nil || cfg.Webhooks == nil || cfg.Answers == nil || cfg.Metrics == nil || cfg.Log == nil || cfg.Now == nil || cfg.Places < 1 {
		return nil, errors.New("api: incomplete configuration")
	}
	s := &server{
		passkeys:     cfg.Passkeys,
		entitlements: cfg.Entitlements,
		webhooks:     cfg.Webhooks,
		answers:      cfg.Answers,
		origin:       cfg.Origin,
		allowOrigins: slices.Clone(cfg.AllowOrigins),
		secure:       origin.Scheme == "https",
		proxies:      slices.Clone(cfg.TrustedProxies),
		buckets:      newBuckets(cfg.Now),
		gate:         newGate(cfg.Places, workingInAFlood*runtime.GOMAXPROCS(0), pace.place),
		bootstrap:    cfg.BootstrapToken,
		helpURL:      cfg.HelpURL,
		appURL:       cfg.AppURL,
		billingLink:  cfg.BillingLink,
		stripe:       cfg.Stripe,
		billing:      cfg.BillingWebhook,
		draining:     cfg.Draining,
		streams:      cmp.Or(cfg.Streams, new(sync.WaitGroup)),
		maxStreams:   cmp.Or(cfg.MaxStreams, 10_000),
		pace:         pace,
		metrics:      cfg.Metrics,
		tracer:       cmp.Or(cfg.Traces, trace.TracerProvider(noop.NewTracerProvider())).Tracer("holdfast/api"),
		log:          cfg.Log,
		now:          cfg.Now,
		openAPI:      publicDocument(openAPI, "application/yaml", time.Hour),
		roots:        rootsDocument(cfg.Roots),
		compress: middleware.Compress(5, "text/html", "text/css", "text/javascript", "text/plain", "application/json",
			"application/yaml", "application/jwk-set+json", "application/manifest+json", "image/svg+xml"),
	}
	if cfg.App != nil {
		if s.app, err = loadApp(cfg.App, cmp.Or(cfg.AppCSP, pageCSP), cfg.Roots, cfg.AppChanges); err != nil {
			return nil, fmt.Errorf("api: app: %w", err)
		}
	}
	if cfg.Console != nil {
		if s.console, err = loadApp(cfg.Console, pageCSP, nil, false); err != nil {
			return nil, fmt.Errorf("api: console: %w", err)
		}
	}
	s.related, s.endpoints = relatedOrigins(s.origin, s.allowOrigins), passkeyEndpoints(cfg.AppURL)
	cfg.Metrics.watchWebhooks(cfg.Webhooks.Counts)
	cfg.Metrics.watchGate(s.gate)
	cfg.Metrics.watchKeyset(cfg.Entitlements.KeysetVersion, cfg.Entitlements.KeysetEnd, cfg.Now)

	r := chi.NewRouter()
	s.router = r
	r.Use(s.observe, s.recoverPanics, s.paceBodies, s.securityHeaders, s.cors, s.refuseHostileURLs)
	r.NotFound(s.handleNotFound)
	r.MethodNotAllowed(s.handleMethodNotAllowed)
	for _, route := range s.routes() {
		var handler http.Handler = s.handle(route)
		if route.access == document {
			handler = s.compress(handler)
		}
		r.Method(route.method, route.path, handler)
		if route.method == http.MethodGet {
			r.Method(http.MethodHead, route.path, handler)
		}
	}
	return r, nil
}

// handle wraps a route's handler in the checks of its row in the table.
func (s *server) handle(route route) http.HandlerFunc {
	limit := int64(bodyLimit)
	if route.limit != 0 {
		limit = route.limit
	}
	handler := route.handler
	if route.access == scoped && route.method == http.MethodPost {
		handler = func(w http.ResponseWriter, r *http.Request, by caller) error { return s.once(w, r, route, by) }
	}
	strict := isAPI(route.path)
	return func(w http.ResponseWriter, r *http.Request) {
		if strict {
			err := s.entitlements.ClockOff() // every route of the API depends on the time
			if err == nil {
				err = checkQuery(r, route.query)
			}
			if err != nil {
				s.fail(w, r, err)
				return
			}
		}
		if route.access.takesProof() {
			nonce, err := s.entitlements.Nonce()
			if err != nil {
				s.fail(w, r, err)
				return
			}
			w.Header().Set("DPoP-Nonce", nonce)
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		// A large body is read only if its sender is known, so that is checked first. Everything else has a place in the gate
		// first: a signature is expensive to check for a request that is refused.
		var by caller
		early := !route.needsPlace() || r.ContentLength < 0 || r.ContentLength > bodyLimit
		if early {
			var err error
			if by, err = s.screen(r, route); err != nil {
				s.fail(w, r, err)
				return
			}
		}
		if route.needsPlace() && by.proof == nil {
			awaitBody(r)
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout) // includes the wait for the database
		defer cancel()
		bounded := r.WithContext(ctx)
		admit := func() (err error) {
			if !early {
				if by, err = s.screen(bounded, route); err != nil {
					return err
				}
			}
			by, err = s.admit(w, bounded, route, by)
			return err
		}
		err := s.serve(w, r, bounded, route, admit, func(w http.ResponseWriter, r *http.Request) error { return handler(w, r, by) })
		if route.ceremony != "" {
			s.metrics.ceremonies.WithLabelValues(route.ceremony, outcome(bounded.Context(), err)).Inc()
		}
		if err != nil {
			s.fail(w, bounded, err)
		}
	}
}

// serve admits and answers a request, in a place of the gate if it needs one. The answer is then sent afterwards, and a
// stream begins afterwards, because the client may be slow. bounded is r with its time limit, which streams outlast.
func (s *server) serve(
	w http.ResponseWriter, r, bounded *http.Request, route route, admit func() error, answer func(http.ResponseWriter, *http.Request) error,
) error {
	if !route.needsPlace() {
		if err := admit(); err != nil {
			return err
		}
		return answer(w, bounded)
	}
	held := heldAnswer{header: w.Header()}
	err := s.gate.pass(bounded.Context(), func() error {
		if err := admit(); err != nil || route.stream {
			return err
		}
		return answer(&held, bounded)
	})
	if err == nil && route.stream {
		return answer(w, r)
	}
	if err == nil {
		held.send(w)
	}
	return err
}

// handleNotFound serves what has no route: the other files of app and console.
func (s *server) handleNotFound(w http.ResponseWriter, r *http.Request) {
	s.compress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.showApp(w, r, caller{}); err != nil {
			s.fail(w, r, err)
		}
	})).ServeHTTP(w, r)
}

func (s *server) handleMethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if r.URL.RawPath != "" {
		path = r.URL.RawPath
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if s.router.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
	if w.Header().Get("Allow") == "" { // a method that the router does not know at all
		s.handleNotFound(w, r)
		return
	}
	s.fail(w, r, methodNotAllowed)
}
