package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is who PostgreSQL runs as: this process's user or, since PostgreSQL refuses root, another one.
type account struct {
	name       string
	credential *syscall.Credential // nil: this process's own
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

// own hands path over.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// canReach tells whether the account may pass all folders above path. Root passes them all, so without this the
// mistake shows as a puzzling message of PostgreSQL's.
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
				"choose a place that is open to it, or do not run as root", a.name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// command is a PostgreSQL program run as the account, apart from this process's terminal signals, that is told to shut
// down when this process dies.
func (a account) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/" // ours may be closed to the account
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PG") { // PGDATA, PGPORT and the like are for another cluster
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	endWithParent(cmd.SysProcAttr)
	return cmd
}
