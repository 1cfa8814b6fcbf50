package sql

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// userTimeout is how long the other machine may leave sent data unacknowledged. Without it, the kernel keeps trying for a
// quarter of an hour.
const userTimeout = 5 * time.Second

// newDialer returns a dialer whose connections, even idle ones, end within seconds when the other machine falls silent.
func newDialer() *dialer {
	return &dialer{net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control: func(network, _ string, raw syscall.RawConn) error {
			if network != "tcp4" && network != "tcp6" {
				return nil
			}
			var failed error
			if err := raw.Control(func(descriptor uintptr) { failed = setUserTimeout(descriptor, userTimeout) }); err != nil {
				return err
			}
			return failed
		},
	}}
}

// dialer adapts [net.Dialer] to the driver's interface.
type dialer struct{ net.Dialer }

// DialTimeout implements [pq.Dialer].
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	hurried := d.Dialer
	hurried.Timeout = timeout
	return hurried.Dial(network, address)
}

// poolDialer dials for a pool.
type poolDialer struct{ *dialer }

type socketKey struct{}

// DialContext implements [pq.DialerContext]. The context of a pool connection holds its socket. To cancel a statement, the
// driver dials without such a context and waits: those connections are short-lived.
func (d *poolDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	socket, ofPool := ctx.Value(socketKey{}).(*socket)
	if !ofPool {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		made, err := d.Dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return hurried{made}, nil
	}
	made, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return socket.use(made)
}

// hurried is a short-lived connection: any deadline is at most grace away.
type hurried struct{ net.Conn }

// SetDeadline implements [net.Conn].
func (h hurried) SetDeadline(time.Time) error { return h.Conn.SetDeadline(time.Now().Add(grace)) }

// socket is the network connection below a connection of the pool, and below its TLS if it has any. Its methods hurry and
// abort may be called at any time, from any goroutine.
type socket struct {
	wrote atomic.Bool // something was sent since this was last cleared

	mu      sync.Mutex
	conn    net.Conn // nil until connected
	aborted bool
}

// use remembers conn and returns it, wrapped, for the driver.
func (s *socket) use(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	if s.aborted {
		_ = conn.Close()
	}
	return counted{conn, s}, nil
}

// hurry leaves the other side only grace to answer.
func (s *socket) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.SetDeadline(time.Now().Add(grace))
	}
}

// abort closes the connection, or interrupts the attempt to make one.
func (s *socket) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted = true; s.conn != nil {
		_ = s.conn.Close()
	}
}

// counted records in its socket that something was sent.
type counted struct {
	net.Conn
	socket *socket
}

// Write implements [net.Conn].
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.socket.wrote.Store(true)
	}
	return n, err
}
