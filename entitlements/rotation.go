package entitlements

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"holdfast/entitlements/jose"
)

// Signing keys take turns: the validity times of a keyset's keys follow each other without gap or overlap, and the
// newest ends with the keyset. A key stays published after its turn until the last document under it has ended.
//
// Every change is a keyset of a higher version, proposed from the present one. A root signs it, here or on another
// machine, and it becomes the present one if [Keys.Accept] takes it.

// ErrLastSigningKey is returned if a keyset would be left without a key that may sign now.
var ErrLastSigningKey = errors.New("no key would be left that may sign now")

// Proposal is a keyset that no root has signed yet.
type Proposal struct {
	Root   string `json:"root"` // thumbprint of the root that must sign it
	Keyset Keyset `json:"keyset"`
}

// ParseProposal reads the output of [Proposal.Marshal], and accepts nothing else.
func ParseProposal(data []byte) (Proposal, error) {
	var p Proposal
	if err := json.Unmarshal(data, &p, json.RejectUnknownMembers(true)); err != nil {
		return Proposal{}, fmt.Errorf("proposal: %w", err)
	}
	if err := p.Keyset.check(); err != nil {
		return Proposal{}, fmt.Errorf("proposal: %w", err)
	}
	return p, nil
}

// Marshal writes the proposal as JSON. It contains no secret.
func (p Proposal) Marshal() ([]byte, error) { return json.Marshal(p) }

// Sign signs the proposal as a keyset. It needs the root that the proposal names.
func (p Proposal) Sign(root jose.PrivateKey) (string, error) {
	if root.IsZero() || root.ID() != p.Root {
		return "", fmt.Errorf("root %s is to sign this keyset, not %s", p.Root, root.ID())
	}
	return p.Keyset.sign(root)
}

// Rotate proposes a keyset with a new signing key, whose turn begins lead from now and ends the present key's turn. It
// drops keys whose turn ended so long ago that documents of at most window have ended. The new private key must be
// stored before the keyset is.
func (k Keys) Rotate(rand io.Reader, now time.Time, lead, window time.Duration) (Proposal, jose.PrivateKey, error) {
	keyset := k.next(now)
	keyset.Keys = slices.DeleteFunc(keyset.Keys, func(entry KeysetKey) bool {
		return !time.Unix(entry.ExpiresAt, 0).Add(window).After(now)
	})
	if len(keyset.Keys) == 0 {
		return Proposal{}, jose.PrivateKey{}, ErrKeysetEnded
	}
	newest := keyset.newest()
	if newest.NotBefore > now.Unix() {
		return Proposal{}, jose.PrivateKey{}, fmt.Errorf("the next signing key %s is published already: its turn comes on %s",
			newest.KeyID, unixTime(newest.NotBefore))
	}
	start := max(now.Add(lead).Unix(), newest.NotBefore+1)
	if start >= keyset.ExpiresAt {
		return Proposal{}, jose.PrivateKey{}, fmt.Errorf("the keyset ends on %s, before a new key's turn would come: renew it first", unixTime(keyset.ExpiresAt))
	}
	newest.ExpiresAt = start
	key, err := newSigningKey(rand)
	if err != nil {
		return Proposal{}, jose.PrivateKey{}, err
	}
	keyset.Keys = append(keyset.Keys, newKeysetKey(key, start, keyset.ExpiresAt))
	return k.propose(keyset, k.Keyset.mark.Root, now, key)
}

// Retire proposes a keyset without the signing key: holders of that keyset reject documents under it. If the key's turn
// has not begun, the key before it continues to sign. If no key would be left that may sign now, replace makes one that
// may, and without replace Retire fails with [ErrLastSigningKey]. It returns the zero key if it made none.
func (k Keys) Retire(rand io.Reader, now time.Time, id string, replace bool) (Proposal, jose.PrivateKey, error) {
	keyset := k.next(now)
	i := slices.IndexFunc(keyset.Keys, func(entry KeysetKey) bool { return entry.KeyID == id })
	if i < 0 {
		return Proposal{}, jose.PrivateKey{}, fmt.Errorf("the keyset names no signing key %s", id)
	}
	gone := keyset.Keys[i]
	keyset.Keys = slices.Delete(keyset.Keys, i, i+1)
	for i := range keyset.Keys {
		if entry := &keyset.Keys[i]; gone.NotBefore > now.Unix() && entry.ExpiresAt == gone.NotBefore {
			entry.ExpiresAt = gone.ExpiresAt
		}
	}
	var key jose.PrivateKey
	if !slices.ContainsFunc(keyset.Keys, func(entry KeysetKey) bool { return entry.covers(now) && k.has(entry.KeyID) }) {
		if !replace {
			return Proposal{}, jose.PrivateKey{}, ErrLastSigningKey
		}
		var err error
		if key, err = newSigningKey(rand); err != nil {
			return Proposal{}, jose.PrivateKey{}, err
		}
		end := keyset.ExpiresAt
		for _, entry := range keyset.Keys {
			if entry.NotBefore > now.Unix() {
				end = min(end, entry.NotBefore)
			}
		}
		keyset.Keys = append(keyset.Keys, newKeysetKey(key, now.Unix(), end))
	}
	return k.propose(keyset, k.Keyset.mark.Root, now, key)
}

// Renew proposes the same keys in a keyset that ends life from now. Its version is above the present one's and above the
// given one, which is 0 unless keysets that are now lost have been served.
func (k Keys) Renew(now time.Time, life time.Duration, above int64) (Proposal, error) {
	keyset := k.next(now)
	keyset.Version = max(keyset.Version, above+1)
	keyset.ExpiresAt = now.Add(life).Unix()
	keyset.newest().ExpiresAt = keyset.ExpiresAt
	for i := range keyset.Keys {
		entry := &keyset.Keys[i]
		entry.ExpiresAt = min(entry.ExpiresAt, keyset.ExpiresAt)
	}
	proposal, _, err := k.propose(keyset, k.Keyset.mark.Root, now, jose.PrivateKey{})
	return proposal, err
}

// AddNextRoot makes a root for the second slot. It changes no keyset.
func (k Keys) AddNextRoot(rand io.Reader) (Roots, jose.PrivateKey, error) {
	if !k.Roots.Next.IsZero() {
		return Roots{}, jose.PrivateKey{}, fmt.Errorf("there is a next root already: %s", k.Roots.Next.ID())
	}
	root, err := jose.GenerateKey(rand)
	if err != nil {
		return Roots{}, jose.PrivateKey{}, err
	}
	return Roots{Current: k.Roots.Current, Next: root.PublicKey}, root, nil
}

// SwitchRoot proposes the same keyset under the next root. It needs nothing of the current one.
func (k Keys) SwitchRoot(now time.Time) (Proposal, error) {
	if k.Roots.Next.IsZero() {
		return Proposal{}, errors.New("there is no next root to switch to: make one first")
	}
	if k.Keyset.mark.Root == k.Roots.Next.ID() {
		return Proposal{}, errors.New("the keyset is signed by the next root already")
	}
	proposal, _, err := k.propose(k.next(now), k.Roots.Next.ID(), now, jose.PrivateKey{})
	return proposal, err
}

// PromoteRoot returns the roots with the next one as the current one, and no next one. The next root must have signed
// the keyset: a keyset signed by the current root would be left without a root.
func (k Keys) PromoteRoot() (Roots, error) {
	if k.Roots.Next.IsZero() {
		return Roots{}, errors.New("there is no next root to promote: make one, and switch to it, first")
	}
	if k.Keyset.mark.Root != k.Roots.Next.ID() {
		return Roots{}, errors.New("the keyset is still signed by the current root: switch to the next one first")
	}
	return Roots{Current: k.Roots.Next}, nil
}

// Accept returns the keys with a keyset signed for them in place of the present one. It fails with a
// [VerificationError], with [KeysetRollback] if the present one outranks it, and where [Keys.Usable] does.
func (k Keys) Accept(compact string, now time.Time) (Keys, error) {
	keyset, err := k.Roots.VerifyKeyset(compact, k.Keyset.Issuer, now)
	if err != nil {
		return Keys{}, err
	}
	if compact == k.Compact {
		return k, nil
	}
	if keyset.Version <= k.Keyset.Version || keyset.mark.Root == k.Roots.Current.ID() && k.Keyset.mark.Root == k.Roots.Next.ID() {
		return Keys{}, fmt.Errorf("%w: version %d is not above version %d that is here", KeysetRollback, keyset.Version, k.Keyset.Version)
	}
	k.Keyset, k.Compact = keyset, compact
	return k, k.Usable(now)
}

// next returns a copy of the keyset to edit into the next version.
func (k Keys) next(now time.Time) Keyset {
	keyset := k.Keyset
	keyset.mark = KeysetMark{} // it is unsigned
	keyset.Keys = slices.Clone(keyset.Keys)
	keyset.IssuedAt = now.Unix()
	keyset.Version++
	return keyset
}

// propose checks that the keyset will be usable once it is signed.
func (k Keys) propose(keyset Keyset, root string, now time.Time, made jose.PrivateKey) (Proposal, jose.PrivateKey, error) {
	if !made.IsZero() {
		k.Signing = append(slices.Clone(k.Signing), made)
	}
	k.Keyset = keyset
	if now.Unix() >= keyset.ExpiresAt {
		return Proposal{}, jose.PrivateKey{}, fmt.Errorf("%w: renew it first", ErrKeysetEnded)
	}
	if err := keyset.check(); err != nil {
		return Proposal{}, jose.PrivateKey{}, fmt.Errorf("the proposed keyset is invalid: %w", err)
	}
	if err := k.Usable(now); err != nil {
		return Proposal{}, jose.PrivateKey{}, err
	}
	return Proposal{Root: root, Keyset: keyset}, made, nil
}

// newest returns the key whose turn comes last.
func (k Keyset) newest() *KeysetKey {
	newest := &k.Keys[0]
	for i := range k.Keys {
		if k.Keys[i].NotBefore > newest.NotBefore {
			newest = &k.Keys[i]
		}
	}
	return newest
}

func unixTime(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
