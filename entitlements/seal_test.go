package entitlements

import (
	"bytes"
	"crypto/rand"
	"errors"
	"holdfast/entitlements/ledger"
	"os"
	"testing"
)

const (
	someUser   = UserID("6f6c5a4e-1111-4222-8333-444455556666")
	someDevice = DeviceID("7f6c5a4e-1111-4222-8333-444455556666")
)

func TestLineageToken(t *testing.T) {
	s := sealer{secret: bytes.Repeat([]byte{7}, 32), rand: rand.Reader}
	want := Token{Device: someDevice, User: someUser, Generation: 1 << 40, Parent: Tag{1, 2}, Revision: 12, Ledger: ledger.Head{Seq: 3, Hash: ledger.Hash{4}}}
	text, err := s.seal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.open(text)
	if err != nil || got.Tag == (Tag{}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if want.Tag = got.Tag; got != want {
		t.Errorf("opened %+v, sealed %+v", got, want)
	}
	if again, _ := s.seal(want); again == text {
		t.Error("two tokens have one tag")
	}
	other := sealer{secret: bytes.Repeat([]byte{8}, 32), rand: rand.Reader}
	if _, err := other.open(text); !errors.Is(err, ErrLineageInvalid) {
		t.Errorf("under another secret: %v", err)
	}
	for i := range text {
		for _, c := range []byte("Aq-_=+") {
			if c == text[i] {
				continue
			}
			if _, err := s.open(text[:i] + string(c) + text[i+1:]); !errors.Is(err, ErrLineageInvalid) {
				t.Fatalf("byte %d may be %q", i, c)
			}
		}
	}
}

func FuzzLineageToken(f *testing.F) {
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	// The tag is fixed, so that the seeds contain tokens that open.
	s := sealer{secret: bytes.Repeat([]byte{7}, 32), rand: bytes.NewReader(bytes.Repeat([]byte{9}, 16))}
	good, err := s.first(someDevice, someUser, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:40])
	f.Fuzz(func(t *testing.T, text string) {
		token, err := s.open(text)
		if err == nil && text != good {
			t.Errorf("forged input accepted: %q", text)
		}
		if err == nil {
			again := sealer{secret: s.secret, rand: bytes.NewReader(token.Tag[:])}
			if sealed, err := again.seal(token); err != nil || sealed != text {
				t.Errorf("sealed again: %q, %v", sealed, err)
			}
		} else if !errors.Is(err, ErrLineageInvalid) {
			t.Errorf("unexpected kind of error: %v", err)
		}
	})
}
