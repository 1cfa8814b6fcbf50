package entitlements

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// watchesPerUser is how many watches a user can have on one server. A further one ends the oldest, whose connection may
// well be dead.
const watchesPerUser = 20

// Watch reports changes of a user's revision.
type Watch struct {
	user      UserID
	of        *watches
	told      int64
	revisions chan int64 // capacity 1
}

// Revisions gives the revision that the user had when the watch began, and then each higher one. A new revision replaces
// one that has not been received yet. The channel is closed when the watch ends.
func (w *Watch) Revisions() <-chan int64 { return w.revisions }

// Close ends the watch.
func (w *Watch) Close() { w.of.remove(w) }

// watches holds all watches, the oldest of a user first. The zero value has none.
type watches struct {
	mu sync.Mutex
	by map[UserID][]*Watch
}

func (s *watches) add(user UserID) *Watch {
	w := &Watch{user: user, of: s, revisions: make(chan int64, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[UserID][]*Watch{}
	}
	if theirs := s.by[user]; len(theirs) == watchesPerUser {
		close(theirs[0].revisions)
		s.by[user] = slices.Delete(theirs, 0, 1)
	}
	s.by[user] = append(s.by[user], w)
	return w
}

func (s *watches) remove(w *Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.by[w.user], w)
	if at < 0 {
		return // it has ended already
	}
	close(w.revisions)
	if s.by[w.user] = slices.Delete(s.by[w.user], at, at+1); len(s.by[w.user]) == 0 {
		delete(s.by, w.user)
	}
}

// tell never blocks: under the lock, there is no other sender.
func (s *watches) tell(user UserID, revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.by[user] {
		if revision <= w.told {
			continue
		}
		w.told = revision
		select {
		case <-w.revisions:
		default:
		}
		w.revisions <- revision
	}
}

func (s *watches) users() []UserID {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make([]UserID, 0, len(s.by))
	for user := range s.by {
		users = append(users, user)
	}
	return users
}

// Watch watches a user's revision, which every change of the user's rights raises. It fails with [ErrNotFound] if the
// user does not exist. The watch depends on calls of [Service.RevisionRaised] and [Service.RereadRevisions].
func (s *Service) Watch(ctx context.Context, user UserID) (*Watch, error) {
	w := s.watches.add(user) // first, so that no change falls between the reading and the watch
	revisions, err := s.store.Revisions(ctx, []UserID{user})
	revision, found := revisions[user]
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	s.watches.tell(user, revision)
	return w, nil
}

// RevisionRaised reports the user's new revision, raised on any server. Calls may come in any order.
func (s *Service) RevisionRaised(user UserID, revision int64) { s.watches.tell(user, revision) }

// RereadRevisions reads the revisions of all watched users at once. It must be called when calls of
// [Service.RevisionRaised] may have been missed.
func (s *Service) RereadRevisions(ctx context.Context) error {
	users := s.watches.users()
	if len(users) == 0 {
		return nil
	}
	revisions, err := s.store.Revisions(ctx, users)
	if err != nil {
		return fmt.Errorf("reread revisions: %w", err)
	}
	for user, revision := range revisions {
		s.watches.tell(user, revision)
	}
	return nil
}
