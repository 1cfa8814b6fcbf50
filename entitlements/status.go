package entitlements

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/entitlements/jose"
	"holdfast/entitlements/statuslist"
)

// Status is a value of the IETF Token Status List.
type Status = statuslist.Status

// The values that are used (draft-ietf-oauth-status-list-20 §7.1).
const (
	StatusValid     = statuslist.Valid
	StatusInvalid   = statuslist.Invalid
	StatusSuspended = statuslist.Suspended
)

// StatusListTTL is how long whoever has fetched a status list may go on using it.
const StatusListTTL = 10 * time.Second

const (
	statusListType = "statuslist+jwt"
	// statusListLength is how many indices a list has, used or not: the store gives them out at random.
	statusListLength = statuslist.MaxLen
	// statusListLife is how long a list is good for. It is what an outage of the database may last before host back ends
	// can no longer tell, and how long an old list can be held against somebody who fetches it through an enemy.
	statusListLife = 24 * time.Hour
	// statusListRenewal is how often all lists are read and signed again, changed or not.
	statusListRenewal = time.Hour
	// statusListPace is the shortest time between two readings; after statusListPoll times as long there is one though
	// nobody said that anything has changed. With a reading and a signature that is far below the TTL.
	statusListPace = time.Second
	statusListPoll = 3
	// statusListPatience is how long a reading may take.
	statusListPatience = 5 * time.Second
)

// statusListClaims is the claims of a status list token (draft-ietf-oauth-status-list-20 §5.1). Times are unix seconds.
type statusListClaims struct {
	Subject   string             `json:"sub"` // the uri in documents
	IssuedAt  int64              `json:"iat"`
	ExpiresAt int64              `json:"exp"`
	TTL       int64              `json:"ttl"` // seconds
	List      statuslist.Encoded `json:"status_list"`
}

// StatusEntry is an index with a status that is not VALID.
type StatusEntry struct {
	Index  int
	Status Status
}

// StatusMark is a point in the history of the status lists. Zero is before all of it.
type StatusMark uint64

// StatusChanges is what a store has to tell of the status lists.
type StatusChanges struct {
	// Count is how many lists have been begun: 0 to Count-1.
	Count int
	// Lists holds, by their number, the lists that changed since the mark that was asked for: all entries that are not
	// VALID.
	Lists map[int][]StatusEntry
	// Mark is what to ask for next time.
	Mark StatusMark
}

// statusLists is what the server says of all documents. It is written by one goroutine and read by all.
type statusLists struct {
	mark   StatusMark
	whole  time.Time // when all lists were read last
	lists  []statuslist.List
	signed atomic.Pointer[[]signedStatusList]
}

type signedStatusList struct {
	token []byte
	kid   string
}

// StatusList is status list n, signed, as it was read last: a compact JWS of type statuslist+jwt, which must not be
// changed. It never asks the store. [ErrNotFound] where there is no such list.
func (s *Service) StatusList(n int) ([]byte, error) {
	signed := *s.status.signed.Load()
	if n < 0 || n >= len(signed) {
		return nil, ErrNotFound
	}
	return signed[n].token, nil
}

// PublishStatusLists keeps the status lists true until ctx ends: after a change has been committed, by whichever
// replica, they say so within a few seconds, and mostly within one; when another key signs documents, it signs the lists
// as soon. A value on changed hurries it; without any, it looks by itself.
//
// While the store fails, the lists stay as they are: nothing is signed that has not just been read. Report is called with
// the error when it begins to fail, and with nil when it works again.
//
// It is to be called once, in a goroutine of its own.
func (s *Service) PublishStatusLists(ctx context.Context, changed <-chan struct{}, report func(error)) {
	pace := time.NewTicker(statusListPace)
	defer pace.Stop()
	failing := false
	for tick := 1; ; tick++ {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		due := failing || tick%statusListPoll == 0
		select {
		case <-changed:
			due = true
		default:
		}
		if !due {
			continue
		}
		err := s.refreshStatusLists(ctx)
		if ctx.Err() != nil {
			return
		}
		if failed := err != nil; failed != failing {
			failing = failed
			report(err)
		}
	}
}

// refreshStatusLists reads what has changed and signs it; everything, where it is time to, or where another key signs by
// now.
func (s *Service) refreshStatusLists(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statusListPatience)
	defer cancel()
	now := s.instant()
	key, err := s.signer(s.keys.Load().Keys, now)
	if err != nil {
		return fmt.Errorf("publish status lists: %w", err)
	}
	since, whole, known := s.status.mark, s.status.whole, s.status.lists
	all := now.Sub(whole).Abs() >= statusListRenewal // a clock may be set back, too
	if all {
		since, whole, known = 0, now, nil
	}
	changes, err := s.store.StatusChanges(ctx, since)
	if err != nil {
		return fmt.Errorf("publish status lists: %w", err)
	}

	// The list that will be begun next is there before any document can name it.
	lists := make([]statuslist.List, max(changes.Count+1, len(known)))
	signed := make([]signedStatusList, len(lists))
	before := s.status.signed.Load()
	for n := range lists {
		entries, changed := changes.Lists[n]
		if n < len(known) && !changed {
			lists[n] = known[n]
		} else {
			lists[n] = statuslist.New(statusListLength)
			for _, entry := range entries {
				if err := lists[n].Set(entry.Index, entry.Status); err != nil {
					return fmt.Errorf("publish status list %d: %w", n, err)
				}
			}
		}
		if n < len(known) && lists[n].Equal(known[n]) && (*before)[n].kid == key.ID() {
			signed[n] = (*before)[n]
			continue
		}
		if signed[n], err = s.signStatusList(key.PrivateKey, n, lists[n], now); err != nil {
			return fmt.Errorf("publish status list %d: %w", n, err)
		}
	}
	s.status.mark, s.status.whole, s.status.lists = changes.Mark, whole, lists
	s.status.signed.Store(&signed)
	return nil
}

func (s *Service) signStatusList(key jose.PrivateKey, n int, list statuslist.List, now time.Time) (signedStatusList, error) {
	end := earliest(now.Add(statusListLife), s.KeysetEnd())
	if end.Unix() <= now.Unix() {
		return signedStatusList{}, ErrKeysetEnded
	}
	token, err := jose.Sign(key, statusListType, statusListClaims{
		Subject: s.statusListURI(n), IssuedAt: now.Unix(), ExpiresAt: end.Unix(), TTL: int64(StatusListTTL / time.Second),
		List: list.Encode(),
	})
	return signedStatusList{token: []byte(token), kid: key.ID()}, err
}

// statusListURI is where list n is, as documents and the list itself say.
func (s *Service) statusListURI(n int) string {
	return fmt.Sprintf("%s/v1/status-lists/%d", s.config.Issuer, n)
}
