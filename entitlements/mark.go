package entitlements

import (
	"crypto/sha256"
	"fmt"
)

// KeysetMark is what is remembered of the highest keyset of a root that was served.
type KeysetMark struct {
	Root    string // thumbprint
	Version int64
	Digest  [sha256.Size]byte // of the compact form
}

func (k Keys) mark() KeysetMark {
	return KeysetMark{Root: k.Keyset.Root, Version: k.Keyset.Version, Digest: sha256.Sum256([]byte(k.Compact))}
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
