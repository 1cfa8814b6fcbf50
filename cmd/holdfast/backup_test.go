package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// call runs a command in this process. If the command should refuse to serve but serves, call ends it after a while.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code = execute(ctx, args, console{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// succeed is call for commands that must not fail.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := call(t, args...)
	if code != 0 {
		t.Fatalf("holdfast %q: %d %s", args, code, errs)
	}
	return out
}

// backedUp returns a backup and the data folder of a server with the user Ada. The backup was made while the server ran;
// the server has ended since.
func backedUp(t *testing.T) (file, data string) {
	t.Helper()
	dir := folder(t)
	file, data = filepath.Join(dir, "backup.tar"), filepath.Join(dir, "data")
	s := serve(t, configure(t, "--data", data, "--origin", "http://localhost:8080", "--admin-token", bootstrapToken))
	if status, body := ask(t, "POST", address(t, s)+"/admin/v1/users", bootstrapToken, `{"name":"Ada"}`); status != 201 {
		t.Fatalf("making a user: %d %s", status, body)
	}
	said := succeed(t, "backup", file, "--data", data)
	if !strings.Contains(said, "Backed up http://localhost:8080") || !strings.Contains(said, "root.jwk") {
		t.Errorf("the backup says: %s", said)
	}
	s.stop(t)
	return file, data
}

// address returns where a server listens, whatever its origin.
func address(t *testing.T, s *server) string {
	t.Helper()
	return "http://" + find(t, `"listen":"([^"]+)"`, s.log.String())
}

// knowsAda starts a server on a data folder and reports whether Ada is a user there.
func knowsAda(t *testing.T, data string) bool {
	t.Helper()
	s := serve(t, configure(t, "--data", data, "--origin", "http://localhost:8080", "--admin-token", bootstrapToken))
	status, body := ask(t, "GET", address(t, s)+"/admin/v1/users?q=Ada", bootstrapToken, "")
	if status != 200 {
		t.Fatalf("searching users: %d %s", status, body)
	}
	s.stop(t)
	return strings.Contains(body, `"name":"Ada"`)
}

func TestBackup(t *testing.T) {
	t.Parallel()
	file, data := backedUp(t)
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".holdfast-*")); err != nil || len(left) > 0 {
		t.Errorf("left beside it: %v, %v", left, err)
	}
	// Without this program: tar, sha256sum and pg_restore accept it.
	check := exec.Command("sh", "-c", "tar xf ../backup.tar && sha256sum --check --strict --quiet SHA256SUMS && pg_restore --list database.dump")
	check.Dir = filepath.Join(filepath.Dir(file), "apart")
	if err := os.Mkdir(check.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "TABLE DATA public users") {
		t.Errorf("taken apart by hand: %v\n%s", err, out)
	}

	if code, _, errs := call(t, "backup", file, "--data", data); code != 1 || errs != "holdfast: "+file+" exists: it is not overwritten\n" {
		t.Errorf("onto itself: %d %s", code, errs)
	}
	if code, _, errs := call(t, "backup", filepath.Join(data, "b.tar"), "--data", folder(t)); code != 1 || !strings.Contains(errs, "a backup needs the keys too") {
		t.Errorf("of nothing: %d %s", code, errs)
	}

	// A killed backup leaves no file of that name.
	cut := filepath.Join(filepath.Dir(file), "cut.tar")
	backup := exec.Command("holdfast", "backup", cut, "--data", data)
	if err := backup.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := false; !begun; time.Sleep(time.Millisecond) {
		parts, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".holdfast-*"))
		if _, whole := os.Lstat(cut); err != nil || whole == nil {
			t.Fatalf("nothing is seen of the backup until it is whole: %v", err)
		}
		begun = len(parts) > 0
	}
	if err := backup.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = backup.Wait() // killed
	if _, err := os.Lstat(cut); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup that was killed: %v", err)
	}

	// A private cluster without a running server, through standard output and input.
	piped := filepath.Join(filepath.Dir(file), "piped")
	pipe := exec.Command("sh", "-c", `holdfast backup - --data "$1" | holdfast restore - --data "$2"`, "sh", data, piped)
	if out, err := pipe.CombinedOutput(); err != nil || !strings.Contains(string(out), "Anyone who has this file can sign documents") {
		t.Fatalf("through a pipe: %v\n%s", err, out)
	}
	if !knowsAda(t, piped) {
		t.Error("Ada did not come through the pipe")
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	file, data := backedUp(t)
	dir := filepath.Dir(file)

	restored := filepath.Join(dir, "restored")
	succeed(t, "restore", file, "--data", restored)
	if !knowsAda(t, restored) {
		t.Error("Ada is not in the restored database")
	}
	before, after := keyFiles(t, filepath.Join(data, "keys")), keyFiles(t, filepath.Join(restored, "keys"))
	if !maps.Equal(before, after) {
		t.Errorf("keys: %v, want %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}

	// Nothing is overwritten: not a database, and not keys unless they are identical.
	if code, _, errs := call(t, "restore", file, "--data", restored); code != 1 || !strings.Contains(errs, "there is a database in "+filepath.Join(restored, "postgres")) {
		t.Errorf("onto a database: %d %s", code, errs)
	}
	other := filepath.Join(dir, "other")
	succeed(t, "keys", "init", "--origin", "http://localhost:8080", "--data", other)
	if code, _, errs := call(t, "restore", file, "--data", other); code != 1 || !strings.Contains(errs, "there are other keys in "+filepath.Join(other, "keys")) {
		t.Errorf("onto other keys: %d %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(other, "postgres")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("beside other keys, a database was made: %v", err)
	}
	if err := os.Rename(filepath.Join(restored, "postgres"), filepath.Join(dir, "lost")); err != nil {
		t.Fatal(err)
	}
	succeed(t, "restore", file, "--data", restored)
	if !knowsAda(t, restored) {
		t.Error("Ada is not in the database that was restored beside its keys")
	}

	// Keys in a separate folder.
	apart := filepath.Join(dir, "apart", "keys")
	succeed(t, "restore", file, "--data", filepath.Join(dir, "beside"), "--keys", apart)
	if got := keyFiles(t, apart); !maps.Equal(before, got) {
		t.Errorf("keys elsewhere: %v", got)
	}
}

// keyFiles returns the files and folders of a keys folder with their modes.
func keyFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var text []byte
		if !entry.IsDir() {
			text, err = os.ReadFile(path)
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = fmt.Sprintf("%v %s", info.Mode(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// member is a member of an archive.
type member struct {
	header  tar.Header
	content []byte
}

// TestRestoreRefuses checks that restore writes only the files of a backup, whatever an archive contains, and none before
// it has read the archive to its end.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	file, _ := backedUp(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var members []member
	for in := tar.NewReader(bytes.NewReader(whole)); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{*header, content})
	}
	if _, err := readArchive(t.Context(), bytes.NewReader(pack(t, members[:len(members)-1]))); err != nil {
		t.Fatalf("the same members, packed again: %v", err)
	}

	// Truncated anywhere, up to the last digest.
	end := bytes.LastIndex(whole, members[len(members)-1].content) + len(members[len(members)-1].content)
	for size := 0; size < end; size += 509 {
		if _, err := readArchive(t.Context(), bytes.NewReader(whole[:size])); err == nil {
			t.Errorf("%d of %d bytes pass for a whole backup", size, len(whole))
		}
	}

	add := func(header tar.Header, content string) []member {
		header.Size = int64(len(content))
		return append(slices.Clone(members[:len(members)-1]), member{header, []byte(content)})
	}
	plain := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600} }
	change := func(name string, change func(string) string) []member {
		changed := slices.Clone(members[:len(members)-1])
		for i, m := range changed {
			if m.header.Name == name {
				changed[i].content = []byte(change(string(m.content)))
				changed[i].header.Size = int64(len(changed[i].content))
			}
		}
		return changed
	}
	without := func(prefix string) []member {
		return slices.DeleteFunc(slices.Clone(members[:len(members)-1]), func(m member) bool { return strings.HasPrefix(m.header.Name, prefix) })
	}
	archives := map[string]struct {
		archive []byte
		says    string
	}{
		"an empty file":                   {nil, "it is not a holdfast backup, or it was cut short"},
		"something else":                  {bytes.Repeat([]byte("backup "), 1000), "it is not a holdfast backup, or it is damaged"},
		"half of it":                      {whole[:len(whole)/2], "it was cut short"},
		"a byte of the dump changed":      {bytes.Replace(whole, []byte("PGDMP"), []byte("PGDMp"), 1), "it is damaged: database.dump is not what was written"},
		"out of the keys folder":          {pack(t, add(plain("keys/../../evil"), "x")), `"keys/../../evil"`},
		"out of a folder in it":           {pack(t, add(plain("keys/signing/../../../evil"), "x")), "which a backup never does"},
		"an absolute path":                {pack(t, add(plain("/etc/evil"), "x")), "which a backup never does"},
		"a folder that keys do not have":  {pack(t, add(plain("keys/evil/x.jwk"), "x")), "which a backup never does"},
		"a hidden file":                   {pack(t, add(plain("keys/.evil"), "x")), "which a backup never does"},
		"another file":                    {pack(t, add(plain("evil"), "x")), "which a backup never does"},
		"a symbolic link":                 {pack(t, add(tar.Header{Typeflag: tar.TypeSymlink, Name: "keys/signing", Linkname: "/tmp"}, "")), "which a backup never does"},
		"a link to a file":                {pack(t, add(tar.Header{Typeflag: tar.TypeSymlink, Name: "keys/evil.jwk", Linkname: "/etc/passwd"}, "")), "which a backup never does"},
		"a hard link":                     {pack(t, add(tar.Header{Typeflag: tar.TypeLink, Name: "keys/evil.jwk", Linkname: "keys/root.jwk"}, "")), "which a backup never does"},
		"a device":                        {pack(t, add(tar.Header{Typeflag: tar.TypeBlock, Name: "keys/evil.jwk"}, "")), "which a backup never does"},
		"a dump with holes":               {sparse(t, dumpMember, 1<<40), "is sparse"},
		"a key with holes":                {sparse(t, "keys/evil.jwk", 1<<10), "is sparse"},
		"a dump beyond the end":           {whole[:bytes.Index(whole, []byte("PGDMP"))], "it was cut short"},
		"a folder":                        {pack(t, add(tar.Header{Typeflag: tar.TypeDir, Name: "keys/"}, "")), "which a backup never does"},
		"a file twice":                    {pack(t, add(plain("keys/roots.json"), "{}")), "which a backup never does"},
		"a huge key":                      {pack(t, add(plain("keys/evil.jwk"), strings.Repeat("x", maxKeyFile+1))), "more than keys"},
		"without its dump":                {pack(t, without(dumpMember)), "it is not a holdfast backup"},
		"without keys":                    {pack(t, without(keysMembers)), "it is not a holdfast backup"},
		"without saying what it is":       {pack(t, without(manifestMember)), "it is not a holdfast backup"},
		"keys that do not fit each other": {pack(t, without("keys/roots.json")), "the backup's "},
		"a newer format": {
			pack(t, change(manifestMember, func(s string) string { return strings.Replace(s, `"format": 1`, `"format": 2`, 1) })),
			"its format is 2, this program knows 1",
		},
		"a schema for newer programs": {
			pack(t, change(manifestMember, func(s string) string { return strings.Replace(s, `"oldest_schema": `, `"oldest_schema": 9`, 1) })),
			"restore it with a newer program",
		},
		"a newer pg_dump": {
			pack(t, change(manifestMember, func(s string) string { return strings.Replace(s, `"pg_dump": `, `"pg_dump": 9`, 1) })),
			"no pg_restore of PostgreSQL 9",
		},
		"a newer PostgreSQL": {
			pack(t, change(manifestMember, func(s string) string { return strings.Replace(s, `"postgres": `, `"postgres": 9`, 1) })),
			"and the server here is of version",
		},
		"a dump that pg_restore does not take": {pack(t, change(dumpMember, func(s string) string { return s[:len(s)/2] })), "pg_restore: exit status 1: "},
	}
	for name, test := range archives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			bad, data := filepath.Join(dir, "bad.tar"), filepath.Join(dir, "data")
			if err := os.WriteFile(bad, test.archive, 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := call(t, "restore", bad, "--data", data)
			if code != 1 || out != "" || !strings.Contains(errs, test.says) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d %s%s", code, out, errs)
			}
			if left, err := filepath.Glob(filepath.Join(data, "*")); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
			if evil, err := filepath.Glob(filepath.Join(dir, "evil*")); err != nil || len(evil) > 0 {
				t.Errorf("it wrote %v, %v", evil, err)
			}
		})
	}
}

// TestRestoreCanBeInterrupted checks that a shutdown request interrupts both the reading of a large backup and the wait for
// input.
func TestRestoreCanBeInterrupted(t *testing.T) {
	t.Parallel()
	data := filepath.Join(folder(t), "data")
	backup := filepath.Join(folder(t), "backup.tar")
	if code, _, errs := call(t, "restore", backup, "--data", data); code != 1 {
		t.Fatalf("no backup: %d %s", code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var whole bytes.Buffer
	w := &archiveWriter{tar: tar.NewWriter(&whole), at: time.Now()}
	if err := errors.Join(w.addBytes(dumpMember, []byte("PGDMP")), w.finish()); err != nil {
		t.Fatal(err)
	}
	if _, err := readArchive(ctx, bytes.NewReader(whole.Bytes())); !errors.Is(err, context.Canceled) {
		t.Errorf("reading a backup: %v", err)
	}
	silent, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer writer.Close()
	var out, errs bytes.Buffer
	if code := execute(ctx, []string{"restore", "-", "--data", data}, console{silent, &out, &errs}); code != 1 || !strings.Contains(errs.String(), "context canceled") {
		t.Errorf("waiting for a backup: %d %s", code, &errs)
	}
}

// sparse writes an archive with one member that is a hole of that size, in the format that GNU tar calls PAX 1.0.
func sparse(t *testing.T, name string, size int64) []byte {
	t.Helper()
	record := func(key, value string) string {
		length := len(key) + len(value) + 3
		for length != len(fmt.Sprintf("%d %s=%s\n", length, key, value)) {
			length = len(fmt.Sprintf("%d %s=%s\n", length, key, value))
		}
		return fmt.Sprintf("%d %s=%s\n", length, key, value)
	}
	var packed bytes.Buffer
	w := &archiveWriter{tar: tar.NewWriter(&packed), at: time.Now()}
	attributes := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
		record("GNU.sparse.name", name) + record("GNU.sparse.realsize", strconv.FormatInt(size, 10))
	if err := errors.Join(w.addBytes("attributes", []byte(attributes)), w.addBytes("hole", append([]byte("0\n"), make([]byte, 510)...)), w.finish()); err != nil {
		t.Fatal(err)
	}
	// The library cannot write such members, so we patch the type of the first one and its header's checksum.
	const kind, sum = 156, 148
	header := packed.Bytes()[:512]
	header[kind] = tar.TypeXHeader
	copy(header[sum:], "        ")
	total := 0
	for _, b := range header {
		total += int(b)
	}
	copy(header[sum:], fmt.Sprintf("%06o\x00 ", total))
	return packed.Bytes()
}

// pack writes members as an archive with matching digests.
func pack(t *testing.T, members []member) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := &archiveWriter{tar: tar.NewWriter(&packed), at: time.Now()}
	for _, m := range members {
		if m.header.Typeflag == tar.TypeReg {
			if err := w.addBytes(m.header.Name, m.content); err != nil {
				t.Fatal(err)
			}
		} else if err := w.tar.WriteHeader(&m.header); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// TestRestoreKilled checks that a killed restore leaves nothing that could pass for a complete server: the server refuses
// to start, or there is nothing yet, or everything is there. Running restore again completes it.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	file, _ := backedUp(t)
	data := filepath.Join(filepath.Dir(file), "killed")
	exists := func(path string) bool {
		_, err := os.Lstat(filepath.Join(data, path))
		return err == nil
	}
	run := func() *exec.Cmd {
		restore := exec.Command("holdfast", "restore", file, "--data", data)
		if err := restore.Start(); err != nil {
			t.Fatal(err)
		}
		return restore
	}
	for _, until := range []string{
		".restoring",
		".restoring/postgres/data.new",
		".restoring/postgres/data/postmaster.pid",
		".restoring/postgres/socket/.s.PGSQL.5432",
		"", // some time after that
		"postgres",
	} {
		restore := run()
		ended := make(chan error, 1)
		go func() { ended <- restore.Wait() }()
		for begun := time.Now(); ; time.Sleep(time.Millisecond) {
			if until != "" && exists(until) || until == "" && exists(".restoring/postgres/socket/.s.PGSQL.5432") && time.Since(begun) > time.Second {
				break
			}
			if len(ended) > 0 {
				t.Fatalf("it ended before %q: %v", until, <-ended)
			}
		}
		if err := restore.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		<-ended //nolint:errcheck // by the kill, or just before it
		switch {
		case exists("postgres"):
			if !exists("keys") {
				t.Errorf("killed at %q: a database without its keys", until)
			}
		case exists(".restoring/postgres"):
			for _, command := range [][]string{
				{"serve", "--data", data, "--listen=localhost:0", "--ops-listen=localhost:0", "--app=none"},
				{"migrate", "--data", data},
				{"token", "list", "--data", data},
			} {
				if code, _, errs := call(t, command...); code != 1 || !strings.Contains(errs, "was cut short: run it again, or remove "+filepath.Join(data, restoring)) {
					t.Errorf("killed at %q, %s: %d %s", until, command[0], code, errs)
				}
			}
		case exists("keys"):
			t.Errorf("killed at %q: keys without their database", until)
		}
	}
	if !exists("postgres") {
		t.Fatal("it never came to its end")
	}
	if !knowsAda(t, data) {
		t.Error("Ada is not there")
	}

	// Killed between the two last steps: the keys are in place, the cluster is not.
	if err := os.MkdirAll(filepath.Join(data, restoring), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(data, "postgres"), filepath.Join(data, restoring, "postgres")); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call(t, "serve", "--data", data, "--listen=localhost:0", "--ops-listen=localhost:0", "--app=none"); code != 1 || !strings.Contains(errs, "was cut short") {
		t.Errorf("killed at its end, serve: %d %s", code, errs)
	}
	succeed(t, "restore", file, "--data", data)
	if exists(restoring) || !knowsAda(t, data) {
		t.Error("run again, it did not do its work")
	}
}
