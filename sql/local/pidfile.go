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

// pidFile is what postmaster.pid tells (PostgreSQL's pidfile.h): process number, data folder, start, port, socket
// folder, address, shared memory, status, one to a line, written as they become known.
type pidFile struct {
	pid    int
	socket string
	ready  bool
}

// readPIDFile reports false when there is no file or not yet a whole one.
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

// awaitPredecessor waits until a server that outlives the process that started it has shut down. The caller holds the
// lock: a server that is found here belongs to nobody any more. One that was told to stop while it recovered from a crash
// may wait for its own checkpointer without end; it is stopped at once in the end, and the next start recovers.
func awaitPredecessor(ctx context.Context, data string) error {
	stop := syscall.SIGINT // where the kernel did not tell it to, we do; once more does not matter
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

// disown puts our number for one that is no server's. PostgreSQL refuses to start while a process of the number in the
// file lives, and after a container was killed and started again some other process often has it. Its parent's number
// PostgreSQL knows to be no server's; it still looks whether the shared memory that the file names is in use, which is
// why the file is not simply removed.
func disown(data string) error {
	// The folder is PostgreSQL's account's, and we may be root: what is not a plain file of one name is not written to.
	file, err := os.OpenFile(filepath.Join(data, "postmaster.pid"), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) { // its server has removed it since
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
