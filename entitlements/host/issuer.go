package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"holdfast/entitlements"
)

const (
	// keysAge is how long keys are used before they are fetched again; keysPace is that time when a document names a key
	// that is not among them.
	keysAge  = time.Minute
	keysPace = 10 * time.Second
	// patience is how long a fetch may take, and pace the shortest time between a failure and the next try.
	patience = 5 * time.Second
	pace     = time.Second
	// maxAnswer limits an answer of the issuer, in bytes. A status list takes at most 480 kB.
	maxAnswer = 1 << 20
)

// issuer fetches and holds what the issuer publishes.
type issuer struct {
	origin   string
	client   http.Client
	maxStale time.Duration
	now      func() time.Time

	roots  *entitlements.Roots // nil: the JWK Set is trusted
	marks  entitlements.KeysetMarks
	keyset *copied[entitlements.Keyset]
	mu     sync.Mutex
	lists  map[string]*copied[entitlements.StatusList]
}

func newIssuer(origin string) *issuer {
	return &issuer{origin: origin, maxStale: 5 * time.Minute, lists: map[string]*copied[entitlements.StatusList]{}}
}

// begin fetches the keys for the first time.
func (i *issuer) begin(ctx context.Context, roots []byte, now func() time.Time) error {
	i.now = now
	// A redirect would lead away from the origin that is trusted.
	i.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if roots != nil {
		parsed, err := entitlements.ParseRoots(roots)
		if err != nil {
			return err
		}
		i.roots = &parsed
	}
	i.keyset = newCopied(i, i.fetchKeyset)
	_, err := i.verifier(ctx, keysAge)
	switch {
	case errors.Is(err, entitlements.RootUnknown):
		return fmt.Errorf("%w: none of the roots has signed its keyset; `holdfast keys roots` prints those of this server", err)
	case errors.Is(err, entitlements.IssuerMismatch):
		return fmt.Errorf("%w: its keyset names another issuer; use the server's --origin", err)
	}
	return err
}

// fetchKeyset fetches the keyset, or without roots the JWK Set. Calls must not overlap.
func (i *issuer) fetchKeyset(ctx context.Context) (entitlements.Keyset, error) {
	if i.roots == nil {
		text, err := i.fetch(ctx, i.origin+"/.well-known/jwks.json")
		if err != nil {
			return entitlements.Keyset{}, err
		}
		return entitlements.ReadJWKS([]byte(text), i.origin)
	}
	text, err := i.fetch(ctx, i.origin+"/.well-known/holdfast-keyset")
	if err != nil {
		return entitlements.Keyset{}, err
	}
	keyset, err := i.roots.VerifyKeyset(text, i.origin, i.now())
	if err != nil {
		return entitlements.Keyset{}, err
	}
	marks, err := i.marks.Take(keyset, *i.roots)
	if err != nil {
		return entitlements.Keyset{}, err
	}
	i.marks = marks
	return keyset, nil
}

// verifier returns one with keys fetched at most age ago.
func (i *issuer) verifier(ctx context.Context, age time.Duration) (entitlements.Verifier, error) {
	keyset, err := i.keyset.get(ctx, func(_ entitlements.Keyset, fetched time.Time) time.Time { return fetched.Add(age) })
	return entitlements.Verifier{Keyset: keyset, Issuer: i.origin}, err
}

// verify verifies a document that must be bound to the key jkt. It fails with a [entitlements.VerificationError], or
// with another error if the keys are not known now.
func (i *issuer) verify(ctx context.Context, document, jkt string) (entitlements.Document, error) {
	for age := keysAge; ; age = keysPace {
		verifier, err := i.verifier(ctx, age)
		if err != nil {
			return entitlements.Document{}, unknown{err}
		}
		d, err := verifier.Verify(document, i.now(), entitlements.BoundTo(jkt))
		if age == keysPace || !errors.Is(err, entitlements.KeyUnknown) {
			return d, err
		}
	}
}

// status looks up a verified document's status. It fails with a [entitlements.VerificationError] if the document must be
// rejected, or with another error if the status is not known now.
func (i *issuer) status(ctx context.Context, reference entitlements.StatusReference) (entitlements.Status, error) {
	if !strings.HasPrefix(reference.URI, i.origin+"/v1/status-lists/") {
		return 0, entitlements.ClaimsInvalid
	}
	i.mu.Lock()
	list := i.lists[reference.URI]
	if list == nil {
		list = newCopied(i, func(ctx context.Context) (entitlements.StatusList, error) {
			text, err := i.fetch(ctx, reference.URI)
			if err != nil {
				return entitlements.StatusList{}, err
			}
			verifier, err := i.verifier(ctx, keysAge)
			if err != nil {
				return entitlements.StatusList{}, err
			}
			return verifier.VerifyStatusList(text, reference.URI, i.now())
		})
		i.lists[reference.URI] = list
	}
	i.mu.Unlock()
	current, err := list.get(ctx, entitlements.StatusList.FreshUntil)
	if err == nil && !i.now().Before(current.ExpiresAt) {
		err = entitlements.Expired
	}
	if err != nil {
		return 0, unknown{err}
	}
	status, err := current.Status(reference)
	if err != nil {
		return 0, entitlements.ClaimsInvalid // an index outside the list
	}
	return status, nil
}

// unknown hides the code of a failure that is not the document's.
type unknown struct{ cause error }

func (u unknown) Error() string { return u.cause.Error() }

func (i *issuer) fetch(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	answer, err := i.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", request.URL.Path, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("GET %s: more than %d bytes", request.URL.Path, maxAnswer)
	}
	return string(text), err
}

// copied holds the last copy of something that is fetched, by one caller at a time, when a user needs a newer one.
type copied[T any] struct {
	issuer *issuer
	fetch  func(context.Context) (T, error)
	group  singleflight.Group

	mu      sync.Mutex
	value   T
	fetched time.Time // zero: never
	failed  time.Time // when a try failed last
	err     error     // of the last try
}

func newCopied[T any](i *issuer, fetch func(context.Context) (T, error)) *copied[T] {
	return &copied[T]{issuer: i, fetch: fetch}
}

// get returns a copy that is fresh until later than now. While the issuer is out of reach, it returns an older one
// without waiting, up to maxStale, and then fails.
func (c *copied[T]) get(ctx context.Context, until func(value T, fetched time.Time) time.Time) (T, error) {
	now := c.issuer.now()
	c.mu.Lock()
	value, fetched, failed, err := c.value, c.fetched, c.failed, c.err
	c.mu.Unlock()
	usable := now.Sub(fetched) < c.issuer.maxStale
	waiting := err != nil && now.Sub(failed) < pace
	switch {
	case now.Before(until(value, fetched)), waiting && usable:
		return value, nil
	case waiting:
		return value, err
	}
	done := c.group.DoChan("", func() (any, error) { return c.refresh(context.WithoutCancel(ctx)) })
	if err != nil && usable {
		return value, nil
	}
	select {
	case result := <-done:
		if result.Err != nil && usable {
			return value, nil
		}
		return result.Val.(T), result.Err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

func (c *copied[T]) refresh(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := c.issuer.now()
	value, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err != nil {
		c.failed = c.issuer.now()
		return c.value, err
	}
	c.value, c.fetched = value, began
	return value, nil
}
