package support

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTime = 150 * time.Second
	stopTime  = 15 * time.Second // the server gives running requests 10 s
)

// AdminToken is the bootstrap token of every server that [Server.Start] starts.
const AdminToken = "drill-token-0123456789-0123456789-0123456789"

// Server is one server process, which can be started, stopped and killed repeatedly on the same addresses.
type Server struct {
	Binary string
	Data   string // --data; holds the private cluster unless DatabaseURL is set
	Origin string // the public origin, that of the first of several processes
	// DatabaseURL is the database of a further process. Empty means a private cluster below Data.
	DatabaseURL string
	// Settings are further environment variables, NAME=value.
	Settings []string
	// Wrapper is a command that runs the program, such as "ip netns exec NAME". Optional.
	Wrapper []string

	listen, ops string
	log         lockedBuffer
	cmd         *exec.Cmd
	ended       chan struct{}
	exit        error
}

// NewServer chooses free addresses for a server with a private cluster in a new folder. When the test ends, it stops the
// process, searches its log for data races and panics, and shows the log if the test failed.
func NewServer(t testing.TB, binary string) *Server {
	t.Helper()
	s := &Server{Binary: binary, Data: Folder(t), listen: FreeAddress(t), ops: FreeAddress(t)}
	s.Origin = s.Address()
	s.cleanUp(t, "first")
	return s
}

// NewServerAt returns a server with given addresses and a data folder that contains its keys.
func NewServerAt(t testing.TB, name, binary, data, listen, ops string) *Server {
	s := &Server{Binary: binary, Data: data, listen: listen, ops: ops}
	s.Origin = s.Address()
	s.cleanUp(t, name)
	return s
}

// Replica returns a second process on the first one's running database, keys and origin.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	cluster, err := FindCluster(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	r := &Server{
		Binary: s.Binary, Data: s.Data, Origin: s.Origin, DatabaseURL: cluster.URL("holdfast_runtime"),
		listen: FreeAddress(t), ops: FreeAddress(t),
	}
	r.cleanUp(t, "second")
	return r
}

func (s *Server) cleanUp(t testing.TB, name string) {
	t.Cleanup(func() {
		if s.Running() {
			if err := s.Stop(); err != nil {
				t.Errorf("%s server: %v", name, err)
			}
		}
		log := s.log.String()
		for _, trouble := range []string{"DATA RACE", "panic:", "level=ERROR msg=panic"} {
			if strings.Contains(log, trouble) {
				t.Errorf("the log of the %s server has %q", name, trouble)
			}
		}
		if t.Failed() {
			t.Logf("log of the %s server:\n%s", name, tail(log, 16<<10))
		}
	})
}

// Address returns the process's own address, whatever the origin.
func (s *Server) Address() string { return "http://" + s.listen }

// Client returns a new client of this process.
func (s *Server) Client() *Client { return NewClient(s.Origin, s.Address()) }

// Start starts the process and waits until it reports that it is ready.
func (s *Server) Start() error {
	command := slices.Concat(s.Wrapper, []string{s.Binary, "serve", "--data", s.Data, "--listen", s.listen, "--ops-listen", s.ops, "--origin", s.Origin})
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(withoutSettings(os.Environ()), "HOLDFAST_ADMIN_TOKEN="+AdminToken)
	cmd.Env = append(cmd.Env, s.Settings...)
	if s.DatabaseURL != "" {
		cmd.Env = append(cmd.Env, "HOLDFAST_DATABASE_URL="+s.DatabaseURL)
	}
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.cmd, s.ended = cmd, ended
	go func() {
		s.exit = cmd.Wait()
		close(ended)
	}()

	deadline := time.Now().Add(startTime)
	for time.Now().Before(deadline) {
		if s.Ready() {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the server ended at its start: %w\n%s", s.exit, tail(s.log.String(), 4<<10))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server is not ready after %v\n%s", startTime, tail(s.log.String(), 4<<10))
}

// PID returns the process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Ready asks /readyz.
func (s *Server) Ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Metrics reads /metrics.
func (s *Server) Metrics() (string, error) {
	response, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// Log returns the output of the process so far, over all its starts.
func (s *Server) Log() string { return s.log.String() }

// Running reports whether the process is alive.
func (s *Server) Running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Stop sends SIGTERM and waits; an exit code other than 0 is an error.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return s.exit
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("the server lives %v after SIGTERM", stopTime), s.Kill())
	}
}

// Kill sends SIGKILL and waits until the process is gone. Its PostgreSQL may live a moment longer.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return nil
}

// Cluster is a running private PostgreSQL cluster.
type Cluster struct {
	PID    int
	Socket string // folder
	Port   string
}

// FindCluster reads PostgreSQL's own postmaster.pid below a data folder.
func FindCluster(data string) (Cluster, error) {
	files, err := filepath.Glob(filepath.Join(data, "*", "data", "postmaster.pid"))
	if err != nil {
		return Cluster{}, err
	}
	if len(files) != 1 {
		return Cluster{}, fmt.Errorf("%d running clusters below %s", len(files), data)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return Cluster{}, err
	}
	lines := strings.Split(string(content), "\n") // pid, data folder, start, port, socket folder, …
	if len(lines) < 5 {
		return Cluster{}, fmt.Errorf("%s: %d lines", files[0], len(lines))
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	return Cluster{PID: pid, Port: lines[3], Socket: lines[4]}, err
}

// URL returns the address of the server's database for a role.
func (c Cluster) URL(role string) string {
	query := url.Values{"host": {c.Socket}, "port": {c.Port}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(role), Path: "/holdfast", RawQuery: query.Encode()}).String()
}

// Processes lists the processes whose command line names a folder.
func Processes(folder string) ([]string, error) {
	out, err := exec.Command("ps", "-ww", "-eo", "pid=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, folder) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found, nil
}

// Folder creates a folder that is removed after the test and that any user may enter: PostgreSQL does not run as root,
// and [testing.T.TempDir] is closed to all others.
func Folder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "hf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o711); err != nil {
		t.Fatal(err)
	}
	return folder
}

// FreeAddress finds an address of this machine that nothing listens on. Its port lies below those that the system gives
// to outgoing connections and to listeners without a port: such a port may be taken before the server listens on it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("localhost:%d", 12_000+rand.IntN(20_000))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// withoutSettings removes variables that would configure the server from outside the test.
func withoutSettings(environment []string) []string {
	var kept []string
	for _, pair := range environment {
		if name, _, _ := strings.Cut(pair, "="); name == "DATABASE_URL" ||
			strings.HasPrefix(name, "HOLDFAST_") && name != "HOLDFAST_POSTGRES_BIN" {
			continue
		}
		kept = append(kept, pair)
	}
	return kept
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func tail(text string, size int) string {
	if len(text) > size {
		return "…" + text[len(text)-size:]
	}
	return text
}

// Goroutines returns the number of goroutines of the process, and their profile.
func (s *Server) Goroutines() (int, string, error) {
	response, err := http.Get("http://" + s.ops + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", err
	}
	var total int
	_, err = fmt.Sscanf(string(profile), "goroutine profile: total %d", &total)
	return total, string(profile), err
}

// ListenAddress returns the host and port of the public listener.
func (s *Server) ListenAddress() string { return s.listen }

// OpsAddress returns the host and port of the operations listener.
func (s *Server) OpsAddress() string { return s.ops }
