package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"holdfast/passkey"
)

// limit says how many failures one name may have: burst at once, then one each interval.
type limit struct {
	burst    int
	interval time.Duration
}

// Whole offices, planes and carriers share an address prefix, so it may fail more often than a single account.
var (
	prefixLimit  = limit{burst: 30, interval: 10 * time.Second}
	accountLimit = limit{burst: 10, interval: time.Minute}
)

// codesLimit is how often an account makes recovery codes: each set takes ten slow hashes.
var codesLimit = limit{burst: 5, interval: 10 * time.Minute}

// maxNames is how many names a generation of failures holds: some 10 MB in all.
const maxNames = 50_000

// name is who fails, of which nothing can be learnt from it: an HMAC under a key that only this process has. It carries
// its limit.
type name struct {
	tag   [16]byte
	limit limit
}

// failures counts tries that fail, in memory. Each name has a bucket (GCRA): what is kept is the time at which it will be
// empty again. Buckets that nobody has touched for long go first when there are too many.
type failures struct {
	secret [32]byte
	now    func() time.Time

	mu         sync.Mutex
	young, old map[[16]byte]time.Time
}

func newFailures(now func() time.Time) *failures {
	f := &failures{now: now, young: map[[16]byte]time.Time{}}
	_, _ = rand.Read(f.secret[:]) // never fails
	return f
}

// name names whoever value is, among those of that kind.
func (f *failures) name(kind, value string, limit limit) name {
	mac := hmac.New(sha256.New, f.secret[:])
	mac.Write([]byte(kind + "\x00" + value))
	n := name{limit: limit}
	copy(n.tag[:], mac.Sum(nil))
	return n
}

// take counts a try of names as a failure, until giveBack. If one of them has failed too often, it counts nothing and
// returns how long to wait.
func (f *failures) take(names []name) (wait time.Duration) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		full := now.Add(time.Duration(n.limit.burst-1) * n.limit.interval)
		wait = max(wait, f.emptyAt(n, now).Sub(full))
	}
	if wait > 0 {
		return wait
	}
	for _, n := range names {
		if len(f.young) >= maxNames {
			f.old, f.young = f.young, map[[16]byte]time.Time{}
		}
		f.young[n.tag] = f.emptyAt(n, now).Add(n.limit.interval)
	}
	return 0
}

// giveBack takes back what take has counted: the try was no failure.
func (f *failures) giveBack(names []name) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		if at := f.emptyAt(n, now).Add(-n.limit.interval); at.After(now) {
			f.young[n.tag] = at
		} else { // those who never fail leave nothing behind
			delete(f.young, n.tag)
			delete(f.old, n.tag)
		}
	}
}

// emptyAt is when the bucket will be empty: now if it is.
func (f *failures) emptyAt(n name, now time.Time) time.Time {
	at, ok := f.young[n.tag]
	if !ok {
		at = f.old[n.tag]
	}
	if at.Before(now) {
		return now
	}
	return at
}

// tooOften is rateLimited with the time to wait.
type tooOften struct{ wait time.Duration }

func (e *tooOften) Error() string { return rateLimited.code }
func (e *tooOften) Unwrap() error { return rateLimited }

// tryPasskey lets the caller try a passkey. Only failures count; and whoever fails too often is told so instead of why, but
// the try is made all the same: a passkey that is good is never locked out by the failures of others.
func (s *server) tryPasskey(r *http.Request, credential []byte, try func() error) error {
	names := []name{s.failures.name("passkey prefix", s.prefix(r), prefixLimit)}
	claimed := passkey.ClaimOf(credential)
	if claimed.Credential != nil {
		names = append(names, s.failures.name("credential", string(claimed.Credential), accountLimit))
	}
	if claimed.UserHandle != nil {
		names = append(names, s.failures.name("account", string(claimed.UserHandle), accountLimit))
	}
	wait := s.failures.take(names)
	err := try()
	switch failed := isFailure(err); {
	case wait == 0 && !failed:
		s.failures.giveBack(names)
	case wait > 0 && failed:
		return &tooOften{wait}
	}
	return err
}

// tryCode lets the caller try a one-time code. A code can be guessed at, and a guess is expensive to look at: whoever has
// failed too often must wait before the next.
func (s *server) tryCode(r *http.Request, code string, try func() error) error {
	names := []name{s.failures.name("code prefix", s.prefix(r), prefixLimit)}
	if lookup := passkey.CodeLookup(code); lookup != "" {
		names = append(names, s.failures.name("code", lookup, accountLimit))
	}
	if wait := s.failures.take(names); wait > 0 {
		return &tooOften{wait}
	}
	err := try()
	if !isFailure(err) {
		s.failures.giveBack(names)
	}
	return err
}

// isFailure says whether the error is the caller's guess that was wrong, not the server's trouble.
func isFailure(err error) bool {
	return errors.Is(err, passkey.ErrCeremony) || errors.Is(err, passkey.ErrCredentialRejected)
}
