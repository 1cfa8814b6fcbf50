package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is the user that PostgreSQL runs as: this process's user or, since PostgreSQL refuses root, another one.
type account struct {
	name       string
	credential *syscall.Credential // nil means this process's own
}

func chooseAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{name, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as")
}

// mkdir makes the folder path if it is missing and gives it to the account. This process must own the parent folder: in a
// folder of its own, the account could replace path with a link and so be given the link's target.
func (a account) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Lstat(path); err != nil {
		return err
	} else if !info.IsDir() {
		return &fs.PathError{Op: "use", Path: path, Err: syscall.ENOTDIR}
	}
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// mkdirAbove makes the parent folder for mkdir. This process owns it, and the account may pass through it.
func (a account) mkdirAbove(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil || a.credential == nil {
		return err
	}
	if err := os.Lchown(path, os.Geteuid(), os.Getegid()); err != nil {
		return err
	}
	return os.Chmod(path, 0o711) //nolint:gosec // the account must pass through
}

// canReach checks that the account may pass through all folders above path. Root may pass through all of them, so without
// this check the mistake would surface as a puzzling message from PostgreSQL.
func (a account) canReach(path string) error {
	if a.credential == nil {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		pass := info.Mode()&0o001 != 0
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case owner.Uid == a.credential.Uid:
				pass = info.Mode()&0o100 != 0
			case owner.Gid == a.credential.Gid:
				pass = info.Mode()&0o010 != 0
			}
		}
		if !pass {
			return fmt.Errorf("as root, PostgreSQL is run as user %s, to whom the folder %s is closed: "+
				"chmod 711 it, choose a place that is open, or do not run as root", a.name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// command returns a PostgreSQL program to run as the account. This process's terminal signals do not reach it, and it is
// told to shut down when this process dies.
func (a account) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/" // ours may be closed to the account
	// The account can read the environment of its processes, and ours may contain tokens and passwords. PGDATA, PGPORT and
	// similar variables belong to another cluster.
	cmd.Env = []string{}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "LC_") || slices.Contains([]string{"LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ"}, name) {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	endWithParent(cmd.SysProcAttr)
	return cmd
}
