package sql_test

import (
	"crypto/rand"
	"slices"
	"strconv"
	"testing"

	"holdfast/entitlements"
	"holdfast/entitlements/vault"
)

func TestRewrapReplacesTheWrappingOfEveryContentKey(t *testing.T) {
	b := newBench(t)
	old, err := vault.Keyring{}.Add(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type owned struct {
		user  entitlements.UserID
		epoch int64
	}
	held := map[owned]vault.Wrapped{}
	for i := range 3 {
		user := b.user(t)
		for epoch := range int64(2) {
			key := entitlements.ContentKey{Feature: entitlements.VaultFeature, Epoch: epoch + 1, MadeAt: b.clock.Now()}
			key.Wrapped, err = old.Wrap(t.Context(), make([]byte, vault.KeySize), "content key vault "+string(user)+" "+strconv.FormatInt(key.Epoch, 10))
			if err != nil {
				t.Fatal(err)
			}
			if key, err = b.store.PutVaultKey(t.Context(), user, key); err != nil {
				t.Fatal(err)
			}
			held[owned{user, key.Epoch}] = key.Wrapped
		}
		pack := entitlements.ContentKey{Feature: "atlas", Epoch: int64(i + 1), MadeAt: b.clock.Now()}
		if pack.Wrapped, err = old.Wrap(t.Context(), make([]byte, vault.KeySize), "content key atlas  "+strconv.Itoa(i+1)); err != nil {
			t.Fatal(err)
		}
		entry := entitlements.AuditEntry{At: b.clock.Now(), Actor: "operator", Action: "pack.epoch", Object: "pack:atlas"}
		if err := b.store.PutPackKey(t.Context(), pack, entry); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := old.Add(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := entitlements.Rewrap(t.Context(), b.store, ring); err != nil || changed != 9 {
		t.Fatalf("%d keys, %v", changed, err)
	}
	if n, err := b.store.WrappedBy(t.Context(), old.IDs()[0]); err != nil || n != 0 {
		t.Errorf("the old key still wraps %d, %v", n, err)
	}
	if n, err := b.store.WrappedBy(t.Context(), ring.IDs()[0]); err != nil || n != 9 {
		t.Errorf("the new key wraps %d, %v", n, err)
	}
	alone, _ := ring.Without(old.IDs()[0])
	for of, before := range held {
		keys, err := b.store.ContentKeys(t.Context(), of.user)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(keys.Keys, func(k entitlements.ContentKey) bool {
			return k.Feature == entitlements.VaultFeature && k.Epoch == of.epoch
		})
		if i < 0 || string(keys.Keys[i].Wrapped.Text) == string(before.Text) {
			t.Fatalf("%+v", keys)
		}
		if _, err := alone.Unwrap(t.Context(), keys.Keys[i].Wrapped, "content key vault "+string(of.user)+" "+strconv.FormatInt(of.epoch, 10)); err != nil {
			t.Errorf("epoch %d: %v", of.epoch, err)
		}
	}
}
