//go:build !linux

package sql

import "time"

// setUserTimeout does nothing: elsewhere the deadlines on the socket and the probes have to do.
func setUserTimeout(uintptr, time.Duration) error { return nil }
