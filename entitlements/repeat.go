package entitlements

import (
	"context"
	"time"
)

// Repeat runs work at once, at each interval and for each value on wake, which may be nil, until ctx ends. It calls
// report with the error when work begins to fail, and with nil when it works again.
func Repeat(ctx context.Context, every time.Duration, wake <-chan struct{}, work func(context.Context) error, report func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failing := false
	for {
		err := work(ctx)
		if ctx.Err() != nil {
			return
		}
		if failed := err != nil; failed != failing {
			failing = failed
			report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-ticker.C:
		}
	}
}
