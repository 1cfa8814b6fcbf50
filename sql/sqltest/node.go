package sqltest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/sql/local"
)

// Node is a test's own PostgreSQL server, which the test may stop, freeze and promote. It has the migrated database
// holdfast, with the plan premium.
type Node struct {
	dir     string
	cluster *local.Cluster
}

// NewNode starts a primary.
func NewNode(t testing.TB) *Node {
	t.Helper()
	n := &Node{dir: folder(t)}
	n.Start(t)
	if err := setUp(t.Context(), n.URL(local.Owner)); err != nil {
		t.Fatal("sqltest:", err)
	}
	return n
}

// Standby starts a streaming standby of n and waits until it is n's synchronous standby. From then on, n commits nothing
// without it.
func (n *Node) Standby(t testing.TB) *Node {
	t.Helper()
	standby := &Node{dir: folder(t)}
	data := filepath.Join(standby.dir, "pg", "data")
	if err := os.Mkdir(filepath.Dir(data), 0o711); err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(n.dir, "pg", "data", "PG_VERSION"))
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(version)))
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	program, err := local.FindProgram(t.Context(), "pg_basebackup", major)
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	backup := exec.Command(program.Path, "--pgdata", data, "--write-recovery-conf", "--wal-method", "stream",
		"--checkpoint", "fast", "--no-sync", "--host", n.socket(t), "--port", "5432", "--username", local.Owner)
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("sqltest: pg_basebackup: %v: %s", err, out)
	}
	handOver(t, data, filepath.Join(n.dir, "pg", "data"))
	standby.Start(t)
	n.Exec(t, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	n.Exec(t, `SELECT pg_reload_conf()`)
	n.AwaitStandby(t)
	return standby
}

// AwaitStandby waits until a synchronous standby is connected.
func (n *Node) AwaitStandby(t testing.TB) {
	t.Helper()
	n.Await(t, `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync')`)
}

// Await waits until the query returns true.
func (n *Node) Await(t testing.TB, query string) {
	t.Helper()
	for !n.Is(t, query) {
		time.Sleep(10 * time.Millisecond)
	}
}

// Is returns the one value that the query returns.
func (n *Node) Is(t testing.TB, query string) (yes bool) {
	t.Helper()
	db := n.open(t)
	defer db.Close()
	if err := db.GetContext(t.Context(), &yes, query); err != nil {
		t.Fatalf("sqltest: %s: %v", query, err)
	}
	return yes
}

// Exec runs a statement as the owner.
func (n *Node) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	db := n.open(t)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("sqltest: %s: %v", statement, err)
	}
}

func (n *Node) open(t testing.TB) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("postgres", n.URL(local.Owner))
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	return db
}

// Start starts the node, also after a Stop.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster, err := local.Start(ctx, local.Options{Dir: filepath.Join(n.dir, "pg"), Fast: true})
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	n.cluster = cluster
	t.Cleanup(func() {
		n.freeze(t, syscall.SIGCONT)
		n.stop(t, cluster)
	})
}

// Stop stops the node.
func (n *Node) Stop(t testing.TB) { n.stop(t, n.cluster) }

func (n *Node) stop(t testing.TB, cluster *local.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := cluster.Stop(ctx); err != nil {
		t.Error("sqltest:", err)
	}
}

// Promote makes a standby the primary.
func (n *Node) Promote(t testing.TB) {
	t.Helper()
	n.Exec(t, `SELECT pg_promote()`)
}

// Freeze stops all processes of the node to simulate a hung machine: its kernel still accepts connections, but nothing
// answers.
func (n *Node) Freeze(t testing.TB) { n.freeze(t, syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (n *Node) Thaw(t testing.TB) { n.freeze(t, syscall.SIGCONT) }

func (n *Node) freeze(t testing.TB, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "pg", "data", "postmaster.pid"))
	if err != nil {
		return // stopped
	}
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	_ = syscall.Kill(postmaster, signal) // first, so that it forks no more
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // state, parent, …
		if len(fields) < 2 || fields[1] != strconv.Itoa(postmaster) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			_ = syscall.Kill(pid, signal)
		}
	}
}

// URL returns the address of the database for a role's login.
func (n *Node) URL(role string) string { return n.cluster.URL(role, local.Database) }

func (n *Node) socket(t testing.TB) string {
	t.Helper()
	address, err := url.Parse(n.URL(local.Owner))
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	return address.Query().Get("host")
}

// Proxy is a TCP address in front of a node. It can be led to another node, or drop all packets.
type Proxy struct {
	address string

	mu     sync.Mutex
	node   *Node
	hole   bool
	holes  int // number of black holes so far; connections made before the last one are dead
	opened []net.Conn
}

// NewProxy returns a proxy to node that runs until the test ends.
func NewProxy(t testing.TB, node *Node) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	p := &Proxy{address: listener.Addr().String(), node: node}
	t.Cleanup(func() {
		listener.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, conn := range p.opened {
			conn.Close()
		}
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.serve(t, client)
		}
	}()
	return p
}

// Hostport returns the proxy's host and port.
func (p *Proxy) Hostport() (host, port string) {
	host, port, _ = strings.Cut(p.address, ":")
	return host, port
}

// URL returns the address of the database for a role's login.
func (p *Proxy) URL(role string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", role, p.address, local.Database)
}

// Lead sends new connections to node. Open connections stay as they are.
func (p *Proxy) Lead(node *Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node = node
}

// BlackHole drops all data from now on, in both directions and on every connection, without closing any. New connections
// are accepted and receive nothing.
func (p *Proxy) BlackHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = true
	p.holes++
}

// Heal ends the black hole for new connections. Those that were open stay dead.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = false
}

// swallowed reports whether a black hole came after the first holes ones.
func (p *Proxy) swallowed(holes int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holes > holes
}

func (p *Proxy) serve(t testing.TB, client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, client)
	if p.hole {
		return
	}
	server, err := net.Dial("unix", filepath.Join(p.node.socket(t), ".s.PGSQL.5432"))
	if err != nil {
		client.Close()
		return
	}
	p.opened = append(p.opened, server)
	holes := p.holes
	forward := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			if p.swallowed(holes) {
				return
			}
			if n > 0 {
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					client.Close()
				}
				to.Close()
				return
			}
		}
	}
	go forward(server, client)
	go forward(client, server)
}

// folder returns a folder with a short path, because it holds sockets, that is open to PostgreSQL's account.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "node-")
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal("sqltest:", err)
	}
	return dir
}

// handOver gives everything below path to the owner of like.
func handOver(t testing.TB, path, like string) {
	t.Helper()
	info, err := os.Stat(like)
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return
	}
	err = filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
	if err != nil {
		t.Fatal("sqltest:", err)
	}
}
