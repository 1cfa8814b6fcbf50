package entitlements

import (
	"context"
	"fmt"
	"time"
)

// MaxClockOff is how far the server's clock may be from the database's. Beyond it, what the server would sign, and what it
// would judge by the time, is not to be trusted.
const MaxClockOff = 5 * time.Minute

// clockReading is what the database's clock showed when ours showed here.
type clockReading struct{ here, database time.Time }

// CheckClock compares the server's clock with the database's, which all replicas share, and says what [Service.ClockOff]
// says from then on. It is to be called every so often: in between, ClockOff notices by itself when our clock is set, as
// Go's monotonic clock goes on, but not when the database's is.
func (s *Service) CheckClock(ctx context.Context) error {
	asked := s.config.Now()
	database, err := s.store.Clock(ctx)
	if err != nil {
		return fmt.Errorf("check clock: %w", err)
	}
	// Somewhere in between; a reading that took long says less, but never that a good clock is off.
	took := s.config.Now().Sub(asked)
	off := asked.Round(0).Sub(database)
	if off < 0 {
		database = database.Add(-min(-off, took))
	}
	s.clock.Store(&clockReading{here: asked, database: database})
	return s.ClockOff()
}

// ClockOff fails with [ErrClockOff] where the server's clock is far from the database's, as far as is known.
func (s *Service) ClockOff() error {
	reading := s.clock.Load()
	if reading == nil {
		return nil
	}
	now := s.config.Now()
	off := now.Round(0).Sub(reading.database.Add(now.Sub(reading.here)))
	switch {
	case off > MaxClockOff:
		return fmt.Errorf("%w: it is %v ahead", ErrClockOff, off.Round(time.Second))
	case off < -MaxClockOff:
		return fmt.Errorf("%w: it is %v behind", ErrClockOff, -off.Round(time.Second))
	}
	return nil
}
