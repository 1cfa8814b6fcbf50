package ratios

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"holdfast/e2e/support"
)

// proxy passes connections on to a PostgreSQL and counts round trips.
type proxy struct {
	folder string // of its socket
	trips  atomic.Int64
}

// newProxy listens on a socket in a folder of its own, under the port of the cluster.
func newProxy(b *testing.B, cluster support.Cluster) *proxy {
	b.Helper()
	p := &proxy{folder: support.Folder(b)}
	name := ".s.PGSQL." + cluster.Port
	listener, err := net.Listen("unix", filepath.Join(p.folder, name))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", filepath.Join(cluster.Socket, name))
			if err != nil {
				client.Close()
				return
			}
			go func() {
				defer server.Close()
				io.Copy(server, client) //nolint:errcheck // either side may end the connection
			}()
			go func() {
				defer client.Close()
				p.pass(client, server)
			}()
		}
	}()
	return p
}

// pass copies the server's messages: a type and a length, which counts itself, each. Every round trip ends with
// ReadyForQuery (PostgreSQL, Frontend/Backend Protocol, section 54.7).
func (p *proxy) pass(client io.Writer, server io.Reader) {
	var head [5]byte
	for {
		if _, err := io.ReadFull(server, head[:]); err != nil {
			return
		}
		if head[0] == 'Z' {
			p.trips.Add(1)
		}
		if _, err := client.Write(head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(client, server, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return
		}
	}
}

// counted starts a replica that reaches the database through a proxy. The proxy costs time, so nothing else is measured
// there.
func (w *world) counted(b *testing.B) (*support.Server, *proxy) {
	b.Helper()
	cluster, err := support.FindCluster(w.holdfast.Data)
	if err != nil {
		b.Fatal(err)
	}
	through := newProxy(b, cluster)
	replica := w.holdfast.Replica(b)
	cluster.Socket = through.folder
	replica.DatabaseURL, replica.Settings = cluster.URL("holdfast_runtime"), w.holdfast.Settings
	if err := replica.Start(); err != nil {
		b.Fatal(err)
	}
	return replica, through
}

// tripsOf returns the round trips of a unit of work, whose prepared statements exist. The server's background work, some
// round trips a second, counts too.
func (w *world) tripsOf(r row, through *proxy) float64 {
	w.b.Helper()
	const tries = 200
	var before int64
	for n := range 2 * tries {
		if n == tries {
			before = through.trips.Load()
		}
		if r.before != nil {
			if err := r.before.prepare(0, n); err != nil {
				w.b.Fatal(err)
			}
		}
		if _, err := r.ours(w.b.Context(), 0, n); err != nil {
			w.b.Fatal(err)
		}
	}
	return float64(through.trips.Load()-before) / tries
}
