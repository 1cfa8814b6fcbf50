package passkey

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// SessionWatch reports the end of a session: by its user, by support, with its user's account, or by its time.
type SessionWatch struct {
	key   SessionKey
	of    *sessionWatches
	timer *time.Timer
	ended chan struct{}
	once  sync.Once
}

// Ended is closed when the session has ended. The idle end is the one that the session had when the watch began: a
// caller that uses the session meanwhile may watch it again.
func (w *SessionWatch) Ended() <-chan struct{} { return w.ended }

// Close ends the watch.
func (w *SessionWatch) Close() {
	w.timer.Stop()
	w.of.remove(w)
}

func (w *SessionWatch) end() { w.once.Do(func() { close(w.ended) }) }

// sessionWatches holds all watches on sessions. The zero value has none.
type sessionWatches struct {
	mu sync.Mutex
	by map[string][]*SessionWatch // the session's id
}

func (s *sessionWatches) add(w *SessionWatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string][]*SessionWatch{}
	}
	s.by[w.key.ID] = append(s.by[w.key.ID], w)
}

func (s *sessionWatches) remove(w *SessionWatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.by[w.key.ID], func(other *SessionWatch) bool { return other == w })
	if s.by[w.key.ID] = left; len(left) == 0 {
		delete(s.by, w.key.ID)
	}
}

func (s *sessionWatches) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.by[id] {
		w.end()
	}
}

// keys returns the keys of the watched sessions.
func (s *sessionWatches) keys() []SessionKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]SessionKey, 0, len(s.by))
	for _, watches := range s.by {
		keys = append(keys, watches[0].key)
	}
	return keys
}

// WatchSession watches a session that [Service.Session] has returned. It fails with ErrUnauthenticated if the session
// has ended since. The watch depends on calls of [Service.SessionEnded] and [Service.RecheckSessions].
func (s *Service) WatchSession(ctx context.Context, session Session) (*SessionWatch, error) {
	w := &SessionWatch{key: SessionKey{User: session.User.ID, ID: session.ID}, of: &s.watches, ended: make(chan struct{})}
	w.timer = time.AfterFunc(session.end().Sub(s.now()), w.end)
	s.watches.add(w)
	// The watch has missed anything that ended the session before it began.
	left, err := s.store.SessionsLeft(ctx, []SessionKey{w.key})
	if err == nil && len(left) == 0 {
		err = ErrUnauthenticated
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch session: %w", err)
	}
	return w, nil
}

// SessionEnded reports that the session of that id was ended, on any server.
func (s *Service) SessionEnded(id string) { s.watches.end(id) }

// RecheckSessions checks whether the watched sessions still exist. It must be called when calls of
// [Service.SessionEnded] may have been missed.
func (s *Service) RecheckSessions(ctx context.Context) error {
	keys := s.watches.keys()
	if len(keys) == 0 {
		return nil
	}
	left, err := s.store.SessionsLeft(ctx, keys)
	if err != nil {
		return fmt.Errorf("recheck sessions: %w", err)
	}
	still := make(map[string]bool, len(left))
	for _, id := range left {
		still[id] = true
	}
	for _, key := range keys {
		if !still[key.ID] {
			s.watches.end(key.ID)
		}
	}
	return nil
}
