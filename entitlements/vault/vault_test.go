package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"holdfast/entitlements/vault"
)

func add(t *testing.T, ring vault.Keyring) vault.Keyring {
	t.Helper()
	ring, err := ring.Add(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestWrappedKeyOpensForItsPurposeOnly(t *testing.T) {
	ring, key := add(t, vault.Keyring{}), bytes.Repeat([]byte{7}, vault.KeySize)
	wrapped, err := ring.Wrap(t.Context(), key, "of Ada, 1")
	if err != nil || bytes.Contains(wrapped.Text, key) {
		t.Fatalf("%x, %v", wrapped.Text, err)
	}
	if opened, err := ring.Unwrap(t.Context(), wrapped, "of Ada, 1"); err != nil || !bytes.Equal(opened, key) {
		t.Errorf("%x, %v", opened, err)
	}
	if _, err := ring.Unwrap(t.Context(), wrapped, "of Ada, 2"); !errors.Is(err, vault.ErrUnwrap) {
		t.Errorf("another purpose: %v", err)
	}
	for i := range wrapped.Text {
		changed := vault.Wrapped{KeyID: wrapped.KeyID, Text: bytes.Clone(wrapped.Text)}
		changed.Text[i] ^= 1
		if _, err := ring.Unwrap(t.Context(), changed, "of Ada, 1"); !errors.Is(err, vault.ErrUnwrap) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	if _, err := ring.Unwrap(t.Context(), vault.Wrapped{KeyID: wrapped.KeyID}, "of Ada, 1"); !errors.Is(err, vault.ErrUnwrap) {
		t.Errorf("nothing: %v", err)
	}
}

func TestKeyringRotates(t *testing.T) {
	old := add(t, vault.Keyring{})
	wrapped, err := old.Wrap(t.Context(), make([]byte, vault.KeySize), "p")
	if err != nil {
		t.Fatal(err)
	}
	ring := add(t, old)
	text, err := ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = vault.ParseKeyring(text); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Unwrap(t.Context(), wrapped, "p"); err != nil {
		t.Errorf("the earlier key: %v", err)
	}
	newer, err := ring.Wrap(t.Context(), make([]byte, vault.KeySize), "p")
	if err != nil || newer.KeyID != ring.IDs()[0] || newer.KeyID == wrapped.KeyID {
		t.Errorf("wrapped with %s of %s, %v", newer.KeyID, ring.IDs(), err)
	}
	if _, ok := ring.Without(newer.KeyID); ok {
		t.Error("the key that wraps was removed")
	}
	ring, ok := ring.Without(wrapped.KeyID)
	if !ok || len(ring.IDs()) != 1 {
		t.Errorf("%s", ring.IDs())
	}
	_, err = ring.Unwrap(t.Context(), wrapped, "p")
	if unknown := (*vault.UnknownKeyError)(nil); !errors.As(err, &unknown) || unknown.KeyID != wrapped.KeyID {
		t.Errorf("a removed key: %v", err)
	}
}

const oneKey = `{"keys":[{"kty":"oct","alg":"A256GCM","kid":"k1","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`

func TestParseKeyringRefuses(t *testing.T) {
	if _, err := vault.ParseKeyring([]byte(oneKey)); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]string{
		"no JSON":        "{",
		"no keys":        `{"keys":[]}`,
		"another member": strings.Replace(oneKey, `"kid"`, `"x":1,"kid"`, 1),
		"another type":   strings.Replace(oneKey, "oct", "EC", 1),
		"another alg":    strings.Replace(oneKey, "A256GCM", "A128GCM", 1),
		"no id":          strings.Replace(oneKey, "k1", "", 1),
		"a short key":    strings.Replace(oneKey, "AAAA", "", 1),
		"padding":        strings.Replace(oneKey, `AAA"}`, `AAA="}`, 1),
		"twice":          strings.Replace(oneKey, "]", ","+oneKey[9:len(oneKey)-2]+"]", 1),
	} {
		if ring, err := vault.ParseKeyring([]byte(wrong)); err == nil {
			t.Errorf("%s: %s", name, ring.IDs())
		}
	}
}

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte(oneKey))
	f.Fuzz(func(t *testing.T, text []byte) {
		ring, err := vault.ParseKeyring(text)
		if err != nil {
			return
		}
		written, err := ring.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := vault.ParseKeyring(written); err != nil || len(again.IDs()) != len(ring.IDs()) {
			t.Errorf("%s becomes %s: %v", text, written, err)
		}
	})
}
