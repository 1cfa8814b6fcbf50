package entitlements

import (
	"context"
	"fmt"
	"time"
)

// Gap records that the database lacks commits, because it was restored from a backup or otherwise lost them. A device
// has shown it: it holds a document of a revision that the database does not remember issuing. The changes in between
// are unknown and may include a revocation, so an operator must look.
type Gap struct {
	ID     string // of the audit entry that records it
	At     time.Time
	User   UserID
	Device DeviceID
	// DeviceRevision is the revision that the device knew, DatabaseRevision the user's at that time. The latter may be
	// as high if changes since the loss have reused the lost revision numbers.
	DeviceRevision   int64
	DatabaseRevision int64
	// DeviceActs is the number of the device's acts that had been taken, DatabaseActs that of those that the database still
	// had. The verdicts on those in between, and the acts, are lost.
	DeviceActs   int64
	DatabaseActs int64
}

// gapFound is the audit action that records a gap.
const gapFound = "gap.found"

// gap reports whether the token shows a gap: a revision above the user's or, if the database has lost a reconcile of the
// device, above that of the last document that it remembers; or acts that it does not remember.
func (t Token) gap(d Device, revision int64) bool {
	return t.Revision > revision || t.Ledger.Seq > d.Ledger.Seq ||
		t.Generation > d.Lineage.N && d.DocumentRevision != nil && t.Revision > *d.DocumentRevision
}

// GapQuery selects gaps older than Before, if it is not "".
type GapQuery struct {
	Before string
	Limit  int
}

// Gaps lists the open gaps, newest first. Gaps of erased users are left out.
func (s *Service) Gaps(ctx context.Context, query GapQuery) ([]Gap, error) {
	gaps, err := s.store.Gaps(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("gaps: %w", err)
	}
	return gaps, nil
}

// CloseGap records that an operator has examined the gap. Closing it again changes nothing. It fails with [ErrNotFound]
// if the id names no gap.
func (s *Service) CloseGap(ctx context.Context, actor, id, reason string) error {
	if err := requireReason(reason); err != nil {
		return err
	}
	if err := s.store.CloseGap(ctx, id, AuditEntry{At: s.instant(), Actor: actor, Action: "gap.closed", Reason: reason}); err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	return nil
}
