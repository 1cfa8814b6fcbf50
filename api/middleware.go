package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"holdfast/entitlements"
	"holdfast/entitlements/dpop"
	"holdfast/passkey"
)

// caller is the authenticated caller of a request, with whatever the route's access requires.
type caller struct {
	session passkey.Session // for cookie access, if there is one; on a scoped route, a staff member's
	proof   *dpop.Proof     // for proof access; nil on a cookieOr route called by cookie
	actor   string          // as in the audit trail

	// On scoped routes only:
	secret string          // the bearer's or session's token, known only to the caller
	scopes []passkey.Scope // all scopes of the caller
}

// isStaff reports whether a staff member calls the admin API by session.
func (c caller) isStaff() bool { return c.session.Role != "" && c.secret != "" }

// user returns the session's user as an entitlements id.
func (c caller) user() entitlements.UserID { return entitlements.UserID(c.session.User.ID) }

// screen refuses what can be refused without knowing the caller: other origins and invalid proofs. It reads the body that a
// proof covers, so it runs before the request's time limit starts.
func (s *server) screen(r *http.Request, route route) (by caller, err error) {
	if route.access == scoped {
		return by, nil // admitAdmin checks the origin, unless there is a token
	}
	if route.access != webhook && isCrossOrigin(r, s.origin, s.allowOrigins...) {
		return by, crossOrigin
	}
	if route.access == proof || route.access == cookieProof || route.access == cookieOr && len(r.Header.Values("DPoP")) > 0 {
		by.proof, err = s.checkProof(r)
	}
	return by, err
}

// admit authenticates and authorises the sender of a request that screen has accepted.
func (s *server) admit(w http.ResponseWriter, r *http.Request, route route, by caller) (caller, error) {
	if route.access == scoped {
		return s.admitAdmin(w, r, route.scope)
	}
	var err error
	if route.access == cookie || route.access == cookieProof || route.access == cookieOr && by.proof == nil ||
		route.access == cookieIfAny && s.sessionToken(r) != "" {
		if by.session, err = s.session(w, r); err != nil {
			return by, err
		}
		by.actor = "user:" + string(by.session.User.ID)
		if route.recent && !by.session.Recent(s.now()) {
			return by, notRecent
		}
	}
	return by, nil
}

// changes reports whether the request may change something.
func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// isCrossOrigin reports whether a request that may change something comes from a page whose origin is neither own nor
// allowed. Browsers send at least one of the two headers with every such request; a client that sends neither is not a
// browser and holds no victim's cookie.
func isCrossOrigin(r *http.Request, own string, allowed ...string) bool {
	if !changes(r) {
		return false
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 1 && slices.Contains(allowed, origins[0]) {
		return false
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	return slices.ContainsFunc(origins, func(origin string) bool { return origin != own })
}

// checkProof checks proof, nonce and body, in this order, before anything else. The body can be read again afterwards.
func (s *server) checkProof(r *http.Request) (*dpop.Proof, error) {
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 { // RFC 9449 §4.3, check 1
		return nil, invalidProof
	}
	proof, err := s.entitlements.CheckProof(headers[0], r.Method, r.URL.Path)
	if err != nil {
		return nil, err
	}
	body, err := s.proofBody(r, proof)
	if err != nil {
		return nil, err
	}
	if err := proof.CheckBody(body); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return &proof, nil
}

// cors allows pages of the allowed origins to call /v1 with their cookies, and pages of any origin to read public
// documents.
func (s *server) cors(next http.Handler) http.Handler {
	private := next
	if len(s.allowOrigins) > 0 {
		private = cors.Handler(cors.Options{
			// The library's own list would treat "*" as a wildcard.
			AllowOriginFunc:  func(_ *http.Request, origin string) bool { return slices.Contains(s.allowOrigins, origin) },
			AllowedMethods:   []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
			AllowedHeaders:   []string{"Content-Type", "DPoP"},
			ExposedHeaders:   []string{"DPoP-Nonce", "Retry-After", requestIDHeader},
			AllowCredentials: true,
			MaxAge:           600,
		})(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		public := isPublic(r.URL.Path)
		if !public && strings.HasPrefix(r.URL.Path, "/v1/") {
			private.ServeHTTP(w, r)
			return
		}
		if public && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "If-None-Match")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isAPI reports whether a path belongs to the API, whose answers are private unless the route is public.
func isAPI(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/admin/")
}

// refuseHostileURLs refuses NUL and invalid UTF-8, which PostgreSQL text cannot store, in paths and in the API's queries.
// Pages ignore their query, to which other sites may have added parameters.
func (s *server) refuseHostileURLs(next http.Handler) http.Handler {
	hostile := func(text string) bool { return !utf8.ValidString(text) || strings.ContainsRune(text, 0) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hostile(r.URL.Path) {
			s.fail(w, r, notFound)
			return
		}
		if query, err := url.QueryUnescape(r.URL.RawQuery); isAPI(r.URL.Path) && (err != nil || hostile(query)) {
			s.fail(w, r, invalidRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pageCSP is the policy of the app's pages and of its service worker, whose own response controls what it may fetch. The
// app runs under it in the three browser engines without a violation.
const (
	pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; media-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types holdfast"
	dataCSP = "default-src 'none'; frame-ancestors 'none'"
)

// securityHeaders sets the headers of every answer. The app's files widen the policy to pageCSP.
func (s *server) securityHeaders(next http.Handler) http.Handler {
	common := http.Header{
		"Content-Security-Policy":      {dataCSP},
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy": {
			"publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		},
	}
	if s.secure {
		common["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	private := common.Clone()
	private["Cache-Control"] = []string{"no-store"}
	private["Vary"] = []string{"Authorization, Cookie, DPoP, Origin"} // for caches that ignore no-store
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAPI(r.URL.Path) && !isPublic(r.URL.Path) {
			maps.Copy(w.Header(), private)
		} else {
			maps.Copy(w.Header(), common)
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics answers a panic with a 500. If the answer has begun, it cuts the connection instead, so that a partial
// answer cannot pass for a complete one.
func (s *server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			begun, ok := w.(middleware.WrapResponseWriter)
			if cause == http.ErrAbortHandler || ok && begun.Status() != 0 { //nolint:errorlint // a panic's value, which nothing wraps
				panic(http.ErrAbortHandler)
			}
			s.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

type requestIDKey struct{}

// requestID returns the request's id in the log and in problem documents.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestIDHeader names a request in its answer and, from a trusted proxy, in the request.
const requestIDHeader = "X-Request-Id"

// nameRequest returns the request's id: the proxy's, if it is trusted and sends a UUID with or without hyphens, and otherwise
// a new one. The log must not contain what clients choose.
func (s *server) nameRequest(r *http.Request, proxied bool) string {
	given := r.Header.Values(requestIDHeader)
	if proxied && len(given) == 1 && (len(given[0]) == 36 || len(given[0]) == 32) && uuid.Validate(given[0]) == nil {
		return given[0]
	}
	return uuid.Must(uuid.NewRandomFromReader(rand.Reader)).String()
}

// canonicalID returns a request's id with hyphens.
func canonicalID(id string) string {
	if parsed, err := uuid.Parse(id); err == nil {
		return parsed.String()
	}
	return id
}

// observe logs, counts and traces every request and sets its id. A trusted proxy's traceparent is continued. Requests are
// named by the route's pattern, never by client input.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now() // a duration, not an instant that anything is judged by
		proxied := isTrusted(parseHop(r.RemoteAddr), s.proxies)
		if !proxied && isForwarded(r) {
			s.metrics.untrusted.Inc()
			s.untrusted.Do(func() {
				s.log.LogAttrs(r.Context(), slog.LevelWarn, "proxy is not in --trusted-proxies: its users count as one network")
			})
		}
		id := s.nameRequest(r, proxied)
		w.Header().Set(requestIDHeader, id)
		s.metrics.working.Inc()
		defer s.metrics.working.Dec()
		ctx := context.WithValue(r.Context(), requestIDKey{}, id)
		if proxied {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := s.tracer.Start(ctx, method(r.Method), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		r = r.WithContext(ctx)
		written := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			status := written.Status()
			if status == 0 {
				status = http.StatusOK
			}
			pattern := "other"
			if routed := chi.RouteContext(r.Context()); routed != nil && routed.RoutePattern() != "" {
				pattern = routed.RoutePattern()
			}
			elapsed := time.Since(start)
			s.metrics.request(pattern, r.Method, status, elapsed, written.Header().Get("Content-Type") == eventStreamType)
			attributes := []slog.Attr{
				slog.String("method", method(r.Method)), slog.String("route", pattern), slog.Int("status", status),
				slog.Float64("duration_ms", float64(elapsed.Microseconds())/1000), slog.String("request", id),
			}
			if span.IsRecording() {
				span.SetName(method(r.Method) + " " + pattern)
				span.SetAttributes(attribute.String("http.request.method", method(r.Method)), attribute.String("http.route", pattern),
					attribute.Int("http.response.status_code", status), attribute.String("holdfast.request", id))
				if status >= http.StatusInternalServerError {
					span.SetStatus(codes.Error, "")
				}
				attributes = append(attributes, slog.String("trace", span.SpanContext().TraceID().String()))
			}
			s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", attributes...)
		}()
		next.ServeHTTP(written, r)
	})
}

// method returns the request's method if it is a standard one: clients may send any word.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "OTHER"
}
