//go:build !linux

package sql

import "time"

// setUserTimeout does nothing: on these systems, socket deadlines and keepalive probes must suffice.
func setUserTimeout(uintptr, time.Duration) error { return nil }
