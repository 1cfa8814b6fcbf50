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

// watchClock logs when the server's clock differs too much from the database's to be trusted, and when they agree again,
// until ctx ends.
func watchClock(ctx context.Context, rights *entitlements.Service, log *slog.Logger) {
	var off error
	entitlements.Repeat(ctx, clockPoll, nil, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, clockPoll)
		defer cancel()
		// Without an answer from the database, the last comparison stands.
		if err := rights.CheckClock(ctx); err == nil || errors.Is(err, entitlements.ErrClockOff) {
			off = err
		}
		return off
	}, func(err error) {
		if err != nil {
			log.Error("clock is off: refusing requests, signing nothing", "error", err)
			return
		}
		log.Info("clock agrees with the database again")
	})
}
