package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements"
	"holdfast/passkey"
)

type auditEntry struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor"`
	Action string         `json:"action"`
	Object string         `json:"object"`
	User   *string        `json:"user"`
	Before jsontext.Value `json:"before"` // marshals as null if absent
	After  jsontext.Value `json:"after"`
	Reason *string        `json:"reason"`
}

func auditEntryOf(e entitlements.AuditEntry) auditEntry {
	return auditEntry{
		e.ID, e.At.UTC(), e.Actor, e.Action, e.Object, orNull(e.User), jsontext.Value(e.Before), jsontext.Value(e.After), orNull(e.Reason),
	}
}

// queryUser returns the user that the query selects, or "" for all users.
func queryUser(r *http.Request) (entitlements.UserID, error) {
	text := r.URL.Query().Get("user")
	if text == "" {
		return "", nil
	}
	id, ok := canonicalUUID(text)
	if !ok {
		return "", invalidRequest
	}
	return entitlements.UserID(id), nil
}

// listAudit pages through the trail, newest first.
func (s *server) listAudit(w http.ResponseWriter, r *http.Request, _ caller) error {
	user, err := queryUser(r)
	if err != nil {
		return err
	}
	limit, before, err := queryPage(r)
	if err != nil {
		return err
	}
	query := entitlements.AuditQuery{
		User: user, Actor: r.URL.Query().Get("actor"), Action: r.URL.Query().Get("action"), Before: before, Limit: limit + 1,
	}
	if query.From, err = queryTime(r, "from"); err != nil {
		return err
	}
	if query.To, err = queryTime(r, "to"); err != nil {
		return err
	}
	trail, err := s.entitlements.Audit(r.Context(), query)
	if err != nil {
		return err
	}
	trail, next := cutPage(trail, limit, func(e entitlements.AuditEntry) string { return e.ID })
	var ids []string
	for _, entry := range trail {
		_, actor, _ := strings.Cut(entry.Actor, ":")
		ids = append(ids, entry.User, actor)
	}
	known, err := s.names(r.Context(), ids)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Entries []auditEntry      `json:"entries"`
		Names   map[string]string `json:"names"`
		Next    *string           `json:"next"`
	}{each(trail, auditEntryOf), known, next})
}

// names returns the names of those of the ids that are of existing users or tokens.
func (s *server) names(ctx context.Context, ids []string) (map[string]string, error) {
	var wanted []passkey.UserID
	seen := map[string]bool{}
	for _, id := range ids {
		if canonical, ok := canonicalUUID(id); ok && !seen[canonical] {
			seen[canonical] = true
			wanted = append(wanted, passkey.UserID(canonical))
		}
	}
	users, err := s.passkeys.Users(ctx, wanted)
	if err != nil {
		return nil, err
	}
	tokens, err := s.passkeys.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[string]string, len(users))
	for id, user := range users {
		known[string(id)] = user.Name
	}
	for _, token := range tokens {
		if seen[token.ID] {
			known[token.ID] = token.Name
		}
	}
	return known, nil
}

// AuditTrail is the source of an export.
type AuditTrail interface {
	// AuditAfter lists at most limit entries with an id above after, which may be "", oldest first: of one user or, if user
	// is empty, of all.
	AuditAfter(ctx context.Context, user entitlements.UserID, after string, limit int) ([]entitlements.AuditEntry, error)
}

// exportPage is the number of entries that an export holds in memory and writes at a time.
const exportPage = 500

// WriteAudit writes the trail as JSON Lines, oldest first: one entry per line, in the format of GET /admin/v1/audit. An
// empty user selects all users. Entries written during the export may be missing.
func WriteAudit(ctx context.Context, w io.Writer, trail AuditTrail, user entitlements.UserID) error {
	var lines bytes.Buffer
	for after := ""; ; {
		page, err := trail.AuditAfter(ctx, user, after, exportPage)
		if err != nil || len(page) == 0 {
			return err
		}
		lines.Reset()
		for _, entry := range page {
			if err := json.MarshalWrite(&lines, auditEntryOf(entry), json.Deterministic(true), jsontext.AllowInvalidUTF8(true)); err != nil {
				return fmt.Errorf("entry %s: %w", entry.ID, err)
			}
			lines.WriteByte('\n')
			after = entry.ID
		}
		if _, err := w.Write(lines.Bytes()); err != nil {
			return err
		}
	}
}

// exportAudit streams the trail to an archive. On an error it cuts the connection, so that a partial trail cannot pass for
// a complete one.
func (s *server) exportAudit(w http.ResponseWriter, r *http.Request, _ caller) error {
	user, err := queryUser(r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	if r.Method == http.MethodHead {
		return nil
	}
	out := stream{w, http.NewResponseController(w), s.pace.patience}
	if err := WriteAudit(r.Context(), out, s.entitlements, user); err != nil {
		if begun, ok := w.(middleware.WrapResponseWriter); !ok || begun.Status() == 0 {
			h.Del("Content-Disposition")
			return err
		}
		if r.Context().Err() == nil {
			s.log.LogAttrs(r.Context(), slog.LevelWarn, "audit export cut short", slog.String("request", requestID(r.Context())), slog.Any("error", err))
		}
		panic(http.ErrAbortHandler)
	}
	return out.end()
}

// stream is an answer that may outlast the server's timeouts.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// Write writes p to the client, or fails if that takes longer than patience.
func (s stream) Write(p []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.control.Flush()
}

// end extends the write deadline so that the server can end the answer: the last write's deadline may have passed.
func (s stream) end() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience))
	return nil
}
