package api

import (
	"bytes"
	"net/http"
	"strconv"

	"holdfast/entitlements"
)

// statusListAge is how long a cache may keep a status list: half of its ttl, so that what a cache gives away is never as
// old as what a client may keep. The ttl, and the list's own end, go before it (draft-ietf-oauth-status-list-20 §8.2).
const statusListAge = entitlements.StatusListTTL / 2

// showStatusList answers without asking the database. The list is compressed as it is.
func (s *server) showStatusList(w http.ResponseWriter, r *http.Request, _ caller) error {
	text, err := pathText(r, "n")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return notFound
	}
	if r.URL.Query().Has("time") { // §8.4: lists of other times are not to be had
		return notFound
	}
	token, err := s.entitlements.StatusList(n)
	if err != nil {
		return err
	}
	// The signature is of the whole, and short.
	signature := token[bytes.LastIndexByte(token, '.')+1:]
	taggedAsset(token, "application/statuslist+jwt", string(signature)).public(statusListAge).ServeHTTP(w, r)
	return nil
}
