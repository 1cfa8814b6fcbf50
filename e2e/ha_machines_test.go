package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// machines are the machines of the operator's guide, each a network namespace, joined by a bridge. 10.0.0. in the guide is
// prefix here.
type machines struct {
	t      *testing.T
	folder string
	prefix string
	tag    string // begins the names of namespaces and links
}

// machine is a network namespace and the programs in it.
type machine struct {
	of                          *machines
	name, address, space, cable string
	log                         *os.File
	restarts                    bool // programs that fail are started again, as by systemd with Restart=always; not those that are killed
}

// tagged begins the names of all the drill's namespaces and links; the process id of the drill follows.
const tagged = "hf-"

// newMachines fails unless the drill may make network namespaces.
func newMachines(t *testing.T) *machines {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this drill cuts machines off in network namespaces: it needs root on Linux, and ip (Debian: iproute2)")
	}
	m := &machines{t: t, folder: support.Folder(t), tag: tagged + strconv.Itoa(os.Getpid())}
	// 198.18.0.0/15 is for tests of networks (RFC 2544).
	m.prefix = fmt.Sprintf("198.%d.%d.", 18+rand.IntN(2), rand.IntN(256))
	m.clear()
	t.Cleanup(m.clear)
	m.ip("link", "add", m.tag, "type", "bridge")
	m.ip("address", "add", m.prefix+"1/24", "dev", m.tag)
	m.ip("link", "set", m.tag, "up")
	return m
}

// clear removes the machines of this drill, and of earlier ones that were killed.
func (m *machines) clear() {
	for _, kind := range []string{"netns", "link"} {
		for line := range strings.Lines(m.ip("-o", kind, "list")) {
			for name := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(" :@\n", r) }) {
				ours, found := strings.CutPrefix(name, tagged)
				number, _, _ := strings.Cut(ours, "-")
				pid, err := strconv.Atoi(number)
				if !found || err != nil || pid != os.Getpid() && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
					continue
				}
				if kind == "netns" {
					(&machine{of: m, space: name}).kill()
				}
				_ = exec.Command("ip", kind, "delete", name).Run() // a link ends with its other end
			}
		}
	}
}

// ip runs the program of that name.
func (m *machines) ip(args ...string) string {
	m.t.Helper()
	return m.run("ip", args...)
}

func (m *machines) run(program string, args ...string) string {
	m.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// add makes the machine with the last number of its address.
func (m *machines) add(name string, number int) *machine {
	m.t.Helper()
	b := &machine{of: m, name: name, address: m.prefix + strconv.Itoa(number)}
	b.space, b.cable = m.tag+"-"+name, m.tag+"-"+strconv.Itoa(number)
	m.ip("netns", "add", b.space)
	m.ip("link", "add", b.cable, "type", "veth", "peer", "name", "eth0", "netns", b.space)
	m.ip("link", "set", b.cable, "master", m.tag, "up")
	for _, device := range []string{"lo", "eth0"} {
		m.ip("-n", b.space, "link", "set", device, "up")
	}
	m.ip("-n", b.space, "address", "add", b.address+"/24", "dev", "eth0")
	var err error
	if b.log, err = os.Create(filepath.Join(m.folder, name+".log")); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		b.log.Close()
		if text, err := os.ReadFile(b.log.Name()); err == nil && m.t.Failed() {
			m.t.Logf("log of %s:\n%s", name, text[max(0, len(text)-64<<10):])
		}
	})
	return b
}

// deployed returns the path of a copy of a file in the folder of examples for operators, with addresses of the drill's
// machines.
func (m *machines) deployed(name, as string, replaced ...string) string {
	m.t.Helper()
	text := read(m.t, filepath.Join("../cmd/holdfast/deploy", name))
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(text, replaced[i]) {
			m.t.Fatalf("deploy/%s has no %q", name, replaced[i])
		}
		text = strings.ReplaceAll(text, replaced[i], replaced[i+1])
	}
	return m.write(as, text)
}

// write writes a file with addresses of the drill's machines that all users may read, and returns its path.
func (m *machines) write(name, text string) string {
	m.t.Helper()
	path := filepath.Join(m.folder, name)
	if err := os.WriteFile(path, []byte(m.here(text)), 0o644); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// here replaces the guide's addresses by the drill's.
func (m *machines) here(text string) string { return strings.ReplaceAll(text, "10.0.0.", m.prefix) }

// wrapper returns the command that runs a program on the machine as a user.
func (b *machine) wrapper(user string) []string {
	return []string{"ip", "netns", "exec", b.space, "setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"}
}

// start starts a program on the machine as a user.
func (b *machine) start(user string, command ...string) {
	b.of.t.Helper()
	wrapped := append(b.wrapper(user), command...)
	cmd := exec.Command(wrapped[0], wrapped[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.of.folder, b.log, b.log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + b.of.folder, "LANG=C.UTF-8"}
	if err := cmd.Start(); err != nil {
		b.of.t.Fatal(err)
	}
	go func() {
		if err := cmd.Wait(); err != nil && cmd.ProcessState.Exited() && b.restarts {
			time.Sleep(100 * time.Millisecond) // RestartSec
			b.start(user, command...)
		}
	}()
}

// signal sends a signal to the programs of the machine, or to those of one name, and returns how many there are.
func (b *machine) signal(signal syscall.Signal, name string) (found int) {
	out, err := exec.Command("ip", "netns", "pids", b.space).Output()
	if err != nil {
		return 0
	}
	for _, text := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(text)
		if is, _ := os.ReadFile("/proc/" + text + "/comm"); err != nil || name != "" && strings.TrimSpace(string(is)) != name {
			continue
		}
		found++
		_ = syscall.Kill(pid, signal)
	}
	return found
}

// kill kills all programs of the machine, as the loss of its power does.
func (b *machine) kill() { b.end("") }

// end kills the programs of one name, or all.
func (b *machine) end(name string) {
	for b.signal(syscall.SIGKILL, name) > 0 {
		time.Sleep(time.Millisecond)
	}
}

// freeze stops all programs of the machine without closing anything. A program that one of them started meanwhile is stopped
// by the second signal.
func (b *machine) freeze() {
	b.signal(syscall.SIGSTOP, "")
	b.signal(syscall.SIGSTOP, "")
}

func (b *machine) thaw() { b.signal(syscall.SIGCONT, "") }

// cut takes the machine's cable out: what is sent to and from it is lost, and nothing says so.
func (b *machine) cut() { b.of.ip("link", "set", b.cable, "down") }

func (b *machine) join() { b.of.ip("link", "set", b.cable, "up") }

// mute loses what the machine sends; what is sent to it arrives.
func (b *machine) mute() {
	b.of.run("tc", "-n", b.space, "qdisc", "add", "dev", "eth0", "root", "blackhole")
}

func (b *machine) unmute() { b.of.run("tc", "-n", b.space, "qdisc", "delete", "dev", "eth0", "root") }

// deafen loses what is sent to the machine; what it sends arrives.
func (b *machine) deafen() { b.of.run("tc", "qdisc", "add", "dev", b.cable, "root", "blackhole") }

func (b *machine) hear() { b.of.run("tc", "qdisc", "delete", "dev", b.cable, "root") }

// owned makes a folder that belongs to a user.
func (m *machines) owned(name, user string) string {
	m.t.Helper()
	path := filepath.Join(m.folder, name)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		m.t.Fatal(err)
	}
	if out, err := exec.Command("chown", user+":", path).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	return path
}

// await waits until a condition holds.
func await(ctx context.Context, t *testing.T, what string, limit time.Duration, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !holds(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v in vain: %s", limit, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
