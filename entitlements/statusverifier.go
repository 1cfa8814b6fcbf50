package entitlements

import (
	"time"

	"github.com/go-json-experiment/json"

	"holdfast/entitlements/statuslist"
)

// StatusList is a status list that [Verifier.VerifyStatusList] has checked.
type StatusList struct {
	URI       string
	IssuedAt  time.Time
	ExpiresAt time.Time

	ttl  int64 // seconds
	list statuslist.List
}

// statusListLeeway is how far in the future a list's iat may be. A list is often fetched in its first second, by a host
// whose clock differs from the server's.
const statusListLeeway = time.Minute

// lastSecond is the end of the year 9999, the latest time that a list may name.
const lastSecond = 253402300799

// VerifyStatusList checks a status list token that was fetched from uri, which a verified document names, at now
// (draft-ietf-oauth-status-list-20 §8.3). It fails with a [VerificationError].
func (v Verifier) VerifyStatusList(compact, uri string, now time.Time) (StatusList, error) {
	payload, signer, err := v.open(compact, statusListType)
	if err != nil {
		return StatusList{}, err
	}
	var claims statusListClaims
	if err := json.Unmarshal(payload, &claims); err != nil || !claims.consistent() {
		return StatusList{}, ClaimsInvalid
	}
	list, err := statuslist.Decode(claims.List)
	if err != nil {
		return StatusList{}, ClaimsInvalid
	}
	switch {
	case claims.Subject != uri:
		return StatusList{}, SubjectMismatch
	case !signer.covers(time.Unix(claims.IssuedAt, 0)):
		return StatusList{}, KeyOutsideValidity
	case now.Unix() >= v.Keyset.ExpiresAt:
		return StatusList{}, KeysetExpired
	case now.Add(statusListLeeway).Unix() < claims.IssuedAt:
		return StatusList{}, NotYetValid
	case now.Unix() >= claims.ExpiresAt:
		return StatusList{}, Expired
	}
	return StatusList{
		URI: claims.Subject, IssuedAt: time.Unix(claims.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(claims.ExpiresAt, 0).UTC(),
		ttl: claims.TTL, list: list,
	}, nil
}

func (c statusListClaims) consistent() bool {
	return c.Subject != "" && c.IssuedAt >= 0 && c.IssuedAt < c.ExpiresAt && c.ExpiresAt <= lastSecond && c.TTL > 0 && c.TTL <= lastSecond
}

// Status returns the list's status for a document's reference. It fails with [SubjectMismatch] for a reference to
// another list, and with [statuslist.ErrIndex] for an index outside the list; such a document must be rejected.
func (l StatusList) Status(reference StatusReference) (Status, error) {
	if reference.URI != l.URI {
		return 0, SubjectMismatch
	}
	return l.list.Status(reference.Index)
}

// FreshUntil returns until when a list fetched at that time may be used before fetching it again: for its ttl, but never
// beyond its end (§13.7).
func (l StatusList) FreshUntil(fetched time.Time) time.Time {
	return earliest(time.Unix(fetched.Unix()+l.ttl, 0).UTC(), l.ExpiresAt)
}
