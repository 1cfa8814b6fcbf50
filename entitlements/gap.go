package entitlements

import (
	"context"
	"fmt"
	"time"
)

// Gap is what a database lacks that was restored from a backup, or lost commits otherwise, as far as a device has shown it:
// the device was given a document of a revision that the database does not remember giving. What the revisions in between
// changed is unknown; a revocation may be among them, so somebody has to look.
type Gap struct {
	ID     int64 // of the audit entry that tells of it
	At     time.Time
	User   UserID
	Device DeviceID
	// DeviceRevision is the revision that the device knew, DatabaseRevision the user's at that time. The latter may be as high,
	// where changes since the loss have taken the numbers of those that were lost.
	DeviceRevision   int64
	DatabaseRevision int64
}

// gapFound is the audit action that records a gap.
const gapFound = "gap.found"

// gap reports whether the token shows a gap: a revision above the user's or, if the database has forgotten a reconcile of the
// device, above that of the last document that it knows of.
func (t Token) gap(d Device, revision int64) bool {
	return t.Revision > revision ||
		t.Generation > d.Lineage.N && d.DocumentRevision != nil && t.Revision > *d.DocumentRevision
}

// GapQuery selects gaps older than Before, where it is not 0.
type GapQuery struct {
	Before int64
	Limit  int
}

// Gaps lists the gaps that nobody has closed, newest first. Gaps of erased users are left out.
func (s *Service) Gaps(ctx context.Context, query GapQuery) ([]Gap, error) {
	gaps, err := s.store.Gaps(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("gaps: %w", err)
	}
	return gaps, nil
}

// CloseGap says that somebody has looked. Closed already, it stays as it was closed. [ErrNotFound] where it is no gap.
func (s *Service) CloseGap(ctx context.Context, actor string, id int64, reason string) error {
	if err := requireReason(reason); err != nil {
		return err
	}
	if err := s.store.CloseGap(ctx, id, AuditEntry{At: s.instant(), Actor: actor, Action: "gap.closed", Reason: reason}); err != nil {
		return fmt.Errorf("close gap: %w", err)
	}
	return nil
}
