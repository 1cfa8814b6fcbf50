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

func TestServerKeys(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), "keys")
	now := time.Now()

	if _, err := serverKeys(dir, origin, false, now, log); err == nil || !strings.Contains(err.Error(), "there are no keys") {
		t.Errorf("an external database without keys: %v", err)
	}
	made, err := serverKeys(dir, origin, true, now, log)
	if err != nil {
		t.Fatal(err)
	}
	found, err := serverKeys(dir, origin, true, now, log)
	if err != nil {
		t.Fatal(err)
	}
	if found.Compact != made.Compact {
		t.Error("a second start changes the keyset")
	}

	moved, err := serverKeys(dir, "https://new.example.org", true, now, log)
	if err != nil {
		t.Fatal(err)
	}
	if moved.Keyset.Issuer != "https://new.example.org" || moved.Keyset.Version != made.Keyset.Version+1 ||
		len(moved.Keyset.Keys) != 1 || moved.Keyset.Keys[0].KeyID != made.Keyset.Keys[0].KeyID || moved.Roots.Current.ID() != made.Roots.Current.ID() {
		t.Errorf("for another origin: %+v", moved.Keyset)
	}
	again, err := serverKeys(dir, "https://new.example.org", false, now, log)
	if err != nil || again.Compact != moved.Compact {
		t.Errorf("the keyset for another origin is not kept: %v", err)
	}
	if _, err := serverKeys(dir, origin, false, now, log); err == nil || !strings.Contains(err.Error(), "is for https://new.example.org, not for "+origin) {
		t.Errorf("an external database with another origin: %v", err)
	}

	for _, issuer := range []string{origin, "https://new.example.org"} {
		_, err := serverKeys(dir, issuer, true, now.Add(entitlements.KeysetLife), log)
		if err == nil || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("after the keyset's end, for %s: %v", issuer, err)
		}
	}

	if err := os.Remove(filepath.Join(dir, "root.jwk")); err != nil {
		t.Fatal(err)
	}
	if _, err := serverKeys(dir, origin, true, now, log); err == nil || !strings.Contains(err.Error(), "root key") {
		t.Errorf("for another origin without the root: %v", err)
	}
}

// A start that is cut short leaves no half-made keys, and a folder that holds anything is left as it is.
func TestMakeKeysWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "keys")
	if err := os.Mkdir(dir, 0o700); err != nil { // empty: a volume, say
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
