package entitlements

import (
	"crypto/sha256"
	"fmt"

	"holdfast/entitlements/jose"
)

// KeysetMark is the newest keyset taken of one root. Whoever keeps marks cannot be given an old keyset again, and with
// it a signing key that was withdrawn.
type KeysetMark struct {
	// Root is the kid of the root that signed: its slot is looked up when it is needed, because a root moves from next
	// to current.
	Root    string `json:"root"`
	Version int64  `json:"version"`
	// Digest is the base64url SHA-256 of the keyset's compact form.
	Digest string `json:"digest"`
}

// KeysetMarks is at most one mark for each root. Nil is what somebody has who never took a keyset.
type KeysetMarks []KeysetMark

// Take judges a keyset that [Roots.VerifyKeyset] has returned under the same roots, and returns the marks to keep once
// it is used. It fails with [KeysetRollback] where a newer one was taken before: one by the next root outranks all by the
// current one; below that a lower version is older, and so are other bytes of the same version. Marks of roots that are
// embedded no longer are dropped.
func (m KeysetMarks) Take(keyset Keyset, roots Roots) (KeysetMarks, error) {
	taken := keyset.mark
	kept := KeysetMarks{}
	for _, mark := range m {
		switch {
		case mark.Root != taken.Root && roots.slot(mark.Root) > roots.slot(taken.Root),
			mark.Root == taken.Root && taken.Version < mark.Version,
			mark.Root == taken.Root && taken.Version == mark.Version && taken.Digest != mark.Digest:
			return nil, KeysetRollback
		case mark.Root != taken.Root && roots.slot(mark.Root) > 0:
			kept = append(kept, mark)
		}
	}
	return append(kept, taken), nil
}

// slot is the rank of a root: 0 for one that is not embedded, and more for next than for current.
func (r Roots) slot(kid string) int {
	switch {
	case kid == "":
		return 0
	case kid == r.Current.ID():
		return 1
	case kid == r.Next.ID():
		return 2
	default:
		return 0
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return jose.EncodeBase64(sum[:])
}

// Follows says whether the keyset may be served after those that marks remember, one of each root, in the order in
// which the roots came. It is what devices check, from the side that makes them: a version never goes back, is never
// used for two keysets, and a root that another has followed is over. It fails with a [*RollbackError]. A root that is
// not among the marks comes after all that are.
func (m KeysetMark) Follows(marks []KeysetMark) error {
	for i, served := range marks {
		if served.Root != m.Root {
			continue
		}
		if last := marks[len(marks)-1]; i < len(marks)-1 {
			return &RollbackError{Keyset: m, Served: last}
		}
		if m.Version < served.Version || m.Version == served.Version && m.Digest != served.Digest {
			return &RollbackError{Keyset: m, Served: served}
		}
	}
	return nil
}

// RollbackError says that devices would refuse a keyset, because they may have seen another. It is [KeysetRollback].
type RollbackError struct{ Keyset, Served KeysetMark }

func (e *RollbackError) Error() string {
	switch {
	case e.Keyset.Root != e.Served.Root:
		return fmt.Sprintf("%v: it is signed by root %s, and keysets of root %s were served since", KeysetRollback, e.Keyset.Root, e.Served.Root)
	case e.Keyset.Version == e.Served.Version:
		return fmt.Sprintf("%v: another keyset was served as version %d", KeysetRollback, e.Served.Version)
	default:
		return fmt.Sprintf("%v: it is version %d, and version %d was served already", KeysetRollback, e.Keyset.Version, e.Served.Version)
	}
}

// Unwrap makes it [KeysetRollback].
func (e *RollbackError) Unwrap() error { return KeysetRollback }
