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

// Marks are numbers of a user that only rise. They tell a page that something has changed.
type Marks struct {
	Revision int64 // of the user's rights
	Actions  int64 // the position of the last act in the feed
}

// Watch reports changes of a user's marks.
type Watch struct {
	user  UserID
	of    *watches
	told  Marks
	marks chan Marks // capacity 1
}

// Marks gives the marks that the user had when the watch began, and then each change. New marks replace those that have not
// been received yet. The channel is closed when the watch ends.
func (w *Watch) Marks() <-chan Marks { return w.marks }

// Close ends the watch.
func (w *Watch) Close() { w.of.remove(w) }

// watches holds all watches, the oldest of a user first. The zero value has none.
type watches struct {
	mu sync.Mutex
	by map[UserID][]*Watch
}

func (s *watches) add(user UserID) *Watch {
	w := &Watch{user: user, of: s, marks: make(chan Marks, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[UserID][]*Watch{}
	}
	if theirs := s.by[user]; len(theirs) == watchesPerUser {
		close(theirs[0].marks)
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
	close(w.marks)
	if s.by[w.user] = slices.Delete(s.by[w.user], at, at+1); len(s.by[w.user]) == 0 {
		delete(s.by, w.user)
	}
}

// tell tells of marks that may each have risen. It never blocks: under the lock, there is no other sender.
func (s *watches) tell(user UserID, marks Marks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.by[user] {
		risen := Marks{max(w.told.Revision, marks.Revision), max(w.told.Actions, marks.Actions)}
		if risen == w.told {
			continue
		}
		w.told = risen
		select {
		case <-w.marks:
		default:
		}
		w.marks <- risen
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

// Watch watches a user's marks. It fails with [ErrNotFound] if the user does not exist. The watch depends on calls of
// [Service.MarksRaised] and [Service.RereadMarks].
func (s *Service) Watch(ctx context.Context, user UserID) (*Watch, error) {
	w := s.watches.add(user) // first, so that no change falls between the reading and the watch
	marks, err := s.store.Marks(ctx, []UserID{user})
	found, ok := marks[user]
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	s.watches.tell(user, found)
	return w, nil
}

// MarksRaised reports marks of the user, raised on any server; a mark of 0 is not reported. Calls may come in any order.
func (s *Service) MarksRaised(user UserID, marks Marks) { s.watches.tell(user, marks) }

// RereadMarks reads the marks of all watched users at once. It must be called when calls of [Service.MarksRaised] may have
// been missed.
func (s *Service) RereadMarks(ctx context.Context) error {
	users := s.watches.users()
	if len(users) == 0 {
		return nil
	}
	marks, err := s.store.Marks(ctx, users)
	if err != nil {
		return fmt.Errorf("reread marks: %w", err)
	}
	for user, found := range marks {
		s.watches.tell(user, found)
	}
	return nil
}
