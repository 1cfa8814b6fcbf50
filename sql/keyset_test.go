package sql_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// changed returns keys after a change signed by their own root.
func changed(t *testing.T, keys entitlements.Keys, at time.Time, proposal entitlements.Proposal, made jose.PrivateKey) entitlements.Keys {
	t.Helper()
	if !made.IsZero() {
		keys.Signing = append([]jose.PrivateKey{made}, keys.Signing...)
	}
	compact, err := proposal.Sign(keys.Root)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = keys.Accept(compact, at); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestTakeKeys checks that a running service takes a rotated keyset, signs with the new key once its time has come, and
// sends devices the keyset that they need for that.
func TestTakeKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.link(t, b.user(t))
	b.refresh(t, d)

	proposal, made, err := b.keys.Rotate(rand.Reader, b.clock.Now(), 24*time.Hour, 7*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	rotated := changed(t, b.keys, b.clock.Now(), proposal, made)
	if err := b.TakeKeys(t.Context(), rotated); err != nil {
		t.Fatal(err)
	}
	if b.Keyset() != rotated.Compact || b.KeysetVersion() != 2 || b.KeysetEnd() != rotated.Keyset.End() || !strings.Contains(string(b.JWKS()), made.ID()) {
		t.Errorf("published: version %d, %s", b.KeysetVersion(), b.JWKS())
	}
	b.verifier.Keyset = rotated.Keyset
	signer := func(before entitlements.Reconciled) string {
		t.Helper()
		message, err := jose.Parse(before.Document)
		if err != nil {
			t.Fatal(err)
		}
		b.verify(t, before.Document)
		return string(message.Header)
	}
	for _, step := range []struct {
		wait time.Duration
		kid  string
	}{{0, b.keys.Signing[0].ID()}, {24*time.Hour - time.Second, b.keys.Signing[0].ID()}, {time.Second, made.ID()}} {
		b.clock.Advance(step.wait)
		r, err := d.reconcile(t.Context(), b.Service)
		if err != nil {
			t.Fatal(err)
		}
		d.lineage = r.Lineage
		if header := signer(r); !strings.Contains(header, step.kid) {
			t.Errorf("signed by %s, want %s", header, step.kid)
		}
		if r.Keyset != rotated.Compact {
			t.Error("a device that does not have the keyset does not get it")
		}
	}

	// A refused keyset changes nothing.
	elsewhere, err := rotated.ForIssuer("https://elsewhere.example.com", b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		keys entitlements.Keys
		want error
	}{"an older keyset": {b.keys, entitlements.KeysetRollback}, "another issuer's": {elsewhere, entitlements.IssuerMismatch}} {
		if err := b.TakeKeys(t.Context(), test.keys); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.Keyset() != rotated.Compact {
		t.Error("a refused keyset is served")
	}

	// Nor does a server start with yesterday's keys: the database remembers the newer keyset.
	_, err = entitlements.New(t.Context(), entitlements.Config{
		Issuer: issuer, RPID: "app.example.com", Keys: b.keys, OfflineWindow: time.Hour, Now: b.clock.Now, Rand: rand.Reader,
	}, b.store)
	if rollback := (*entitlements.RollbackError)(nil); !errors.As(err, &rollback) || rollback.Served.Version != 2 || rollback.Keyset.Version != 1 {
		t.Errorf("a start with older keys: %v", err)
	}
}

// TestTakeKeysWhileServing makes requests during changes of the keys: each answer is consistent, and its document verifies
// under its keyset.
func TestTakeKeysWhileServing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	devices := []*device{b.link(t, b.user(t)), b.link(t, b.user(t)), b.link(t, b.user(t))}
	done := make(chan struct{})
	var group sync.WaitGroup
	for _, d := range devices {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := d.reconcile(t.Context(), b.Service)
				if err != nil {
					t.Error(err)
					return
				}
				d.lineage = r.Lineage
				keyset, err := b.keys.Roots.VerifyKeyset(r.Keyset, issuer, b.clock.Now())
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := (entitlements.Verifier{Keyset: keyset, Issuer: issuer}).Verify(r.Document, b.clock.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	keys := b.keys
	for range 20 {
		signer, _ := keys.Signer(b.clock.Now())
		proposal, made, err := keys.Retire(rand.Reader, b.clock.Now(), signer.ID(), true)
		if err != nil {
			t.Fatal(err)
		}
		keys = changed(t, keys, b.clock.Now(), proposal, made)
		if err := b.TakeKeys(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	group.Wait()
}

// TestMarkKeysetOnce checks that if two replicas take different keysets of one version, the second is refused.
func TestMarkKeysetOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	mark := func(root jose.PublicKey, version int64, digest string, roots entitlements.Roots) error {
		return b.store.MarkKeyset(t.Context(), entitlements.ServedKeyset{
			KeysetMark: entitlements.KeysetMark{Root: root.ID(), Version: version, Digest: digest}, Issuer: issuer,
		}, roots)
	}
	root := b.keys.Roots.Current
	for version := int64(2); version < 12; version++ {
		var (
			group   sync.WaitGroup
			results [4]error
		)
		for i := range results {
			group.Go(func() {
				results[i] = mark(root, version, fmt.Sprint(i), b.keys.Roots)
			})
		}
		group.Wait()
		taken := 0
		for _, err := range results {
			switch {
			case err == nil:
				taken++
			case !errors.Is(err, entitlements.KeysetRollback):
				t.Fatal(err)
			}
		}
		if taken != 1 {
			t.Errorf("version %d was taken for %d keysets", version, taken)
		}
	}
	// The roots keep their order, even if an earlier one tries again.
	both, _, err := b.keys.AddNextRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := mark(both.Next, 1, "", both); err != nil {
		t.Fatal(err)
	}
	if err := mark(root, 99, "", both); !errors.Is(err, entitlements.KeysetRollback) {
		t.Errorf("the root before: %v", err)
	}
	if err := mark(both.Next, 2, "", both); err != nil {
		t.Error(err)
	}
}

// TestForeignKeyset checks that a keyset of another root or origin changes nothing until the owner makes the database adopt
// it.
func TestForeignKeyset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before, err := b.store.ServedKeysets(t.Context())
	if err != nil || len(before) != 1 {
		t.Fatalf("%v, %v", before, err)
	}
	others, err := entitlements.GenerateKeys(rand.Reader, issuer, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := (*entitlements.ForeignKeysetError)(nil)
	if err := b.TakeKeys(t.Context(), others); !errors.As(err, &foreign) {
		t.Errorf("another root: %v", err)
	}
	moved, err := b.keys.ForIssuer("https://elsewhere.example.com", b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.MarkKeyset(t.Context(), moved.Keyset.Served(), moved.Roots); !errors.As(err, &foreign) {
		t.Errorf("another origin: %v", err)
	}
	if after, err := b.store.ServedKeysets(t.Context()); err != nil || !slices.Equal(after, before) {
		t.Errorf("what the database remembers: %v, was %v (%v)", after, before, err)
	}
	if err := b.TakeKeys(t.Context(), b.keys); err != nil {
		t.Errorf("the right keys: %v", err)
	}
}
