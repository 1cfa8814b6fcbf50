package e2e

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"holdfast/e2e/support"
)

// TestRecoveryToPointInTime runs the README's commands for a PostgreSQL of the operator's own: the archive, the nightly copy,
// and the return to a moment before the changes of loseDay.
func TestRecoveryToPointInTime(t *testing.T) {
	t.Parallel()
	database := newOperator(t)
	commands := section(t, "../cmd/holdfast/README.md", "Restore to a point in time")
	if len(commands) != 3 {
		t.Fatalf("%d blocks of commands, want those for the archive, the copy and the return", len(commands))
	}
	archive, copyAll, recover := commands[0], commands[1], commands[2]
	database.run(archive)

	server := support.NewServer(t, binary)
	server.DatabaseURL = database.url("holdfast_runtime")
	command(t, "migrate", "--database-url", database.url("holdfast_owner"))
	command(t, "keys", "init", "--data", server.Data, "--origin", server.Origin)
	database.run(copyAll)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s := &siege{t, server, new(atomic.Int32)}
	ada := s.person("Ada")
	begun := s.begin(server.Client(), "authentication", nil)
	var used finish
	loseDay(t, server, func() {
		database.environment["MOMENT"] = database.run(`psql -d holdfast -Atc "SELECT clock_timestamp()"`)
		answer, err := ada.passkey.Assert(begun.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		used = finish{begun.Ceremony, answer}
		s.want("a ceremony", s.send(server.Client(), http.MethodPost, "/v1/authentication", used, nil, nil), "")
	}, func() {
		database.environment["BACKUP"] = filepath.Base(single(t, filepath.Join(database.environment["BACKUPS"], "*")))
		database.run(recover)
	})
	s.want("a ceremony whose use is lost", s.send(server.Client(), http.MethodPost, "/v1/authentication", used, nil, nil), "ceremony_invalid")
}

// operator is somebody who runs a PostgreSQL of their own with its own programs, as the user that it needs.
type operator struct {
	t           *testing.T
	environment map[string]string
	credential  *syscall.Credential
}

// newOperator starts an empty cluster with the database holdfast and its two logins. It ends with the test.
func newOperator(t *testing.T) *operator {
	t.Helper()
	folder := support.Folder(t)
	_, port, err := net.SplitHostPort(support.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{t: t, environment: map[string]string{
		"PATH": postgresBin(t) + ":" + os.Getenv("PATH"), "PGDATA": filepath.Join(folder, "data"), "PGHOST": folder, "PGPORT": port, "PGUSER": "holdfast_owner",
		"ARCHIVE": filepath.Join(folder, "archive"), "BACKUPS": filepath.Join(folder, "backups"), "LC_ALL": "C.UTF-8",
	}}
	if os.Geteuid() == 0 {
		o.credential = unprivileged(t)
		if err := os.Chown(folder, int(o.credential.Uid), int(o.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	o.run(`initdb --username=holdfast_owner --auth=trust --encoding=UTF8 --no-sync
		echo "listen_addresses = ''
		unix_socket_directories = '$PGHOST'
		port = $PGPORT
		fsync = off" >> "$PGDATA/postgresql.conf"
		pg_ctl start --log="$PGDATA.log"`)
	t.Cleanup(func() { o.run(`pg_ctl stop --mode=immediate`) })
	o.run(`psql -d postgres -c "CREATE DATABASE holdfast" -c "CREATE ROLE holdfast_runtime LOGIN"`)
	return o
}

// run runs commands of a shell, which must succeed, and returns their output.
func (o *operator) run(commands string) string {
	o.t.Helper()
	shell := exec.Command("sh", "-euc", commands)
	shell.Dir = "/"
	for _, name := range slices.Sorted(maps.Keys(o.environment)) {
		shell.Env = append(shell.Env, name+"="+o.environment[name])
	}
	shell.SysProcAttr = &syscall.SysProcAttr{Credential: o.credential}
	out, err := shell.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(o.environment["PGDATA"] + ".log")
		o.t.Fatalf("%s: %v\n%s\n%s", commands, err, out, log)
	}
	return strings.TrimSpace(string(out))
}

func (o *operator) url(login string) string {
	return support.Cluster{Socket: o.environment["PGHOST"], Port: o.environment["PGPORT"]}.URL(login)
}

// postgresBin finds the folder of PostgreSQL's programs, like the server does.
func postgresBin(t *testing.T) string {
	t.Helper()
	if folder := os.Getenv("HOLDFAST_POSTGRES_BIN"); folder != "" {
		return folder
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(installed, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	if len(installed) > 0 {
		return filepath.Dir(installed[len(installed)-1])
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatalf("no PostgreSQL is installed: %v", err)
	}
	return filepath.Dir(path)
}

// unprivileged returns the user as whom root runs PostgreSQL.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(found.Uid)
			gid, _ := strconv.Atoi(found.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no user postgres and no user nobody")
	return nil
}

// section returns the blocks of shell commands in a section of a document.
func section(t *testing.T, document, title string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## "+title+"\n")
	body, _, _ := strings.Cut(after, "\n## ")
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(body, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// single returns the only file that matches a pattern.
func single(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}
