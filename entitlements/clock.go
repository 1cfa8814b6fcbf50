package entitlements

import (
	"context"
	"fmt"
	"time"
)

// MaxClockOff is how far the server's clock may be from the database's. Beyond it, the server must neither sign nor make
// decisions that depend on the time.
const MaxClockOff = 5 * time.Minute

// clockReading pairs readings of the two clocks at one moment.
type clockReading struct{ here, database time.Time }

// CheckClock compares the server's clock with the database's, which all replicas share, and returns the new result of
// [Service.ClockOff]. It must be called regularly: between calls, ClockOff notices by Go's monotonic clock when the
// server's clock is set, but not when the database's is.
func (s *Service) CheckClock(ctx context.Context) error {
	asked := s.config.Now()
	database, err := s.store.Clock(ctx)
	if err != nil {
		return fmt.Errorf("check clock: %w", err)
	}
	// The database read its clock at some time in between. A slow answer makes the check less exact, but never reports a
	// good clock as off.
	took := s.config.Now().Sub(asked)
	off := asked.Round(0).Sub(database)
	if off < 0 {
		database = database.Add(-min(-off, took))
	}
	s.clock.Store(&clockReading{here: asked, database: database})
	return s.ClockOff()
}

// ClockOff returns [ErrClockOff] if the server's clock is known to be far from the database's.
func (s *Service) ClockOff() error {
	off := s.ClockAhead()
	switch {
	case off > MaxClockOff:
		return fmt.Errorf("%w: it is %v ahead", ErrClockOff, off.Round(time.Second))
	case off < -MaxClockOff:
		return fmt.Errorf("%w: it is %v behind", ErrClockOff, -off.Round(time.Second))
	}
	return nil
}

// ClockAhead returns how far the server's clock is ahead of the database's, 0 before the first reading.
func (s *Service) ClockAhead() time.Duration {
	reading := s.clock.Load()
	if reading == nil {
		return 0
	}
	now := s.config.Now()
	return now.Round(0).Sub(reading.database.Add(now.Sub(reading.here)))
}
