package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is the content of postmaster.pid (PostgreSQL's pidfile.h): process id, data folder, start time, port, socket
// folder, address, shared memory and status, one per line, each written once it is known.
type pidFile struct {
	pid    int
	socket string
	ready  bool
}

// readPIDFile returns false if the file is missing or still incomplete.
func readPIDFile(data string) (pidFile, bool) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pidFile{}, false
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return pidFile{}, false
	}
	found := pidFile{pid: pid}
	if len(lines) >= 8 {
		found.socket = lines[4]
		status := strings.TrimSpace(lines[7])
		found.ready = status == "ready" || status == "standby"
	}
	return found, true
}

// predecessorPatience is how long a server that was left behind may take to shut down.
const predecessorPatience = 5 * time.Second

// awaitPredecessor waits until a server that has outlived the process that started it has shut down. The caller holds the
// lock, so no process owns a server that is found here. A server that was told to stop during crash recovery may wait
// endlessly for its own checkpointer; after the wait it is stopped at once, and the next start recovers.
func awaitPredecessor(ctx context.Context, data string) error {
	stop := syscall.SIGINT // in case the kernel has not sent it; a second one is harmless
	patience := time.After(0)
	for {
		running, found := readPIDFile(data)
		if !found {
			return nil
		}
		if !isServer(running.pid, data) {
			return disown(data)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a server left behind (process %d) does not end: %w", running.pid, ctx.Err())
		case <-patience:
			if err := syscall.Kill(running.pid, stop); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("a server left behind (process %d) does not stop: %w", running.pid, err)
			}
			stop, patience = syscall.SIGQUIT, time.After(predecessorPatience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// disown replaces the process id in a stale postmaster.pid. PostgreSQL refuses to start while a process with that id lives,
// and after a container is killed and restarted some other process often has it. PostgreSQL ignores its own parent's id, so
// that takes its place. The file is not simply removed, because PostgreSQL also checks whether the shared memory that it
// names is in use.
func disown(data string) error {
	// PostgreSQL's account owns the folder, and we may be root: write only to a plain file with a single name.
	file, err := os.OpenFile(filepath.Join(data, "postmaster.pid"), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) { // the server has removed it
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && stat.Nlink != 1 {
		return &fs.PathError{Op: "write", Path: file.Name(), Err: errors.New("not a plain file")}
	}
	text, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt(fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0)
	return err
}
