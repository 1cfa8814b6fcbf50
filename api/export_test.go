package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// NewPaced is New with another pace of event streams.
func NewPaced(cfg Config, comment, patience time.Duration) (http.Handler, error) {
	pace := usualPace
	pace.comment, pace.patience = comment, patience
	return newServer(cfg, pace)
}

// NewImpatient is New with another time limit for bodies.
func NewImpatient(cfg Config, body time.Duration) (http.Handler, error) {
	pace := usualPace
	pace.body = body
	return newServer(cfg, pace)
}

// NewQueued is New with another time limit for the wait for a place.
func NewQueued(cfg Config, place time.Duration) (http.Handler, error) {
	pace := usualPace
	pace.place = place
	return newServer(cfg, pace)
}

// These are how many requests may wait for each place.
const (
	WaitingPerPlace = waitingPerPlace
	FewPerPlace     = fewPerPlace
	WaitingInAFlood = waitingInAFlood
)

// NewGate returns the method pass of a gate.
func NewGate(places, inFlood int, patience time.Duration) func(ctx context.Context, work func() error) error {
	return newGate(places, inFlood, patience).pass
}

// Row is the part of a route that tests may see.
type Row struct {
	Method, Path, Scope string
	Admin, Proof        bool
	Webhook, Public     bool
	Query               []string
	Session             bool // a user's, not staff's: required, or used if present
	Recent              bool
}

// Routes is the route table.
func Routes() []Row {
	var rows []Row
	for _, r := range (&server{}).routes() {
		session := slices.Contains([]access{cookieIfAny, cookie, cookieProof, cookieOr}, r.access) || r.path == "/v1/session"
		rows = append(rows, Row{r.method, r.path, string(r.scope), r.access == scoped, r.access.takesProof(), r.access == webhook, r.access == document, r.query, session, r.recent})
	}
	return rows
}

// CheckApp returns an error if New would refuse the app.
func CheckApp(files fs.FS) error {
	_, err := loadApp(files, pageCSP, []byte("{}"), false)
	return err
}

// ClientAddress exports clientAddress.
var ClientAddress = clientAddress

// MaxNames is the number of names in one generation of failures.
const MaxNames = maxNames

// NewFailures counts the failures of one kind of name, up to ten at once and one more each minute.
func NewFailures(now func() time.Time) func(name string) time.Duration {
	f := newBuckets(now)
	return func(value string) time.Duration { return f.take([]name{f.name("test", value, accountLimit)}) }
}

// ParseWebhook exports parseWebhook.
var ParseWebhook = parseWebhook

// Refuse answers err as if a handler had returned it.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	(&server{log: slog.New(slog.DiscardHandler), metrics: NewMetrics()}).fail(w, r, err)
}

// Refusals returns all errors in the tables of this package.
func Refusals() []error {
	errs := []error{
		invalidRequest, unsupportedMediaType, payloadTooLarge, methodNotAllowed, notFound, unauthenticated, notRecent, forbidden,
		crossOrigin, invalidProof, useNonce, unsigned, rateLimited, unavailable, internal, &tooOften{time.Millisecond},
	}
	for _, known := range refusals {
		errs = append(errs, known.err)
	}
	return errs
}
