package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"holdfast/entitlements"
)

// clockPoll is how often the server compares its clock with the database's.
const clockPoll = 10 * time.Second

// clockWatch logs when the server's clock differs too much from the database's to be trusted, and when they agree again.
type clockWatch struct {
	check func(context.Context) error
	log   *slog.Logger
	off   bool
}

// run compares the clocks at each interval until ctx ends.
func (w *clockWatch) run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

func (w *clockWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockPoll)
	defer cancel()
	err := w.check(ctx)
	switch off := errors.Is(err, entitlements.ErrClockOff); {
	case off && !w.off:
		w.log.Error("clock is off: refusing requests, signing nothing", "error", err)
		w.off = true
	case err == nil && w.off:
		w.log.Info("clock agrees with the database again")
		w.off = false
	}
}
