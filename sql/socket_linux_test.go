package sql_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/sql"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestSocketsNoticeLostPackets checks that the kernel ends connections whose packets are dropped, idle or not, within
// seconds: those of the pool and the one that listens.
func TestSocketsNoticeLostPackets(t *testing.T) {
	t.Parallel()
	proxy := sqltest.NewProxy(t, sqltest.NewNode(t))
	_, port := proxy.Hostport()
	db, err := sql.Open(t.Context(), proxy.URL(local.Runtime))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := func(who string) (found int) {
		t.Helper()
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			fd, err := strconv.Atoi(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			leads := func() bool {
				peer, err := unix.Getpeername(fd)
				to, ok := peer.(*unix.SockaddrInet4)
				return err == nil && ok && strconv.Itoa(to.Port) == port
			}
			option := func(level, name int) int {
				value, err := unix.GetsockoptInt(fd, level, name)
				if err != nil {
					return -1
				}
				return value
			}
			isOurs := leads()
			got := fmt.Sprintf("unacknowledged for %d ms; keepalive %d: after %d s, every %d s, %d times",
				option(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT), option(unix.SOL_SOCKET, unix.SO_KEEPALIVE),
				option(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), option(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), option(unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
			if !isOurs || !leads() { // other tests open and close files meanwhile
				continue
			}
			found++
			if got != "unacknowledged for 5000 ms; keepalive 1: after 5 s, every 2 s, 3 times" {
				t.Errorf("%s: %s", who, got)
			}
		}
		return found
	}
	if n := check("the pool"); n != 1 {
		t.Fatalf("%d connections of the pool", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := sql.Listen(ctx, proxy.URL(local.Runtime), audience(make(chan struct{}, 1))); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 2; time.Sleep(10 * time.Millisecond) { // until it has connected
		n = check("the pool and the listener")
	}
}
