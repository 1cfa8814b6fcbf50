package entitlements

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/entitlements/jose"
)

// KeysetMark records the newest keyset taken from one root. A client that holds marks cannot be given an old keyset
// again, and with it a withdrawn signing key.
type KeysetMark struct {
	// Root is the kid of the root that signed. Its slot is looked up when needed, because a root moves from next to
	// current.
	Root    string `json:"root"`
	Version int64  `json:"version"`
	// Digest is the base64url SHA-256 of the keyset's compact form.
	Digest string `json:"digest"`
}

// KeysetMarks holds at most one mark for each root. Nil means that no keyset was ever taken.
type KeysetMarks []KeysetMark

// Take judges a keyset that [Roots.VerifyKeyset] has returned under the same roots, and returns the marks to keep once
// the keyset is used. It fails with [KeysetRollback] if a newer one was taken before. Any keyset of the next root
// outranks all of the current one. Within a root, a lower version is older, and so are other bytes of the same version.
// Marks of roots that are no longer embedded are dropped.
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

// slot returns the rank of a root: 0 for one that is not embedded, and higher for next than for current.
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

// ServedKeyset is a database's record of a keyset that was served from it.
type ServedKeyset struct {
	KeysetMark
	Issuer string
}

// Served returns the database's record of k.
func (k Keyset) Served() ServedKeyset { return ServedKeyset{KeysetMark: k.mark, Issuer: k.Issuer} }

// Follows returns nil if s may be served from a database that has served these keysets, one of each root, in the order
// in which the roots were first served. Roots are those embedded in the app that is served with s.
//
// A database belongs to one issuer and its roots: one start with the wrong keys or origin must not change its record. A
// new root is accepted only as the successor of the last one served. Anything else fails with a [*ForeignKeysetError];
// [ServedKeyset.Adopt] overrides that.
//
// The other rules are those that devices check: a version never goes back and is never used for two keysets, and a root
// ends once another has followed it. Breaking one fails with a [*RollbackError].
func (s ServedKeyset) Follows(served []ServedKeyset, roots Roots) error {
	if len(served) == 0 {
		return nil
	}
	last := served[len(served)-1]
	if s.Issuer != last.Issuer && !SameMachine(s.Issuer, last.Issuer) {
		return &ForeignKeysetError{Keyset: s, Served: last}
	}
	at := slices.IndexFunc(served, func(before ServedKeyset) bool { return before.Root == s.Root })
	switch {
	case at < 0 && roots.slot(last.Root) == 1 && roots.slot(s.Root) == 2:
		return nil
	case at < 0:
		return &ForeignKeysetError{Keyset: s, Served: last}
	case at < len(served)-1:
		return &RollbackError{Keyset: s.KeysetMark, Served: last.KeysetMark}
	default:
		return s.rollsBack(last)
	}
}

// rollsBack compares two keysets of one root.
func (s ServedKeyset) rollsBack(served ServedKeyset) error {
	if s.Version < served.Version || s.Version == served.Version && s.Digest != served.Digest {
		return &RollbackError{Keyset: s.KeysetMark, Served: served.KeysetMark}
	}
	return nil
}

// Adopt returns the audit entry for making s, of any root and issuer, the only keyset in the database's record. It fails
// with a [*RollbackError] if the database has served a newer keyset of the same root and issuer.
func (s ServedKeyset) Adopt(served []ServedKeyset, actor string, at time.Time) (AuditEntry, error) {
	type state struct {
		Issuer  string `json:"issuer"`
		Root    string `json:"root"`
		Version int64  `json:"version"`
	}
	entry := AuditEntry{At: at, Actor: actor, Action: "keyset.adopted", Object: "root:" + s.Root}
	for _, before := range served {
		if before.Root == s.Root && before.Issuer == s.Issuer {
			if err := s.rollsBack(before); err != nil {
				return AuditEntry{}, err
			}
		}
		entry.Before = auditJSON(state{before.Issuer, before.Root, before.Version}) // of the last one
	}
	entry.After = auditJSON(state{s.Issuer, s.Root, s.Version})
	return entry, nil
}

// SameMachine reports whether both origins are plain http, which is allowed only for origins on this machine. Their
// ports may differ from start to start.
func SameMachine(origin, other string) bool {
	return strings.HasPrefix(origin, "http://") && strings.HasPrefix(other, "http://")
}

// ForeignKeysetError is returned for a keyset of another root or issuer than the database has served.
type ForeignKeysetError struct{ Keyset, Served ServedKeyset }

func (e *ForeignKeysetError) Error() string {
	return fmt.Sprintf("the database has served keysets of root %s for %s, and this one is of root %s for %s",
		e.Served.Root, e.Served.Issuer, e.Keyset.Root, e.Keyset.Issuer)
}

// RollbackError is returned for a keyset that devices would refuse because they may have seen another. It is
// [KeysetRollback].
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
