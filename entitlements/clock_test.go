package entitlements_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/entitlements"
)

// Before the start of its keys, a keyset has not ended: the clock is wrong.
func TestUsableBeforeKeysBegin(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	keys, err := entitlements.GenerateKeys(rand.Reader, "https://app.example.com", made)
	if err != nil {
		t.Fatal(err)
	}
	err = keys.Usable(made.AddDate(-1, 0, 0))
	if !errors.Is(err, entitlements.ErrBeforeKeys) || errors.Is(err, entitlements.ErrKeysetEnded) || !strings.Contains(err.Error(), "2026-11-01") {
		t.Errorf("a year before the keys: %v", err)
	}
	if err := keys.Usable(made.AddDate(2, 0, 0)); !errors.Is(err, entitlements.ErrKeysetEnded) {
		t.Errorf("after their end: %v", err)
	}
}
