package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Program is an installed PostgreSQL client program, such as pg_dump.
type Program struct {
	Path  string
	Major int // version
}

// FindProgram finds a client program of the given major version of PostgreSQL or, if that is not installed, of the next
// newer one. Newer programs work with older servers and read older programs' files; the reverse does not hold.
func FindProgram(ctx context.Context, name string, major int) (Program, error) {
	dirs := append(candidates(), installed()...)
	if path, err := exec.LookPath(name); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	var found []Program
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if !executable(path) {
			continue
		}
		text, err := majorVersion(ctx, path)
		if err != nil {
			continue
		}
		if version, err := strconv.Atoi(text); err == nil && version >= major {
			found = append(found, Program{path, version})
		}
	}
	if len(found) == 0 {
		return Program{}, fmt.Errorf("no %s of PostgreSQL %d or newer is installed: install PostgreSQL's client programs "+
			"(Debian, Ubuntu: apt install postgresql-client), or name their folder in HOLDFAST_POSTGRES_BIN", name, major)
	}
	return slices.MinFunc(found, func(a, b Program) int { return cmp.Compare(a.Major, b.Major) }), nil
}

// Dump has pg_dump write a consistent snapshot of the database at url in PostgreSQL's custom format: schema, rows and
// grants, regardless of the owner.
func (p Program) Dump(ctx context.Context, url string, w io.Writer) error {
	return p.run(ctx, url, nil, w, "--format=custom", "--no-owner", "--no-password")
}

// Restore has pg_restore load a dump into the database at url, as the owner that url names. It restores everything, or
// nothing if r or the connection ends too early.
func (p Program) Restore(ctx context.Context, url string, r io.Reader) error {
	// With an empty name, the environment's database is used.
	return p.run(ctx, url, r, nil, "--dbname=", "--exit-on-error", "--single-transaction", "--no-owner", "--no-password")
}

func (p Program) run(ctx context.Context, url string, stdin io.Reader, stdout io.Writer, args ...string) error {
	connection, err := environment(url)
	if err != nil {
		return err
	}
	name := filepath.Base(p.Path)
	cmd := account{}.command(ctx, p.Path, args...)
	cmd.Env = append(cmd.Env, connection...)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = 5 * time.Second
	// The parent-death signal is tied to the thread that started the process, so keep that thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimPrefix(line, name+": error: "))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// environment returns the address url as environment variables for PostgreSQL's programs. It does not pass the address as
// an argument, because anybody can read arguments and it may contain a password. Settings that only this program's driver
// knows are left out.
func environment(url string) ([]string, error) {
	config, err := pq.NewConfig(url)
	if err != nil {
		// The driver's error may quote the address, including the password.
		return nil, errors.New("the database URL is neither a postgres:// URL nor key=value pairs that PostgreSQL knows")
	}
	hosts := append([]pq.ConfigMultihost{{Host: config.Host, Hostaddr: config.Hostaddr, Port: config.Port}}, config.Multi...)
	var names, addresses, ports []string
	addressed := false
	for _, host := range hosts {
		names = append(names, host.Host)
		ports = append(ports, strconv.Itoa(int(host.Port)))
		address := ""
		if host.Hostaddr != (netip.Addr{}) {
			address, addressed = host.Hostaddr.String(), true
		}
		addresses = append(addresses, address)
	}
	variables := map[string]string{
		"PGHOST":               strings.Join(names, ","),
		"PGPORT":               strings.Join(ports, ","),
		"PGDATABASE":           config.Database,
		"PGUSER":               config.User,
		"PGPASSWORD":           config.Password,
		"PGPASSFILE":           config.Passfile,
		"PGSSLMODE":            string(config.SSLMode),
		"PGSSLCERT":            config.SSLCert,
		"PGSSLKEY":             config.SSLKey,
		"PGSSLROOTCERT":        config.SSLRootCert,
		"PGTARGETSESSIONATTRS": string(config.TargetSessionAttrs),
		"PGOPTIONS":            config.Options,
		"PGAPPNAME":            "holdfast",
		"PGCONNECT_TIMEOUT":    "10",
	}
	if addressed {
		variables["PGHOSTADDR"] = strings.Join(addresses, ",")
	}
	if len(config.Multi) > 0 && variables["PGTARGETSESSIONATTRS"] == "" {
		variables["PGTARGETSESSIONATTRS"] = "read-write"
	}
	if role := config.Runtime["role"]; role != "" {
		variables["PGOPTIONS"] = strings.TrimSpace(variables["PGOPTIONS"] + " -c role=" + strings.ReplaceAll(role, " ", `\ `))
	}
	var pairs []string
	for name, value := range variables {
		if value != "" {
			pairs = append(pairs, name+"="+value)
		}
	}
	return pairs, nil
}
