package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// Owner is the superuser of a private cluster. It runs the migrations.
	Owner = "holdfast_owner"
	// Runtime is the login role of the server.
	Runtime = "holdfast_runtime"
	// Database is the database created at the first start.
	Database = "holdfast"
)

// ErrInUse is returned by [Start] while another process holds the folder.
var ErrInUse = errors.New("in use by another process")

// Options configure a cluster.
type Options struct {
	// Dir is created if it does not exist. The user that PostgreSQL runs as must be able to pass through its parent.
	Dir string
	// Logger gets PostgreSQL's own log lines at level debug, or at level warn for PANIC, and for FATAL unless the server
	// was asked to stop.
	Logger *slog.Logger
	// Fast disables durability, for tests only: a crash of the machine loses the cluster.
	Fast bool
}

// Cluster is a running private cluster.
type Cluster struct {
	socket    string // folder of the socket
	temporary bool   // Stop removes the folder
	lock      *os.File
	pid       int
	done      chan struct{} // closed when the server has ended; nil for a cluster that another process runs
	log       *logWriter
}

// Start starts the cluster in opts.Dir, creating it if necessary, and returns when it accepts connections and has the roles
// and the database. It refuses a folder made by another major version of PostgreSQL. While another process runs the
// cluster, the error is [ErrInUse].
//
// ctx bounds the start, not the life of the cluster: call Stop to end it.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	c, err := start(ctx, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("private PostgreSQL in %s: %w", dir, err)
	}
	return c, nil
}

func start(ctx context.Context, dir string, opts Options) (_ *Cluster, err error) {
	who, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	if err := who.mkdirAbove(dir); err != nil {
		return nil, err
	}
	if err := who.canReach(filepath.Join(dir, "data")); err != nil {
		return nil, err
	}
	c := &Cluster{done: make(chan struct{})}
	if c.lock, err = lock(filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.release()
		}
	}()

	data := filepath.Join(dir, "data")
	if err := awaitPredecessor(ctx, data); err != nil {
		return nil, err
	}
	bin, err := findBinaries(ctx, data, who)
	if err != nil {
		return nil, err
	}
	if err := initialise(ctx, bin, data, who, opts.Fast); err != nil {
		return nil, err
	}
	if err := c.makeSocketDir(dir, who); err != nil {
		return nil, err
	}
	if err := c.launch(ctx, bin, data, who, opts); err != nil {
		return nil, err
	}
	if err := c.provision(ctx); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// Remove removes the cluster in dir, even one whose creation was killed halfway, and stops any server that was left
// running. While another process holds it, the error is [ErrInUse].
func Remove(ctx context.Context, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return fmt.Errorf("private PostgreSQL in %s: %w", dir, err)
	}
	defer held.Close()
	if err := awaitPredecessor(ctx, filepath.Join(dir, "data")); err != nil {
		return fmt.Errorf("private PostgreSQL in %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

// Attach gives access to the cluster in opts.Dir. If another process runs it, Attach connects to that; if not, it starts
// the cluster temporarily. Stop does not stop a cluster that another process runs.
func Attach(ctx context.Context, opts Options) (*Cluster, error) {
	for {
		c, err := Start(ctx, opts)
		if !errors.Is(err, ErrInUse) {
			return c, err
		}
		running, found := readPIDFile(filepath.Join(opts.Dir, "data"))
		if found && running.ready {
			return &Cluster{socket: running.socket}, nil
		}
		select { // the other process is starting or stopping it
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// URL returns the address of one of the cluster's databases for a role.
func (c *Cluster) URL(role, database string) string {
	query := url.Values{"host": {c.socket}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{
		Scheme: "postgres",
		User:   url.User(role),
		Path:   "/" + database,
		// libpq takes a plus sign literally, not as a space.
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	return u.String()
}

// Done returns a channel that is closed when the server has ended, whatever the reason. It is nil for a cluster that
// another process runs.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Stop shuts the server down, even with open connections, and returns when it has ended and the folder is free. If ctx ends
// first, Stop ends the server without a checkpoint: the next start recovers. Stopping twice is harmless.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.done == nil {
		return nil
	}
	defer c.release()
	c.log.stopping.Store(true)
	c.signal(syscall.SIGINT)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.signal(syscall.SIGQUIT)
		<-c.done
		return fmt.Errorf("private PostgreSQL: stopped at once: %w", ctx.Err())
	}
}

func (c *Cluster) signal(s syscall.Signal) {
	select {
	case <-c.done: // the pid may belong to another process by now
	default:
		// An error means that the process has just ended; done is about to be closed.
		_ = syscall.Kill(c.pid, s)
	}
}

func (c *Cluster) release() {
	if c.temporary {
		_ = os.RemoveAll(c.socket) // at worst an empty folder stays in the temporary folder
	}
	// Closing alone would not release the lock while a child that another goroutine is just starting has a copy of the
	// file, which is closed when the child's program begins.
	_ = syscall.Flock(int(c.lock.Fd()), syscall.LOCK_UN)
	_ = c.lock.Close()
}

// launch runs postgres and returns when it accepts connections.
func (c *Cluster) launch(ctx context.Context, bin, data string, who account, opts Options) error {
	args := []string{
		"-D", data, "-k", c.socket, "-p", port,
		"-c", "listen_addresses=",
		"-c", "unix_socket_permissions=0700",
		"-c", "timezone=UTC", "-c", "log_timezone=UTC",
		// Statements and their values are personal data and must not be logged.
		"-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse",
	}
	if opts.Fast {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	log := &logWriter{logger: opts.Logger}
	c.log = log
	cmd := who.command(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), args...)
	// A statement allocates a few hundred kilobytes, which glibc would give back to the system after each: an eighth of the
	// time of short statements.
	cmd.Env = append(cmd.Env, "MALLOC_TRIM_THRESHOLD_=4194304", "MALLOC_MMAP_THRESHOLD_=4194304")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second // in case a stray child keeps the log open

	started := make(chan error)
	go func() {
		// The parent-death signal is tied to the thread that started the process, so keep that thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			started <- err
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // the log says why it ended
		close(c.done)
	}()
	if err := <-started; err != nil {
		return err
	}

	// While the server lives it may be recovering, which takes an unknown time; only ctx limits it.
	for {
		if running, found := readPIDFile(data); found && running.pid == c.pid && running.ready {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("postgres ended: %s", log.last())
		case <-ctx.Done():
			c.signal(syscall.SIGQUIT)
			<-c.done
			return fmt.Errorf("postgres is not ready: %w: %s", ctx.Err(), log.last())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// initialise creates the data folder if it is missing. The folder gets its final name only when it is complete, so a killed
// initdb leaves nothing that looks like a cluster.
func initialise(ctx context.Context, bin, data string, who account, fast bool) error {
	if _, err := os.Stat(data); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := data + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := who.mkdir(unfinished); err != nil {
		return err
	}
	args := []string{
		"-D", unfinished, "-U", Owner, "-E", "UTF8", "--locale=" + locale, "--data-checksums",
		// Only the server's own user can reach the socket: its folder is closed to all others.
		"--auth-local=trust", "--auth-host=reject",
	}
	if fast {
		args = append(args, "--no-sync")
	}
	if out, err := who.command(ctx, filepath.Join(bin, "initdb"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(unfinished, data); err != nil {
		return err
	}
	return syncDir(filepath.Dir(data))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// port only names the socket: nothing listens on TCP.
const port = "5432"

// maxSocketPath is the longest path that fits in sockaddr_un everywhere: 104 bytes with the final zero on the BSDs, 108 on
// Linux.
const maxSocketPath = 103

func (c *Cluster) makeSocketDir(dir string, who account) error {
	c.socket = filepath.Join(dir, "socket")
	// A comma separates folders in PostgreSQL's settings and hosts in its clients'.
	if len(filepath.Join(c.socket, ".s.PGSQL."+port)) > maxSocketPath || strings.Contains(c.socket, ",") {
		var err error
		if c.socket, err = os.MkdirTemp("", "holdfast-"); err != nil {
			return err
		}
		c.temporary = true
	}
	if err := who.mkdir(c.socket); err != nil {
		return err
	}
	// As with postmaster.pid, a killed server leaves its process id here, which another process may have by now. Nobody uses
	// the socket: this process holds the folder, and no server was left running.
	if err := os.Remove(filepath.Join(c.socket, ".s.PGSQL."+port+".lock")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lock locks the folder for this process; the kernel releases the lock however the process ends.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return file, nil
}
