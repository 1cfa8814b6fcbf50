package api

import (
	"bytes"
	"net/http"
	"strconv"

	"holdfast/entitlements"
)

// statusListAge is how long a cache may keep a status list: half of the list's ttl, so that a cached list is always younger
// than what a client may keep. The ttl and the list's own expiry take precedence (draft-ietf-oauth-status-list-20 §8.2).
const statusListAge = entitlements.StatusListTTL / 2

// showStatusList serves a status list without a database query. The list itself is already compressed.
func (s *server) showStatusList(w http.ResponseWriter, r *http.Request, _ caller) error {
	text, err := pathText(r, "n")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return notFound
	}
	if r.URL.Query().Has("time") { // §8.4: historical lists are not available
		return notFound
	}
	token, err := s.entitlements.StatusList(n)
	if err != nil {
		return err
	}
	// The signature covers the whole list and is short.
	signature := token[bytes.LastIndexByte(token, '.')+1:]
	taggedAsset(token, "application/statuslist+jwt", string(signature)).public(statusListAge).ServeHTTP(w, r)
	return nil
}
