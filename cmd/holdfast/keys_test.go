package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements"
)

const origin = "https://app.example.org"

// TestKeysetWarningSaysHours checks that the end of a keyset is not rounded down to "0 days".
func TestKeysetWarningSaysHours(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		50 * time.Hour: "in 2 days:", 47 * time.Hour: "in 47 hours:", 90 * time.Minute: "in 1 hour:", 20 * time.Minute: "in less than an hour:",
	} {
		if got := keysetWarning(now.Add(left), now); !strings.Contains(got, want) {
			t.Errorf("%v before the end: %q", left, got)
		}
	}
}

// TestServerKeys checks that a server with an external database uses the existing keys, and that one with a private cluster
// creates keys at its first start and signs the keyset again if only this machine's port has changed.
func TestServerKeys(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), "keys")
	now := time.Now()
	const here, there = "http://localhost:8080", "http://localhost:8081"

	if _, err := serverKeys(dir, here, now); err == nil || !strings.Contains(err.Error(), "there are no keys") {
		t.Errorf("an external database without keys: %v", err)
	}
	made, err := clusterKeys(dir, here, nil, now, log)
	if err != nil {
		t.Fatal(err)
	}
	served := []entitlements.ServedKeyset{made.Keyset.Served()}
	found, err := clusterKeys(dir, here, served, now, log)
	if err != nil {
		t.Fatal(err)
	}
	if found.Compact != made.Compact {
		t.Error("a second start changes the keyset")
	}

	if _, err := serverKeys(dir, there, now); err == nil || !strings.Contains(err.Error(), "is for "+here+", not for "+there) {
		t.Errorf("an external database with another origin: %v", err)
	}
	moved, err := clusterKeys(dir, there, served, now, log)
	if err != nil {
		t.Fatal(err)
	}
	if moved.Keyset.Issuer != there || moved.Keyset.Version != made.Keyset.Version+1 ||
		len(moved.Keyset.Keys) != 1 || moved.Keyset.Keys[0].KeyID != made.Keyset.Keys[0].KeyID || moved.Roots.Current.ID() != made.Roots.Current.ID() {
		t.Errorf("for another port: %+v", moved.Keyset)
	}
	again, err := serverKeys(dir, there, now)
	if err != nil || again.Compact != moved.Compact {
		t.Errorf("the keyset for another port is not kept: %v", err)
	}

	for _, issuer := range []string{here, there} {
		_, err := clusterKeys(dir, issuer, served, now.Add(entitlements.KeysetLife), log)
		if err == nil || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("after the keyset's end, for %s: %v", issuer, err)
		}
	}

	if err := os.Remove(filepath.Join(dir, "root.jwk")); err != nil {
		t.Fatal(err)
	}
	if _, err := clusterKeys(dir, here, served, now, log); err == nil || !strings.Contains(err.Error(), "root key") {
		t.Errorf("for another port without the root: %v", err)
	}
}

// TestClusterKeysOfAnotherServer checks that no key is created and no keyset signed that the cluster would refuse to serve.
func TestClusterKeysOfAnotherServer(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	now := time.Now()
	ours, err := makeKeys(filepath.Join(t.TempDir(), "keys"), origin, "", now)
	if err != nil {
		t.Fatal(err)
	}
	served := []entitlements.ServedKeyset{ours.Keyset.Served()}
	for name, theirs := range map[string]string{
		"no keys": "", "keys of this machine": "http://localhost:8081", "keys of another origin": "https://other.example.org",
	} {
		dir := filepath.Join(t.TempDir(), "keys")
		before := ""
		if theirs != "" {
			keys, err := makeKeys(dir, theirs, "", now)
			if err != nil {
				t.Fatal(err)
			}
			before = keys.Compact
		}
		for _, as := range []string{origin, "http://localhost:8080"} {
			if _, err := clusterKeys(dir, as, served, now, log); err == nil {
				t.Errorf("%s are taken for %s", name, as)
			}
			after, err := os.ReadFile(filepath.Join(dir, entitlements.KeysetFile))
			if string(after) != before || err != nil && before != "" {
				t.Errorf("%s: the folder has changed: %v", name, err)
			}
		}
	}
}

// TestForeignKeysFolder checks that a keys folder is refused if another user owns or can change any file or folder in it.
func TestForeignKeysFolder(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	for _, file := range []string{".", entitlements.SigningDir, entitlements.WithdrawnDir, entitlements.RootsFile, entitlements.KeysetFile, entitlements.RootFile} {
		dir := filepath.Join(t.TempDir(), "keys")
		if _, err := makeKeys(dir, origin, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, entitlements.WithdrawnDir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := checkFolder(dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode()|0o020); err != nil {
			t.Fatal(err)
		}
		if err := checkFolder(dir); err == nil || !strings.Contains(err.Error(), "by others") {
			t.Errorf("%s that its group can change: %v", file, err)
		}
		if err := os.Chmod(path, info.Mode()); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() != 0 { // only root may give files away
			continue
		}
		if err := os.Chown(path, nobody, -1); err != nil {
			t.Fatal(err)
		}
		if err := checkFolder(dir); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
			t.Errorf("%s of another user: %v", file, err)
		}
	}
}

// TestMakeKeysIsAtomic checks that an interrupted start leaves no incomplete keys, and that a folder with any content is
// left alone.
func TestMakeKeysIsAtomic(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "keys")
	if err := os.Mkdir(dir, 0o700); err != nil { // an empty folder, such as a volume
		t.Fatal(err)
	}
	if _, err := makeKeys(dir, origin, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "keyset.jws"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := makeKeys(dir, origin, "", time.Now()); err == nil {
		t.Error("keys were overwritten")
	}
	after, err := os.ReadFile(filepath.Join(dir, "keyset.jws"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the keyset has changed: %v", err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside the keys: %v, %v", entries, err)
	}
}

func TestWarnOfKeysetEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // only the warning at start
	for days, warned := range map[int]bool{59: true, 61: false, -1: true} {
		var log buffer
		warnOfKeysetEnd(ctx, slog.New(slog.NewJSONHandler(&log, nil)), func() time.Time { return time.Now().AddDate(0, 0, days) })
		if got := strings.Contains(log.String(), "the keyset "); got != warned {
			t.Errorf("%d days before the end: warned %v", days, got)
		}
	}
}
