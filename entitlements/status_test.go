package entitlements_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/statuslist"
)

const statusIssuer = "https://app.example.com"

// statusStore is a store that only has statuses.
type statusStore struct {
	entitlements.Store // nil: no other method is called
	mu                 sync.Mutex
	err                error
	count              int
	lists              map[int][]entitlements.StatusEntry
	changed            map[int]int
	mark               int
	reads              []time.Time
	asked              []entitlements.StatusMark
}

func (s *statusStore) Secret(_ context.Context, _ string, candidate []byte) ([]byte, error) {
	return candidate, nil
}

func (s *statusStore) StatusChanges(_ context.Context, since entitlements.StatusMark) (entitlements.StatusChanges, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads, s.asked = append(s.reads, time.Now()), append(s.asked, since)
	if s.err != nil {
		return entitlements.StatusChanges{}, s.err
	}
	changes := entitlements.StatusChanges{Count: s.count, Lists: map[int][]entitlements.StatusEntry{}, Mark: entitlements.StatusMark{strconv.Itoa(s.mark)}}
	seen := 0
	if len(since) > 0 {
		seen, _ = strconv.Atoi(since[0])
	}
	for n, mark := range s.changed {
		if mark > seen {
			changes.Lists[n] = s.lists[n]
		}
	}
	return changes, nil
}

func (s *statusStore) set(list int, entries ...entitlements.StatusEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists == nil {
		s.lists, s.changed = map[int][]entitlements.StatusEntry{}, map[int]int{}
	}
	s.mark++
	s.count, s.lists[list], s.changed[list] = max(s.count, list+1), entries, s.mark
}

// MarkKeyset accepts every keyset: the marks have their own tests.
func (*statusStore) MarkKeyset(context.Context, entitlements.ServedKeyset, entitlements.Roots) error {
	return nil
}

// readings are the times and arguments of the reads.
func (s *statusStore) readings() ([]time.Time, []entitlements.StatusMark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads), slices.Clone(s.asked)
}

func (s *statusStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// publisher is a service that publishes, in a synctest bubble.
type publisher struct {
	*entitlements.Service
	t        *testing.T
	store    *statusStore
	verifier entitlements.Verifier
	changed  chan struct{}
	reports  chan error
}

func statusKeys(t *testing.T) entitlements.Keys {
	t.Helper()
	keys, err := entitlements.GenerateKeys(rand.Reader, statusIssuer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func publish(ctx context.Context, t *testing.T, keys entitlements.Keys) *publisher {
	t.Helper()
	p := &publisher{
		t: t, store: &statusStore{}, verifier: entitlements.Verifier{Keyset: keys.Keyset, Issuer: statusIssuer},
		changed: make(chan struct{}, 1), reports: make(chan error, 100),
	}
	var err error
	p.Service, err = entitlements.New(ctx, entitlements.Config{
		Issuer: statusIssuer, RPID: "app.example.com", Keys: keys, OfflineWindow: time.Hour, Now: time.Now, Rand: rand.Reader,
	}, p.store)
	if err != nil {
		t.Fatal(err)
	}
	go p.PublishStatusLists(ctx, p.changed, func(err error) { p.reports <- err })
	return p
}

func (p *publisher) token(list int) string {
	p.t.Helper()
	token, err := p.StatusList(list)
	if err != nil {
		p.t.Fatalf("list %d: %v", list, err)
	}
	return string(token)
}

// list returns a list as a host sees it now.
func (p *publisher) list(n int) entitlements.StatusList {
	p.t.Helper()
	list, err := p.verifier.VerifyStatusList(p.token(n), uri(n), time.Now())
	if err != nil {
		p.t.Fatalf("list %d: %v", n, err)
	}
	return list
}

func (p *publisher) wants(list, index int, want entitlements.Status) {
	p.t.Helper()
	got, err := p.list(list).Status(entitlements.StatusReference{Index: index, URI: uri(list)})
	if err != nil || got != want {
		p.t.Errorf("status[%d] of list %d is %d, %v, want %d", index, list, got, err, want)
	}
}

func uri(list int) string { return statusIssuer + "/v1/status-lists/" + string(rune('0'+list)) }

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func bubble(t *testing.T, f func(*testing.T, context.Context)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait() // the goroutine ends with its context, or the bubble fails
		defer cancel()
		f(t, ctx)
	})
}

func TestStatusListsFollowChanges(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := publish(ctx, t, statusKeys(t))
		p.wants(0, 0, entitlements.StatusValid)
		p.wants(0, 1<<20-1, entitlements.StatusValid)
		for _, n := range []int{-1, 1, 1 << 30} {
			if _, err := p.StatusList(n); !errors.Is(err, entitlements.ErrNotFound) {
				t.Errorf("list %d: %v", n, err)
			}
		}
		wait(200 * time.Millisecond)

		p.store.set(0, entitlements.StatusEntry{Index: 7, Status: entitlements.StatusInvalid}, entitlements.StatusEntry{Index: 9, Status: entitlements.StatusSuspended})
		p.changed <- struct{}{}
		wait(time.Second)
		p.wants(0, 7, entitlements.StatusInvalid)
		p.wants(0, 9, entitlements.StatusSuspended)
		p.wants(0, 8, entitlements.StatusValid)
		p.wants(1, 7, entitlements.StatusValid) // the next list is published already

		// Without a notification it takes a little longer.
		first := p.token(1)
		p.store.set(0, entitlements.StatusEntry{Index: 7, Status: entitlements.StatusInvalid})
		wait(4 * time.Second)
		p.wants(0, 7, entitlements.StatusInvalid)
		p.wants(0, 9, entitlements.StatusValid)
		second := p.token(0)
		p.store.set(0, entitlements.StatusEntry{Index: 7, Status: entitlements.StatusInvalid})
		wait(4 * time.Second)
		if p.token(0) != second || p.token(1) != first {
			t.Error("a list that has not changed was signed again")
		}
	})
}

// The lists are read at most once a second under any load, and every few seconds if nothing changes.
func TestStatusListsAreReadAtMostOnceASecond(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := publish(ctx, t, statusKeys(t))
		wait(time.Minute)
		if reads, _ := p.store.readings(); len(reads) < 18 || len(reads) > 22 {
			t.Errorf("%d readings in a quiet minute", len(reads))
		}
		for range 1000 {
			select {
			case p.changed <- struct{}{}:
			default:
			}
			wait(10 * time.Millisecond)
		}
		reads, _ := p.store.readings()
		for i := 1; i < len(reads); i++ {
			if apart := reads[i].Sub(reads[i-1]); i > 1 && apart < time.Second || apart > 3*time.Second {
				t.Errorf("readings %d and %d are %v apart", i-1, i, apart)
			}
		}
	})
}

// While the store fails the last list stays unchanged: signing it again would claim that it is true now.
func TestStatusListsStayWhileTheStoreFails(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := publish(ctx, t, statusKeys(t))
		p.store.set(0, entitlements.StatusEntry{Index: 7, Status: entitlements.StatusInvalid})
		wait(5 * time.Second)
		last := p.token(0)
		down := errors.New("no database")
		p.store.fail(down)
		wait(3 * time.Hour)
		if p.token(0) != last {
			t.Error("another list than the last")
		}
		p.wants(0, 7, entitlements.StatusInvalid)
		p.store.set(0, entitlements.StatusEntry{Index: 8, Status: entitlements.StatusInvalid})
		p.store.fail(nil)
		wait(2 * time.Second)
		p.wants(0, 8, entitlements.StatusInvalid)
		p.wants(0, 7, entitlements.StatusValid)
		if n := len(p.reports); n != 2 {
			t.Fatalf("%d reports", n)
		}
		if err := <-p.reports; !errors.Is(err, down) {
			t.Errorf("reported at first: %v", err)
		}
		if err := <-p.reports; err != nil {
			t.Errorf("reported then: %v", err)
		}
	})
}

// A valid list is always published, never older than little more than an hour.
func TestStatusListsAreRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := publish(ctx, t, statusKeys(t))
		tokens := map[string]bool{}
		for range 5 * 4 {
			wait(15 * time.Minute)
			list := p.list(0)
			if age := time.Since(list.IssuedAt); age > time.Hour+5*time.Second || list.ExpiresAt.Sub(list.IssuedAt) != 24*time.Hour {
				t.Errorf("issued %v ago, lives %v", age, list.ExpiresAt.Sub(list.IssuedAt))
			}
			if until := list.FreshUntil(time.Now()).Sub(time.Now().Truncate(time.Second)); until != 10*time.Second {
				t.Errorf("fresh for %v", until)
			}
			tokens[p.token(0)] = true
		}
		if n := len(tokens); n < 5 || n > 6 {
			t.Errorf("%d lists in five hours", n)
		}
		whole := 0
		_, asked := p.store.readings()
		for _, since := range asked {
			if since == nil {
				whole++
			}
		}
		if whole < 5 || whole > 6 {
			t.Errorf("all lists were read %d times", whole)
		}
	})
}

// When the signing key changes, it signs all lists as soon as it signs documents; no list outlives the keyset.
func TestStatusListsFollowTheKey(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		keys := statusKeys(t)
		next, err := jose.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		entry := keys.Keyset.Keys[0]
		entry.JWK, entry.KeyID, entry.NotBefore = next.JWK(), next.ID(), time.Now().Add(10*time.Minute).Unix()
		keys.Keyset.Keys, keys.Signing = append(keys.Keyset.Keys, entry), append(keys.Signing, next)
		keys.Keyset.ExpiresAt = time.Now().Add(2 * time.Hour).Unix()
		p := publish(ctx, t, keys)
		p.store.set(1, entitlements.StatusEntry{Index: 7, Status: entitlements.StatusInvalid})
		signer := func(n int) string {
			message, err := jose.Parse(p.token(n))
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys.Signing {
				if message.Verify(key.PublicKey) == nil && strings.Contains(string(message.Header), key.ID()) {
					return key.ID()
				}
			}
			return ""
		}
		wait(10*time.Minute - time.Second)
		for n := range 3 {
			if signer(n) != keys.Signing[0].ID() {
				t.Errorf("list %d is not signed by the first key", n)
			}
		}
		wait(5 * time.Second)
		for n := range 3 {
			if signer(n) != next.ID() {
				t.Errorf("list %d is not signed by the second key", n)
			}
		}
		p.wants(1, 7, entitlements.StatusInvalid)
		if end := p.list(1).ExpiresAt; !end.Equal(keys.Keyset.End()) {
			t.Errorf("a list ends at %v, the keyset at %v", end, keys.Keyset.End())
		}
		wait(3 * time.Hour)
		select {
		case err := <-p.reports:
			if !errors.Is(err, entitlements.ErrKeysetEnded) {
				t.Errorf("after the keyset's end: %v", err)
			}
		default:
			t.Error("the keyset's end was not reported")
		}
	})
}

func TestVerifyStatusList(t *testing.T) {
	t.Parallel()
	keys := statusKeys(t)
	now := time.Now().Add(time.Hour).Truncate(time.Second)
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: statusIssuer}
	list := statuslist.New(1 << 20)
	if err := list.Set(12, statuslist.Suspended); err != nil {
		t.Fatal(err)
	}
	good := func() map[string]any {
		return map[string]any{
			"sub": uri(0), "iat": now.Unix(), "exp": now.Unix() + 60, "ttl": 10, "status_list": list.Encode(), "other": true,
		}
	}
	sign := func(key jose.PrivateKey, typ string, claims any) string {
		t.Helper()
		token, err := jose.Sign(key, typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	token := sign(keys.Signing[0], "statuslist+jwt", good())
	verified, err := verifier.VerifyStatusList(token, uri(0), now)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := verified.Status(entitlements.StatusReference{Index: 12, URI: uri(0)}); err != nil || status != entitlements.StatusSuspended {
		t.Errorf("%d, %v", status, err)
	}
	for _, index := range []int{-1, 1 << 20} {
		if _, err := verified.Status(entitlements.StatusReference{Index: index, URI: uri(0)}); !errors.Is(err, statuslist.ErrIndex) {
			t.Errorf("index %d: %v", index, err)
		}
	}
	if _, err := verified.Status(entitlements.StatusReference{Index: 12, URI: uri(1)}); !errors.Is(err, entitlements.SubjectMismatch) {
		t.Errorf("a reference to another list: %v", err)
	}
	for fetched, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 50 * time.Second: time.Minute, 55 * time.Second: time.Minute} {
		if got := verified.FreshUntil(now.Add(fetched)).Sub(now); got != want {
			t.Errorf("fetched after %v it is fresh until %v", fetched, got)
		}
	}

	stranger, err := jose.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		claims := good()
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return sign(keys.Signing[0], "statuslist+jwt", claims)
	}
	bits := func(b int) statuslist.Encoded { return statuslist.Encoded{Bits: b, List: list.Encode().List} }
	type test struct {
		token string
		at    time.Duration
		want  entitlements.VerificationError
	}
	tests := map[string]test{
		"nothing":               {"", 0, entitlements.Malformed},
		"a document's type":     {sign(keys.Signing[0], "entitlement+jwt", good()), 0, entitlements.TypeInvalid},
		"a stranger's key":      {sign(stranger, "statuslist+jwt", good()), 0, entitlements.KeyUnknown},
		"the root's key":        {sign(keys.Root, "statuslist+jwt", good()), 0, entitlements.KeyUnknown},
		"another signature":     {token[:strings.LastIndexByte(token, '.')] + with("ttl", 11)[strings.LastIndexByte(with("ttl", 11), '.'):], 0, entitlements.SignatureInvalid},
		"another list":          {with("sub", uri(1)), 0, entitlements.SubjectMismatch},
		"no sub":                {with("sub", nil), 0, entitlements.ClaimsInvalid},
		"no iat":                {with("iat", nil), 0, entitlements.KeyOutsideValidity},
		"iat is text":           {with("iat", "1"), 0, entitlements.ClaimsInvalid},
		"no exp":                {with("exp", nil), 0, entitlements.ClaimsInvalid},
		"exp before iat":        {with("exp", now.Unix()), 0, entitlements.ClaimsInvalid},
		"exp beyond all time":   {with("exp", int64(1)<<62), 0, entitlements.ClaimsInvalid},
		"no ttl":                {with("ttl", nil), 0, entitlements.ClaimsInvalid},
		"ttl of nothing":        {with("ttl", 0), 0, entitlements.ClaimsInvalid},
		"negative ttl":          {with("ttl", -10), 0, entitlements.ClaimsInvalid},
		"no list":               {with("status_list", nil), 0, entitlements.ClaimsInvalid},
		"a list of 3 bits":      {with("status_list", bits(3)), 0, entitlements.ClaimsInvalid},
		"a list that is longer": {with("status_list", bits(1)), 0, entitlements.ClaimsInvalid},
		"before the key":        {with("iat", keys.Keyset.Keys[0].NotBefore-1), 0, entitlements.KeyOutsideValidity},
		"last second":           {token, 59 * time.Second, ""},
		"its end":               {token, time.Minute, entitlements.Expired},
		"a minute early":        {token, -time.Minute, ""},
		"more than a minute":    {token, -time.Minute - time.Second, entitlements.NotYetValid},
		"after the keyset":      {token, 400 * 24 * time.Hour, entitlements.KeysetExpired},
	}
	for name, test := range tests {
		_, err := verifier.VerifyStatusList(test.token, uri(0), now.Add(test.at))
		if test.want == "" && err != nil || test.want != "" && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// BenchmarkPublishStatusList reads, packs and signs lists of 2^20 in which ten thousand entries are INVALID.
func BenchmarkPublishStatusList(b *testing.B) {
	keys, err := entitlements.GenerateKeys(rand.Reader, statusIssuer, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	store := &statusStore{}
	var entries []entitlements.StatusEntry
	for i := range 10_000 {
		entries = append(entries, entitlements.StatusEntry{Index: i * 7919 % (1 << 20), Status: entitlements.StatusInvalid})
	}
	store.set(0, entries...)
	for b.Loop() { // a new service publishes once: list 0, and an empty one after it
		_, err := entitlements.New(b.Context(), entitlements.Config{
			Issuer: statusIssuer, RPID: "app.example.com", Keys: keys, OfflineWindow: time.Hour, Now: time.Now, Rand: rand.Reader,
		}, store)
		if err != nil {
			b.Fatal(err)
		}
	}
}
