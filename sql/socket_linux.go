package sql

import (
	"time"

	"golang.org/x/sys/unix"
)

func setUserTimeout(descriptor uintptr, d time.Duration) error {
	return unix.SetsockoptInt(int(descriptor), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
}
