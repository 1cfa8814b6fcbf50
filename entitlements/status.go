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

// The values in use (draft-ietf-oauth-status-list-20 §7.1).
const (
	StatusValid     = statuslist.Valid
	StatusInvalid   = statuslist.Invalid
	StatusSuspended = statuslist.Suspended
)

// StatusListTTL is how long a client may use a fetched status list.
const StatusListTTL = 10 * time.Second

const (
	statusListType = "statuslist+jwt"
	// statusListLength is the number of indices of a list, used or not: the store assigns them at random.
	statusListLength = statuslist.MaxLen
	// statusListLife is how long a list is valid. It bounds the database outage that host back ends can bridge, and how
	// long an attacker on the network can replay an old list.
	statusListLife = 24 * time.Hour
	// statusListRenewal is how often all lists are read and signed again, changed or not.
	statusListRenewal = time.Hour
	// statusListPace is the shortest time between two reads. After statusListPoll, the lists are read even without a
	// notification. Reading and signing included, that is far below the TTL.
	statusListPace = time.Second
	statusListPoll = 3 * time.Second
	// statusListPatience is how long a read may take.
	statusListPatience = 5 * time.Second
)

// statusListClaims are the claims of a status list token (draft-ietf-oauth-status-list-20 §5.1). Times are unix seconds.
type statusListClaims struct {
	Subject   string             `json:"sub"` // the URI in documents
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

// StatusMark names the changes of status lists that a reader has seen, oldest first. Nil names none.
type StatusMark []string

// StatusChanges is a store's answer about the status lists.
type StatusChanges struct {
	// Count is the number of lists begun: 0 to Count-1.
	Count int
	// Lists holds, by number, the lists with changes that the requested mark does not name: all entries that are not VALID.
	Lists map[int][]StatusEntry
	// Mark is the mark to pass to the next call.
	Mark StatusMark
}

// statusLists holds the published status lists. One goroutine writes it, all read it.
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

// StatusList returns status list n, signed, as last read: a compact JWS of type statuslist+jwt, which the caller must
// not change. It never asks the store. [ErrNotFound] if the list does not exist.
func (s *Service) StatusList(n int) ([]byte, error) {
	signed := *s.status.signed.Load()
	if n < 0 || n >= len(signed) {
		return nil, ErrNotFound
	}
	return signed[n].token, nil
}

// PublishStatusLists keeps the status lists current until ctx ends. A change committed by any replica appears within a
// few seconds, mostly within one. When another key signs documents, it signs the lists as soon. A value on changed
// triggers a read at once; without one, it polls.
//
// While the store fails, the lists stay as they are: it signs only what it has just read. Report is called with the
// error when the store begins to fail, and with nil when it works again.
//
// PublishStatusLists must be called once, in its own goroutine.
func (s *Service) PublishStatusLists(ctx context.Context, changed <-chan struct{}, report func(error)) {
	Repeat(ctx, statusListPoll, changed, func(ctx context.Context) error {
		err := s.refreshStatusLists(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(statusListPace):
		}
		return err
	}, report)
}

// refreshStatusLists reads and signs what has changed; it reads everything if a renewal is due, or if the signing key
// has changed.
func (s *Service) refreshStatusLists(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statusListPatience)
	defer cancel()
	now := s.instant()
	key, err := s.signer(s.keys.Load().Keys, now)
	if err != nil {
		return fmt.Errorf("publish status lists: %w", err)
	}
	since, whole, known := s.status.mark, s.status.whole, s.status.lists
	all := now.Sub(whole).Abs() >= statusListRenewal // Abs: a clock may be set back
	if all {
		since, whole, known = nil, now, nil
	}
	changes, err := s.store.StatusChanges(ctx, since)
	if err != nil {
		return fmt.Errorf("publish status lists: %w", err)
	}

	// The next list is published before any document can name it.
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

// statusListURI returns the URI of list n, as documents and the list itself name it.
func (s *Service) statusListURI(n int) string {
	return fmt.Sprintf("%s/v1/status-lists/%d", s.config.Issuer, n)
}
