package api

import (
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// NewPaced is New with event streams of another pace.
func NewPaced(cfg Config, comment, patience time.Duration) (http.Handler, error) {
	return newServer(cfg, pace{usualPace.body, comment, patience})
}

// NewImpatient is New with bodies that have to come within that time.
func NewImpatient(cfg Config, body time.Duration) (http.Handler, error) {
	return newServer(cfg, pace{body, usualPace.comment, usualPace.patience})
}

// Row is what a test may know of a route.
type Row struct {
	Method, Path, Scope string
	Admin, Proof        bool
	Webhook, Public     bool
	Query               []string
	Session             bool // of a user, not of staff: it is wanted, or made use of where there is one
	Recent              bool
}

// Routes is the route table.
func Routes() []Row {
	var rows []Row
	for _, r := range (&server{}).routes() {
		rows = append(rows, Row{r.method, r.path, string(r.scope), r.access == scoped, r.access.takesProof(), r.access == webhook, r.access == document, r.query, r.takesSession(), r.recent})
	}
	return rows
}

// CheckApp says whether New would take the app.
func CheckApp(files fs.FS) error {
	_, err := loadApp(files, []byte("{}"))
	return err
}

// ClientAddress is clientAddress.
var ClientAddress = clientAddress

// MaxNames is how many names a generation of failures holds.
const MaxNames = maxNames

// NewFailures counts the failures of one kind of name, up to ten at once and one more each minute.
func NewFailures(now func() time.Time) func(name string) time.Duration {
	f := newBuckets(now)
	return func(value string) time.Duration { return f.take([]name{f.name("test", value, accountLimit)}) }
}

// ParseWebhook is parseWebhook.
var ParseWebhook = parseWebhook

// Refuse answers err as a handler's error is answered.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	(&server{log: slog.New(slog.DiscardHandler)}).fail(w, r, err)
}

// Refusals are all errors that the tables of this package know.
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
