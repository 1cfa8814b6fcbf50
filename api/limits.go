package api

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"holdfast/passkey"
)

// limit is a token bucket's size and rate: burst actions at once, then one per interval.
type limit struct {
	burst    int
	interval time.Duration
}

// Whole offices, planes and carriers share an address prefix, so a prefix may fail more often than a single account.
var (
	prefixLimit  = limit{burst: 30, interval: 10 * time.Second}
	accountLimit = limit{burst: 10, interval: time.Minute}
)

// codesLimit is how often an account makes recovery codes: each set takes ten slow hashes.
var codesLimit = limit{burst: 5, interval: 10 * time.Minute}

// These limits bound the rows that one name can create. Ceremonies spent by failed tries are swept within minutes, so their
// limit is high.
var (
	spentLimit        = limit{burst: 1000, interval: 100 * time.Millisecond}
	registrationLimit = limit{burst: 500, interval: 6 * time.Second}
	signInLimit       = limit{burst: 300, interval: time.Minute}
)

// maxNames is the capacity of one generation of buckets: some 10 MB in all.
const maxNames = 50_000

// name identifies what is being counted, a network, account or passkey, together with its limit. Its tag is a hash under a
// secret of this process.
type name struct {
	tag   [16]byte
	limit limit
}

// buckets counts failed tries and the creation of rows, in memory. Each name has a bucket (GCRA), stored as the time at
// which it will be empty again. When there are too many buckets, the least recently used go first.
type buckets struct {
	secret [32]byte
	now    func() time.Time

	mu         sync.Mutex
	young, old map[[16]byte]time.Time
}

func newBuckets(now func() time.Time) *buckets {
	b := &buckets{now: now, young: map[[16]byte]time.Time{}}
	_, _ = rand.Read(b.secret[:]) // never fails
	return b
}

// name returns the name of a value of a kind, such as an account.
func (b *buckets) name(kind, value string, limit limit) name {
	sum := sha256.Sum256([]byte(string(b.secret[:]) + kind + "\x00" + value))
	return name{tag: [16]byte(sum[:16]), limit: limit}
}

// take counts one try for each of names, which giveBack can undo. If a bucket is full, it counts nothing and returns how
// long to wait.
func (b *buckets) take(names []name) (wait time.Duration) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.fullFor(names, now); wait > 0 {
		return wait
	}
	b.add(names, now)
	return 0
}

// wait returns how long to wait until none of the names' buckets is full.
func (b *buckets) wait(names []name) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fullFor(names, b.now())
}

// count counts one action for each of names.
func (b *buckets) count(names []name) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(names, b.now())
}

func (b *buckets) fullFor(names []name, now time.Time) (wait time.Duration) {
	for _, n := range names {
		full := now.Add(time.Duration(n.limit.burst-1) * n.limit.interval)
		wait = max(wait, b.emptyAt(n, now).Sub(full))
	}
	return wait
}

func (b *buckets) add(names []name, now time.Time) {
	for _, n := range names {
		if len(b.young) >= maxNames {
			b.old, b.young = b.young, map[[16]byte]time.Time{}
		}
		b.young[n.tag] = b.emptyAt(n, now).Add(n.limit.interval)
	}
}

// giveBack undoes one count for each of names.
func (b *buckets) giveBack(names []name) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		if at := b.emptyAt(n, now).Add(-n.limit.interval); at.After(now) {
			b.young[n.tag] = at
		} else { // empty buckets are not stored
			delete(b.young, n.tag)
			delete(b.old, n.tag)
		}
	}
}

// emptyAt returns when the bucket will be empty, or now if it is empty already.
func (b *buckets) emptyAt(n name, now time.Time) time.Time {
	at, ok := b.young[n.tag]
	if !ok {
		at = b.old[n.tag]
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

// tryPasskey runs try under the limits for passkeys. Only failures count. A caller who fails too often gets tooOften
// instead of the reason, but try still runs, so that other people's failures cannot lock a good passkey out. Only a network
// whose failures would fill the table of spent ceremonies must wait.
func (s *server) tryPasskey(r *http.Request, claimed passkey.Claim, try func() error) error {
	spent := []name{s.buckets.name("spent", s.prefix(r), spentLimit)}
	if wait := s.buckets.take(spent); wait > 0 {
		return &tooOften{wait}
	}
	names := []name{s.buckets.name("passkey prefix", s.prefix(r), prefixLimit)}
	if claimed.Credential != nil {
		names = append(names, s.buckets.name("credential", string(claimed.Credential), accountLimit))
	}
	if claimed.User != "" {
		names = append(names, s.buckets.name("account", string(claimed.User), accountLimit))
	}
	wait := s.buckets.take(names)
	err := try()
	failed := isFailure(err)
	if !failed {
		s.buckets.giveBack(spent)
	}
	switch {
	case wait == 0 && !failed:
		s.buckets.giveBack(names)
	case wait > 0 && failed:
		return &tooOften{wait}
	}
	return err
}

// tryCode runs try under the limits for one-time codes. Codes can be guessed and a guess is expensive to check, so after
// too many failures the caller must wait before the next try. For one recovery code, successful tries count as well: they
// cost as much.
func (s *server) tryCode(r *http.Request, code string, try func() error) error {
	names := []name{s.buckets.name("code prefix", s.prefix(r), prefixLimit)}
	if lookup := passkey.CodeLookup(code); lookup != "" {
		names = append(names, s.buckets.name("code", lookup, accountLimit))
	}
	if wait := s.buckets.take(names); wait > 0 {
		return &tooOften{wait}
	}
	err := try()
	if !isFailure(err) {
		s.buckets.giveBack(names[:1])
	}
	return err
}

func (s *server) registrations(r *http.Request) name {
	return s.buckets.name("registrations", s.prefix(r), registrationLimit)
}

func (s *server) signIns(user passkey.UserID) name {
	return s.buckets.name("sign-ins", string(user), signInLimit)
}

// create runs do, which creates rows, unless a bucket is full. Only successes count, so nobody can fill an account's bucket
// without its passkey. Concurrent calls may overfill a bucket.
func (s *server) create(do func() error, names ...name) error {
	if wait := s.buckets.wait(names); wait > 0 {
		return &tooOften{wait}
	}
	err := do()
	if err == nil {
		s.buckets.count(names)
	}
	return err
}

// beginCeremony begins a ceremony whose success will count for made. It refuses early, before the authenticator creates a
// passkey.
func (s *server) beginCeremony(w http.ResponseWriter, begin func() (passkey.Options, error), made ...name) error {
	if wait := s.buckets.wait(made); wait > 0 {
		return &tooOften{wait}
	}
	begun, err := begin()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, optionsOf(begun))
}

// isFailure reports whether err is the caller's wrong guess and not a failure of the server.
func isFailure(err error) bool {
	return errors.Is(err, passkey.ErrCeremony) || errors.Is(err, passkey.ErrCredentialRejected)
}
