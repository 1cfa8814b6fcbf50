package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkQuery refuses unknown and repeated parameters: if one were ignored, the answer would look as if it had been applied.
func checkQuery(r *http.Request, taken []string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalidRequest
	}
	for name, values := range query {
		if !slices.Contains(taken, name) || len(values) > 1 {
			detail := "This route takes no query parameters."
			if len(taken) > 0 {
				detail = fmt.Sprintf("This route takes the query parameters %s, each once.", strings.Join(taken, ", "))
			}
			return refusal{invalidRequest.status, invalidRequest.code, detail}
		}
	}
	return nil
}

// Limits of a list's page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// queryLimit returns the page size in the query.
func queryLimit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, refusal{invalidRequest.status, invalidRequest.code, "limit must be 1 to 200."}
	}
	return limit, nil
}

// queryTime returns the time in a query parameter, or zero without it.
func queryTime(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, refusal{invalidRequest.status, invalidRequest.code, name + " must be a time like 2026-03-01T00:00:00Z."}
	}
	return at, nil
}

// queryPage returns the requested page of a list in descending order of ids. The cursor, before, is the id of the last item
// seen, so that new items do not shift pages; it is "" if absent.
func queryPage(r *http.Request) (limit int, before string, err error) {
	if limit, err = queryLimit(r); err != nil {
		return 0, "", err
	}
	text := r.URL.Query().Get("cursor")
	if text == "" {
		return limit, "", nil
	}
	before, ok := canonicalUUID(text)
	if !ok {
		return 0, "", invalidRequest
	}
	return limit, before, nil
}

// cutPage returns the first limit of the items, of which one more was read, and the cursor of the next page, or nil if
// there is none.
func cutPage[T any](items []T, limit int, id func(T) string) (page []T, next *string) {
	if len(items) <= limit {
		return items, nil
	}
	return items[:limit], new(id(items[limit-1]))
}
