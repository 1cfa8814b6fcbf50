package ratios

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	streams        = 5000
	streamsPerUser = 20        // the most that a user can have
	streamsMemory  = 200 << 20 // the most that the server may need for them
)

// idleStreams opens event streams at a new process and prints its memory.
func (w *world) idleStreams() {
	w.b.Helper()
	// Go raises the soft limit by itself, here and in the server.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		w.b.Fatal(err)
	}
	if files.Max < streams*3/2 {
		w.b.Fatalf("%d event streams may take three quarters of the open files, and the hard limit is %d: raise it (ulimit -Hn)", streams, files.Max)
	}
	listeners := w.accounts(streams/streamsPerUser, w.holdfast.Origin, false)
	replica := w.holdfast.Replica(w.b)
	if err := replica.Start(); err != nil {
		w.b.Fatal(err)
	}
	before, err := memory(replica.PID())
	if err != nil {
		w.b.Fatal(err)
	}

	var wg sync.WaitGroup
	todo := make(chan account)
	for range 8 {
		wg.Go(func() {
			for a := range todo {
				conn, err := openStream(replica.ListenAddress(), a.client.Cookies())
				if err != nil {
					w.b.Error(err)
					continue
				}
				w.b.Cleanup(func() { conn.Close() })
			}
		})
	}
	for n := range streams {
		todo <- listeners[n%len(listeners)]
	}
	close(todo)
	wg.Wait()

	most := 0
	for range 6 { // over at least one comment on each stream
		now, err := memory(replica.PID())
		if err != nil {
			w.b.Fatal(err)
		}
		most = max(most, now)
		time.Sleep(5 * time.Second)
	}
	metrics, err := replica.Metrics()
	if err != nil {
		w.b.Fatal(err)
	}
	if !strings.Contains(metrics, fmt.Sprintf("holdfast_event_streams %d\n", streams)) {
		w.b.Errorf("not all of %d event streams are open", streams)
	}
	fmt.Printf("Idle: %d event streams, RSS %d MB at most, %d MB without; %d KB each\n", streams, most>>20, before>>20, (most-before)/streams>>10)
	if most > streamsMemory {
		w.b.Errorf("%d event streams need %d MB; at most %d", streams, most>>20, streamsMemory>>20)
	}
}

// openStream opens an event stream and reads its first event.
func openStream(address string, cookies []*http.Cookie) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/events", nil)
	if err != nil {
		return nil, err
	}
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data:") {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("an event stream does not begin")
}
