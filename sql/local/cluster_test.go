package local_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"holdfast/sql/local"
)

// TestMain lets the test binary be the process that is killed: see TestParentKilled.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOLDFAST_TEST_CLUSTER"); dir != "" {
		cluster, err := local.Start(context.Background(), local.Options{Dir: dir, Fast: true})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("up")
		<-cluster.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// folder returns a folder that any user can pass through.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "local-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, dir string) *local.Cluster {
	t.Helper()
	cluster, err := local.Start(t.Context(), local.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cluster) })
	return cluster
}

func stop(t *testing.T, cluster *local.Cluster) {
	t.Helper()
	if err := cluster.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func query(t *testing.T, cluster *local.Cluster, role, statement string) string {
	t.Helper()
	db, err := sql.Open("postgres", cluster.URL(role, local.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var answer string
	if err := db.QueryRow(statement).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// serverPID returns the process id of the server that runs, or ran, in dir.
func serverPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStartStopStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "a place with spaces, & 'quotes'")
	first := start(t, dir)
	if got := query(t, first, local.Runtime, "SELECT session_user || ' ' || current_database()"); got != "holdfast_runtime holdfast" {
		t.Errorf("the runtime role sees %q", got)
	}
	if got := query(t, first, local.Owner, "SELECT current_setting('listen_addresses')"); got != "" {
		t.Errorf("listens on %q", got)
	}
	query(t, first, local.Owner, "CREATE TABLE kept (a int); SELECT ''")
	pid := serverPID(t, dir)
	stop(t, first)
	stop(t, first) // stopping again is harmless
	select {
	case <-first.Done():
	default:
		t.Error("stopped, but not done")
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("after Stop, the server's process: %v", err)
	}

	second := start(t, dir)
	if got := query(t, second, local.Owner, "SELECT count(*)::text FROM kept"); got != "0" {
		t.Errorf("after the second start: %q", got)
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long", 30))
	cluster := start(t, dir)
	if got := query(t, cluster, local.Runtime, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cluster := start(t, dir)
	if _, err := local.Start(t.Context(), local.Options{Dir: dir, Fast: true}); !errors.Is(err, local.ErrInUse) {
		t.Errorf("a second start: %v", err)
	}

	attached, err := local.Attach(t.Context(), local.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, attached, local.Owner, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
	stop(t, attached)
	if got := query(t, cluster, local.Owner, "SELECT 'still up'"); got != "still up" {
		t.Error(got)
	}
}

func TestAttachStarts(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	attached, err := local.Attach(t.Context(), local.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	query(t, attached, local.Owner, "SELECT 'up'")
	stop(t, attached)
	start(t, dir) // the folder is free
}

// TestStartAfterKilledFirstStart starts after what a killed first start may leave: half an initdb, or a cluster without its
// roles and database.
func TestStartAfterKilledFirstStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	half := filepath.Join(dir, "data.new", "base")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data.new", "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	query(t, start(t, dir), local.Runtime, "SELECT 'up'")
	if _, err := os.Stat(filepath.Join(dir, "data.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-made folder: %v", err)
	}
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := local.Start(t.Context(), local.Options{Dir: dir, Fast: true})
	other := (*local.VersionError)(nil)
	if !errors.As(err, &other) || other.Made != "9" || len(other.Found) == 0 || !strings.Contains(err.Error(), "made by PostgreSQL 9") {
		t.Errorf("data of another major version: %v", err)
	}
}

func TestFindProgram(t *testing.T) {
	t.Parallel()
	found, err := local.FindProgram(t.Context(), "pg_dump", 9)
	if err != nil || found.Major < 9 || filepath.Base(found.Path) != "pg_dump" {
		t.Errorf("pg_dump: %+v, %v", found, err)
	}
	if again, err := local.FindProgram(t.Context(), "pg_restore", found.Major); err != nil || again.Major != found.Major {
		t.Errorf("pg_restore of the same version: %+v, %v", again, err)
	}
	if _, err := local.FindProgram(t.Context(), "pg_dump", 99); err == nil || !strings.Contains(err.Error(), "no pg_dump of PostgreSQL 99 or newer is installed: install") {
		t.Errorf("one that is not here: %v", err)
	}
}

// TestProgramFails checks that errors contain neither an address's password nor a program's many lines.
func TestProgramFails(t *testing.T) {
	t.Parallel()
	pgDump, err := local.FindProgram(t.Context(), "pg_dump", 9)
	if err != nil {
		t.Fatal(err)
	}
	address := "postgres://ada:geheim@/holdfast?sslmode=disable&host=" + t.TempDir()
	err = pgDump.Dump(t.Context(), address, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "pg_dump: exit status 1: ") || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "\n") {
		t.Errorf("no server: %v", err)
	}
	if err := pgDump.Dump(t.Context(), "postgres://ada:geheim@[/holdfast", io.Discard); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("an address that is none: %v", err)
	}
}

// TestRemove checks that the remains of a killed start, running or not, are removed, but not a folder in use.
func TestRemove(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "cluster")
	if err := local.Remove(t.Context(), dir); err != nil {
		t.Errorf("nothing: %v", err)
	}
	cluster := start(t, dir)
	if err := local.Remove(t.Context(), dir); !errors.Is(err, local.ErrInUse) {
		t.Errorf("a running cluster: %v", err)
	}
	query(t, cluster, local.Owner, "SELECT 'still up'")
	stop(t, cluster)

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "HOLDFAST_TEST_CLUSTER="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	if err := local.Remove(t.Context(), dir); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is left: %v", err)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("HOLDFAST_POSTGRES_BIN", t.TempDir())
	_, err := local.Start(t.Context(), local.Options{Dir: folder(t), Fast: true})
	if err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("without PostgreSQL: %v", err)
	}
}

func TestClosedParent(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root runs PostgreSQL as another user")
		return
	}
	dir := folder(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := local.Start(t.Context(), local.Options{Dir: filepath.Join(dir, "pg"), Fast: true})
	if err == nil || !strings.Contains(err.Error(), "the folder "+dir+" is closed") {
		t.Errorf("below a closed folder: %v", err)
	}
}

// startChild starts the cluster in another process.
func startChild(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "HOLDFAST_TEST_CLUSTER="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return child
}

// TestParentKilled checks that the next start succeeds, however often the process that started the cluster is killed.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	stop(t, start(t, dir))
	for range 10 {
		child := startChild(t, dir)
		server := serverPID(t, dir)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed

		again, err := local.Start(t.Context(), local.Options{Dir: dir, Fast: true})
		if err != nil {
			t.Fatal(err)
		}
		if now := serverPID(t, dir); now == server {
			t.Error("the server of the killed process is still there")
		}
		query(t, again, local.Runtime, "SELECT 'up'")
		stop(t, again)
	}
}

// TestParentKilledWhileRecovering checks that the next start does not wait for a server that was told to stop during crash
// recovery: such a server may wait forever.
func TestParentKilledWhileRecovering(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for _, delay := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		child := startChild(t, dir)
		running, err := local.Attach(t.Context(), local.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		backend, err := strconv.Atoi(query(t, running, local.Owner, "SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'autovacuum launcher'"))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(backend, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay) // the exact moment matters
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		again, err := local.Start(ctx, local.Options{Dir: dir, Fast: true})
		if err != nil {
			t.Fatalf("after %s: %v", delay, err)
		}
		t.Logf("%s after the crash: started in %s", delay, time.Since(began))
		query(t, again, local.Runtime, "SELECT 'up'")
		stop(t, again)
	}
}

// TestServerKilled kills the server itself: Done is closed, and the next start recovers, even if another process has the
// server's process id by then, as happens in containers.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cluster, err := local.Start(t.Context(), local.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	query(t, cluster, local.Owner, "CREATE TABLE kept (a int); SELECT ''")
	pid := serverPID(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-cluster.Done():
	case <-time.After(time.Minute):
		t.Fatal("Done does not tell")
	}
	stop(t, cluster)

	other := exec.Command("sleep", "600")
	// PostgreSQL minds only processes of its own account.
	if owner, ok := fileOwner(t, filepath.Join(dir, "data")); ok {
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &owner}
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait() // killed
	}()
	for _, name := range []string{"data/postmaster.pid", "socket/.s.PGSQL.5432.lock"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stale := strings.Replace(string(text), strconv.Itoa(pid), strconv.Itoa(other.Process.Pid), 1)
		if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The killed server's children need a moment to notice. Until then its shared memory is in use, and PostgreSQL reports
	// that.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		again, err := local.Start(ctx, local.Options{Dir: dir, Fast: true})
		if err == nil {
			defer stop(t, again)
			if got := query(t, again, local.Owner, "SELECT count(*)::text FROM kept"); got != "0" {
				t.Errorf("after recovery: %q", got)
			}
			return
		}
		if !strings.Contains(err.Error(), "shared memory") || ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// fileOwner returns the account that a file belongs to, if this process may act as it.
func fileOwner(t *testing.T, path string) (syscall.Credential, bool) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Getuid() != 0 {
		return syscall.Credential{}, false
	}
	return syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}, true
}

// TestLinksAreNotFollowed checks that links in PostgreSQL's folders, which its account owns, cannot make this process,
// possibly root, hand over or write to their targets.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	above := folder(t)
	victim := filepath.Join(above, "victim")
	if err := os.WriteFile(victim, []byte("999999999\nkeep\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(above, "precious")
	if err := os.Mkdir(precious, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(above, "cluster")
	cluster := start(t, dir)
	stop(t, cluster)
	if info, err := os.Stat(dir); err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		t.Errorf("the folder is not this process's own: %v", err)
	}
	for link, target := range map[string]string{"data/postmaster.pid": victim, "socket": precious, "lock": victim} {
		path := filepath.Join(dir, link)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if c, err := local.Start(t.Context(), local.Options{Dir: dir, Fast: true}); err == nil {
			stop(t, c)
			t.Errorf("%s may be a link", link)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "999999999\nkeep\n" {
		t.Errorf("the file that was linked to: %q, %v", text, err)
	}
	for _, path := range []string{victim, precious} {
		if info, err := os.Stat(path); err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			t.Errorf("%s was handed over: %v", path, err)
		}
	}
}

// TestStopLogsNoWarning checks that a requested stop logs no warning, although PostgreSQL logs the end of open connections
// as FATAL.
func TestStopLogsNoWarning(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	cluster, err := local.Start(t.Context(), local.Options{
		Dir: filepath.Join(folder(t), "cluster"), Fast: true, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("postgres", cluster.URL(local.Runtime, local.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "FATAL: ") || strings.Contains(text, "level=WARN") {
		t.Errorf("the log: %s", text)
	}
}

// TestStartRightAfterStop checks that a folder can be used again as soon as its cluster was stopped, even while this
// process is starting a child, which has copies of all open files until its program begins.
func TestStartRightAfterStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "cluster")
	first := start(t, dir)
	copies := 0
	files, err := filepath.Glob("/dev/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		number, err := strconv.Atoi(filepath.Base(file))
		if err != nil {
			continue
		}
		var status syscall.Stat_t
		if syscall.Fstat(number, &status) != nil || status.Ino != want.Sys().(*syscall.Stat_t).Ino || status.Dev != want.Sys().(*syscall.Stat_t).Dev {
			continue
		}
		fd, err := syscall.Dup(number)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		copies++
	}
	if copies == 0 {
		t.Fatal("the lock is not among the open files")
	}
	stop(t, first)
	stop(t, start(t, dir))
}

// lockedBuffer is written by a cluster and read by its test.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestEnvironmentIsNotInherited checks that PostgreSQL's account cannot read the environment of the server's process.
func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("HOLDFAST_ADMIN_TOKEN", "not for PostgreSQL")
	t.Setenv("PGDATA", "/elsewhere")
	dir := filepath.Join(folder(t), "cluster")
	start(t, dir)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", serverPID(t, dir)))
	if errors.Is(err, os.ErrNotExist) {
		return // this system has no such file system
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(environment), "not for PostgreSQL") || strings.Contains(string(environment), "/elsewhere") {
		t.Errorf("PostgreSQL's environment: %q", environment)
	}
}
