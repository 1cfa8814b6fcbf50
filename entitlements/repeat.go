package entitlements

import (
	"context"
	"time"
)

// Poll calls work at once, at each interval, and for each value on wake, which may be nil, until ctx ends. Work is told
// whether a value on wake was the cause.
func Poll[W any](ctx context.Context, every time.Duration, wake <-chan W, work func(woken bool)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for woken := false; ; {
		work(woken)
		select {
		case <-ctx.Done():
			return
		case <-wake:
			woken = true
		case <-ticker.C:
			woken = false
		}
	}
}

// Repeat is Poll for work that may fail. It calls report with the error when work begins to fail, and with nil when it
// works again.
func Repeat(ctx context.Context, every time.Duration, wake <-chan struct{}, work func(context.Context) error, report func(error)) {
	failing := false
	Poll(ctx, every, wake, func(bool) {
		err := work(ctx)
		if failed := err != nil; failed != failing && ctx.Err() == nil {
			failing = failed
			report(err)
		}
	})
}
