package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"holdfast/entitlements/jose"
)

// readBody reads the rest of the body, up to the route's limit.
func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, bodyTimeout
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, payloadTooLarge
	}
	if err != nil {
		return nil, invalidRequest
	}
	return body, nil
}

// decode reads the body, one JSON object, into v and refuses members that v does not have. The parser itself refuses
// duplicate names, trailing data and invalid UTF-8.
func decode(r *http.Request, v any) error {
	body, err := readBody(r.Body)
	if err != nil {
		return err
	}
	return unmarshal(r, body, v)
}

// decodeOptional is decode for routes where an absent body means an empty object.
func decodeOptional(r *http.Request, v any) error {
	body, err := readBody(r.Body)
	if err != nil || len(body) == 0 {
		return err
	}
	return unmarshal(r, body, v)
}

func unmarshal(r *http.Request, body []byte, v any) error {
	if err := checkJSON(r, body, maxDepth); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return invalidRequest
	}
	return nil
}

// checkJSON checks that body is declared as JSON and safe to parse.
func checkJSON(r *http.Request, body []byte, depth int) error {
	if len(body) == 0 { // without a body, the content type does not matter
		return invalidRequest
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return unsupportedMediaType
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unsupportedMediaType
	}
	if !isTame(body, depth) {
		return invalidRequest
	}
	return nil
}

// Limits of JSON nesting. Browsers' deepest JSON, a credential, has less than half this depth, and so does a billing
// system's invoice.
const (
	maxDepth        = 16
	maxWebhookDepth = 32
)

// isTame reports whether body is one JSON object (null would otherwise pass for an empty one), nested at most depth deep,
// without U+0000 in any string, which PostgreSQL text cannot store. It leaves malformed JSON and duplicate names to the
// parser.
func isTame(body []byte, depth int) bool {
	mayHoldNUL := bytes.Contains(body, []byte(`\u0000`)) // the only way to write it
	if !mayHoldNUL && bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) <= depth {
		return jsontext.Value(body).Kind() == '{'
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return false
	}
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return true
		}
		if dec.StackDepth() > depth || mayHoldNUL && token.Kind() == '"' && strings.ContainsRune(token.String(), 0) {
			return false
		}
	}
}

// answer sends a success.
func answer(w http.ResponseWriter, status int, v any) error {
	writeJSON(w, status, "application/json", v)
	return nil
}

// noContent sends 204.
func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, media string, v any) {
	body, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // our own types always marshal
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may have gone
}

// pathText returns the unescaped path parameter.
func pathText(r *http.Request, name string) (string, error) {
	text := chi.URLParam(r, name)
	if r.URL.RawPath != "" { // chi then routes by the escaped form
		var err error
		if text, err = url.PathUnescape(text); err != nil {
			return "", notFound
		}
	}
	return text, nil
}

// pathUUID returns the path parameter id as a canonical UUID, or not_found if it is not a UUID.
func pathUUID(r *http.Request) (string, error) {
	text, err := pathText(r, "id")
	if err != nil {
		return "", err
	}
	id, ok := canonicalUUID(text)
	if !ok {
		return "", notFound
	}
	return id, nil
}

// pathBytes returns the path parameter decoded as strict base64url without padding.
func pathBytes(r *http.Request, name string) ([]byte, error) {
	text, err := pathText(r, name)
	if err != nil {
		return nil, err
	}
	id, err := jose.DecodeBase64(text)
	if err != nil || len(id) == 0 {
		return nil, notFound
	}
	return id, nil
}

// bodyUUID returns an id from a body in canonical form, or "" if the member was absent or null.
func bodyUUID(id *string) (string, error) {
	if id == nil {
		return "", nil
	}
	canonical, ok := canonicalUUID(*id)
	if !ok {
		return "", invalidRequest
	}
	return canonical, nil
}

// canonicalUUID accepts only the 36-character form, in either case.
func canonicalUUID(text string) (string, bool) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return "", false
	}
	return id.String(), true
}

// each converts the items of a list, which is never null.
func each[A, B any](list []A, convert func(A) B) []B {
	items := make([]B, len(list))
	for i, item := range list {
		items[i] = convert(item)
	}
	return items
}

// utc returns t in the time zone that bodies use; nil stays nil.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// textOf returns the text of a member, or "" for null.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNull returns s for a member that is null when empty.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}
