package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// keysBench is a server with its keys folder.
type keysBench struct {
	*server
	config Config
	dir    string
}

func serveKeys(t *testing.T, every time.Duration) *keysBench {
	t.Helper()
	data := filepath.Join(folder(t), "data")
	config := configure(t, "--data", data, "--origin", "https://app.example.org")
	config.keysEvery = every
	b := &keysBench{config: config, dir: filepath.Join(data, "keys")}
	b.start(t)
	return b
}

// start loads the folder as after a restart.
func (b *keysBench) start(t *testing.T) {
	t.Helper()
	b.server = serve(t, b.config)
	b.origin = "http://" + find(t, `"listen":"([^"]+)"`, b.log.String()) // the public one is not this machine
}

// command runs a command on the folder.
func (b *keysBench) command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(t.Context(), append([]string{"keys"}, append(args, "--keys", b.dir)...), console{nil, &out, &errs}); code != 0 {
		t.Fatalf("keys %v: %d %s", args, code, &errs)
	}
	return out.String()
}

func (b *keysBench) keys(t *testing.T) entitlements.Keys {
	t.Helper()
	keys, err := readKeys(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (b *keysBench) served(t *testing.T) string {
	t.Helper()
	_, body := ask(t, "GET", b.origin+"/.well-known/holdfast-keyset", "", "")
	return body
}

// within waits for an expected condition.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// TestKeysetFileChanges checks that a running server takes a new keyset from its folder. It refuses keysets that devices
// would refuse, with one log line each, and keeps the current one.
func TestKeysetFileChanges(t *testing.T) {
	t.Parallel()
	b := serveKeys(t, 10*time.Millisecond)
	first := b.keys(t)
	b.command(t, "rotate")
	rotated := b.keys(t)
	within(t, "the rotated keyset is served", func() bool { return b.served(t) == rotated.Compact })
	if _, jwks := ask(t, "GET", b.origin+"/.well-known/jwks.json", "", ""); !strings.Contains(jwks, rotated.Keyset.Keys[1].KeyID) {
		t.Errorf("the next key is not in the JWK set: %s", jwks)
	}
	if _, metrics := ask(t, "GET", b.ops+"/metrics", "", ""); !strings.Contains(metrics, "holdfast_keyset_version 2") {
		t.Error("the metric does not follow")
	}
	if got := strings.Count(b.log.String(), "took a new keyset"); got != 1 {
		t.Errorf("taken %d times:\n%s", got, b.log)
	}

	sign := func(root jose.PrivateKey, edit func(*entitlements.Keyset)) string {
		t.Helper()
		proposal := entitlements.Proposal{Root: root.ID(), Keyset: rotated.Keyset}
		proposal.Keyset.Version = 3
		proposal.Keyset.Keys = append([]entitlements.KeysetKey{}, rotated.Keyset.Keys...)
		edit(&proposal.Keyset)
		compact, err := proposal.Sign(root)
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	stranger, err := entitlements.GenerateKeys(rand.Reader, "https://app.example.org", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, entitlements.KeysetFile)
	// The reasons differ: a repeated reason, with no good keyset in between, is logged once.
	for name, test := range map[string]struct{ keyset, reason string }{
		"older":                 {first.Compact, "is version 1, but version 2 has been served"},
		"the version once more": {sign(first.Root, func(k *entitlements.Keyset) { k.Version = 2; k.ExpiresAt-- }), "another of that version has been served"},
		"ended":                 {sign(first.Root, func(k *entitlements.Keyset) { k.IssuedAt, k.ExpiresAt = 1, time.Now().Unix() }), "has ended"},
		"unknown root":          {stranger.Compact, "root_unknown"},
		"another origin's":      {sign(first.Root, func(k *entitlements.Keyset) { k.Issuer = "https://other.example.org" }), "it is for https://other.example.org, not for"},
		"a key that is not here": {sign(first.Root, func(k *entitlements.Keyset) {
			k.Keys = append(k.Keys, stranger.Keyset.Keys[0])
		}), stranger.Keyset.Keys[0].KeyID + ", which the keyset names, is not here"},
		"damaged": {rotated.Compact[:100], "malformed"},
	} {
		before := strings.Count(b.log.String(), "refused the keyset")
		if err := writeFile(path, []byte(test.keyset)); err != nil {
			t.Fatal(err)
		}
		within(t, name+" is refused", func() bool { return strings.Count(b.log.String(), "refused the keyset") > before })
		time.Sleep(50 * time.Millisecond) // several more checks
		lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
		if got := strings.Count(b.log.String(), "refused the keyset"); got != before+1 || !strings.Contains(lines[len(lines)-1], test.reason) {
			t.Errorf("%s: %d lines, the last: %s", name, got-before, lines[len(lines)-1])
		}
		if b.served(t) != rotated.Compact {
			t.Errorf("%s: served", name)
		}
		if err := writeFile(path, []byte(rotated.Compact)); err != nil {
			t.Fatal(err)
		}
	}

	// Private keys that others can read are refused here, too; once they are fixed, the next keyset is taken.
	signing, err := filepath.Glob(filepath.Join(b.dir, "signing", "*.jwk"))
	if err != nil || len(signing) == 0 {
		t.Fatal(err)
	}
	if err := os.Chmod(signing[0], 0o644); err != nil {
		t.Fatal(err)
	}
	good := sign(first.Root, func(*entitlements.Keyset) {})
	if err := writeFile(path, []byte(good)); err != nil {
		t.Fatal(err)
	}
	within(t, "readable keys are refused", func() bool { return strings.Contains(b.log.String(), "can be read by others") })
	if b.served(t) != rotated.Compact {
		t.Error("served with keys that others can read")
	}
	if err := os.Chmod(signing[0], 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, "the keyset is served", func() bool { return b.served(t) == good })
}

// TestHangupReloadsKeyset checks that SIGHUP makes the server check at once. The signal reaches the whole process, so no
// other server's test may run in parallel.
func TestHangupReloadsKeyset(t *testing.T) {
	b := serveKeys(t, time.Hour)
	b.command(t, "renew")
	renewed := b.keys(t)
	time.Sleep(50 * time.Millisecond)
	if b.served(t) == renewed.Compact {
		t.Fatal("it does not wait for the signal: this test shows nothing")
	}
	hangup := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	within(t, "the renewed keyset is served", func() bool { return b.served(t) == renewed.Compact })

	// Each signal is answered in the log, even with a repeated refusal.
	if err := writeFile(filepath.Join(b.dir, entitlements.KeysetFile), []byte("nothing")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		hangup()
		within(t, "a refusal", func() bool { return strings.Count(b.log.String(), "refused the keyset") == n })
	}
}

// TestRootSwitchWhileServing checks that new roots, and a keyset that only they sign, are served from the next start on.
func TestRootSwitchWhileServing(t *testing.T) {
	t.Parallel()
	b := serveKeys(t, 10*time.Millisecond)
	before := b.keys(t)
	b.command(t, "root-next")
	within(t, "the log says that roots need a restart", func() bool { return strings.Contains(b.log.String(), "roots.json has changed: restart the server") })
	b.command(t, "root-next", "--switch")
	within(t, "the switch is refused", func() bool {
		return strings.Contains(b.log.String(), "was not in roots.json when this server started: restart it")
	})
	if b.served(t) != before.Compact {
		t.Error("a keyset is served that no root served vouches for")
	}
	if got := strings.Count(b.log.String(), "roots.json has changed"); got != 1 {
		t.Errorf("said %d times", got)
	}
	b.stop(t)

	b.start(t)
	switched := b.keys(t)
	if b.served(t) != switched.Compact {
		t.Error("the switched keyset is not served after a restart")
	}
	if _, roots := ask(t, "GET", b.origin+"/roots.json", "", ""); !strings.Contains(roots, switched.Roots.Next.JWK().X) {
		t.Errorf("the next root is not served: %s", roots)
	}
	// The promotion does not stop the server: the keyset is signed by a root that it knows.
	b.command(t, "root-next", "--promote")
	b.command(t, "rotate")
	rotated := b.keys(t)
	within(t, "a keyset after the promotion is served", func() bool { return b.served(t) == rotated.Compact })
}

// TestKeysCommandsExcludeEachOther checks that concurrent commands on one folder each make their own version, and that none
// is lost.
func TestKeysCommandsExcludeEachOther(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := makeKeys(dir, origin, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	const n = 12
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			var out, errs bytes.Buffer
			if code := execute(t.Context(), []string{"keys", "renew", "--keys", dir}, console{nil, &out, &errs}); code != 0 {
				t.Errorf("%d: %s", code, &errs)
			}
		})
	}
	group.Wait()
	keys, err := readKeys(dir)
	if err != nil || keys.Keyset.Version != n+1 {
		t.Errorf("version %d after %d changes: %v", keys.Keyset.Version, n, err)
	}
}

// TestKeysSurviveFailures checks that an interrupted change leaves a folder that loads, with every private key it had.
func TestKeysSurviveFailures(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	made, err := makeKeys(dir, origin, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// A file is in the place of the folder for withdrawn keys: the last step of a retirement fails, after the keyset is in
	// force.
	if err := os.WriteFile(filepath.Join(dir, entitlements.WithdrawnDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kid := made.Signing[0].ID()
	if code := execute(t.Context(), []string{"keys", "retire", "--replace", kid, "--keys", dir}, console{nil, &buffer{}, &buffer{}}); code != 1 {
		t.Fatalf("retire: %d", code)
	}
	keys, err := loadKeys(dir, origin, time.Now())
	if err != nil || keys.Keyset.Version != 2 || lists(keys.Keyset, kid) || len(keys.Signing) != 2 {
		t.Errorf("after a failure: %+v, %v", keys.Keyset, err)
	}
	if err := createFile(filepath.Join(dir, "signing", kid+".jwk"), nil); err == nil {
		t.Error("a private key was overwritten")
	}
}

// TestKeysSurviveKills checks that a command killed at any moment leaves a folder that loads, with every private key it
// had.
func TestKeysSurviveKills(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := makeKeys(dir, origin, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	private := func() map[string]bool {
		t.Helper()
		found := map[string]bool{}
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) != ".jwk" || err != nil {
				return err
			}
			id, err := privateKeyID(path)
			found[id] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before, finished, last := private(), 0, int64(1)
	for i := range 60 {
		keys, err := loadKeys(dir, origin, time.Now())
		if err != nil {
			t.Fatalf("after %d kills: %v", i, err)
		}
		signer, _ := keys.Signer(time.Now())
		args := [][]string{{"retire", "--replace", signer.ID()}, {"renew"}, {"root-next"}, {"root-next", "--switch"}, {"root-next", "--promote"}}[i%5]
		command := exec.Command("holdfast", append([]string{"keys"}, append(args, "--keys", dir)...)...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(mathrand.Int64N(int64(100*time.Millisecond))), func() { _ = command.Process.Kill() })
		if command.Wait() == nil {
			finished++
		}
		kill.Stop()
		after := private()
		for id := range before {
			if !after[id] {
				t.Fatalf("keys %v: the private key %s is lost", args, id)
			}
		}
		if keys, err = readKeys(dir); err != nil || keys.Keyset.Version < last {
			t.Fatalf("keys %v: version %d after %d: %v", args, keys.Keyset.Version, last, err)
		}
		before, last = after, keys.Keyset.Version
	}
	t.Logf("%d of 60 commands came to their end", finished)
}

// TestKeysListJSON checks that the JSON output has the same contents as the table.
func TestKeysListJSON(t *testing.T) {
	t.Parallel()
	b := &keysBench{dir: filepath.Join(t.TempDir(), "keys")}
	if _, err := makeKeys(b.dir, origin, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.command(t, "rotate")
	b.command(t, "root-next")
	if err := os.Remove(filepath.Join(b.dir, entitlements.RootFile)); err != nil {
		t.Fatal(err)
	}
	b.command(t, "renew")
	var list struct {
		Version int64
		Roots   []struct {
			Slot    string
			Signs   bool
			Private *string `json:"private_key"`
		}
		Keys []struct {
			State   string
			From    time.Time `json:"signs_from"`
			Until   time.Time `json:"signs_until"`
			Private *string   `json:"private_key"`
		} `json:"signing_keys"`
		Proposal struct{ Version int64 }
	}
	if err := json.Unmarshal([]byte(b.command(t, "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if list.Version != 2 || list.Proposal.Version != 3 || len(list.Roots) != 2 || len(list.Keys) != 2 ||
		!list.Roots[0].Signs || list.Roots[0].Private != nil || list.Roots[1].Slot != "next" || *list.Roots[1].Private != "root-next.jwk" ||
		list.Keys[0].State != "next" || list.Keys[1].State != "signs" || !list.Keys[0].From.Equal(list.Keys[1].Until) ||
		!strings.HasPrefix(*list.Keys[0].Private, "signing/") {
		t.Errorf("%+v", list)
	}
}

// TestKeysetEndIsNear checks that a starting server reports the keyset's approaching end on the console, in the log and in
// the metrics.
func TestKeysetEndIsNear(t *testing.T) {
	t.Parallel()
	for life, warned := range map[time.Duration]bool{59 * 24 * time.Hour: true, 61 * 24 * time.Hour: false} {
		dir := filepath.Join(folder(t), "keys")
		b := &keysBench{dir: dir, config: configure(t, "--data", filepath.Join(folder(t), "data"), "--origin", "https://app.example.org", "--keys", dir)}
		if _, err := makeKeys(b.dir, "https://app.example.org", "", time.Now()); err != nil {
			t.Fatal(err)
		}
		b.command(t, "renew", "--life", fmt.Sprint(life))
		b.start(t)
		warning := "the keyset ends soon, in 58 days: after that no document is valid; 'holdfast keys renew'"
		if strings.Contains(b.greeting.String(), "WARNING: "+warning) != warned {
			t.Errorf("%v before the end, on the console: %s", life, b.greeting)
		}
		within(t, "a line in the log", func() bool { return !warned || strings.Contains(b.log.String(), warning) })
		if _, metrics := ask(t, "GET", b.ops+"/metrics", "", ""); !strings.Contains(metrics, "holdfast_keyset_remaining_seconds 5.") { // 5.1 or 5.3 million
			t.Errorf("%v before the end: no time left in the metrics", life)
		}
		b.stop(t)
	}
}
