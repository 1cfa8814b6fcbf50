package passkey

import (
	"bytes"
	"crypto/rand"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/google/uuid"
)

// A sealed ceremony must survive a round trip: the library compares every member of its data.
func TestSealedCeremonyRoundTrip(t *testing.T) {
	service := newBench(t)
	_, session, err := service.webauthn.BeginMediatedRegistration(
		account{handle: make([]byte, 16), name: "Ada"}, protocol.MediationDefault)
	if err != nil {
		t.Fatal(err)
	}
	session.Expires = session.Expires.UTC().Truncate(0)
	c := ceremony{
		id: uuid.New(), Kind: KindEnrolment, User: UserID(uuid.NewString()), Ends: service.now(), WebAuthn: *session, Name: "Ada",
		Code: &CodeKey{Kind: EnrolmentLink, Hash: []byte{1}},
	}
	sealed, err := service.sealer.seal(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := service.sealer.open(sealed)
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v, %v, want %+v", got, err, c)
	}
	if raw, err := decode(sealed); err != nil || bytes.Contains(raw, []byte("Ada")) || bytes.Contains(raw, []byte(session.Challenge)) {
		t.Errorf("not encrypted: %q, %v", raw, err)
	}
	c.id = uuid.New()
	if again, err := service.sealer.seal(c); err != nil || again[25:60] == sealed[25:60] {
		t.Errorf("another ceremony has the same key: %v", err)
	}
}

// TestSealedCeremonyCannotBeForged changes a sealed ceremony in every bit, cuts it everywhere, and presents it to
// services that have not sealed it. Nothing of that is stored.
func TestSealedCeremonyCannotBeForged(t *testing.T) {
	b := newBench(t)
	options, err := b.BeginRegistration("Ada")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := decode(options.Ceremony)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what, sealed string) {
		t.Helper()
		if _, err := b.FinishRegistration(t.Context(), nil, sealed, []byte("{}"), ""); !errors.Is(err, ErrCeremony) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for bit := range 8 * len(raw) {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		refuse("a bit flipped", encode(changed))
	}
	for n := range raw {
		refuse("cut at the end", encode(raw[:n]))
		refuse("cut at the beginning", encode(raw[n+1:]))
	}
	refuse("longer", encode(append(bytes.Clone(raw), 0)))
	refuse("padded", options.Ceremony+"=")
	refuse("of line breaks", options.Ceremony[:40]+"\n"+options.Ceremony[40:])
	random := make([]byte, len(raw)-1)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	refuse("random", encode(append([]byte{ceremonyFormat}, random...)))

	for what, change := range map[string]func(*sealer){
		"another secret":           func(s *sealer) { *s = newSealer(random[:ceremonySecret], b.config.RPID, b.config.Origin) },
		"another relying party id": func(s *sealer) { *s = newSealer(s.secret, "org", b.config.Origin) },
		"another origin":           func(s *sealer) { *s = newSealer(s.secret, b.config.RPID, "https://www.example.org") },
	} {
		own := b.sealer
		change(&b.sealer)
		refuse(what, options.Ceremony)
		b.sealer = own
	}
	if len(b.spent) != 0 {
		t.Errorf("spent: %q", b.spent)
	}
	if _, err := b.FinishRegistration(t.Context(), nil, options.Ceremony, []byte("{}"), ""); !errors.Is(err, ErrCredentialRejected) {
		t.Errorf("the ceremony itself: %v", err)
	}
}

// Refusing a ceremony that has ended needs no row.
func TestEndedCeremonyIsNotStored(t *testing.T) {
	b := newBench(t)
	begun := time.Now()
	b.config.Now = func() time.Time { return begun }
	options, err := b.BeginAuthentication()
	if err != nil {
		t.Fatal(err)
	}
	b.config.Now = func() time.Time { return begun.Add(CeremonyLife) }
	if _, err := b.FinishAuthentication(t.Context(), "", options.Ceremony, ReadAssertion([]byte("{}")), ""); !errors.Is(err, ErrCeremony) || len(b.spent) != 0 {
		t.Errorf("%v, spent %q", err, b.spent)
	}
}

// FuzzOpenCeremony opens any text, and any sealed text: every refusal is ErrCeremony.
func FuzzOpenCeremony(f *testing.F) {
	requireSeeds(f)
	s := newSealer(make([]byte, ceremonySecret), "example.org", "https://example.org")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := s.open(text); !errors.Is(err, ErrCeremony) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
		sealed, err := s.sealPlain(uuid.UUID{}, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.open(sealed)
		if err != nil {
			if !errors.Is(err, ErrCeremony) {
				t.Errorf("%q sealed: %v", text, err)
			}
			return
		}
		if sealed, err = s.seal(c); err != nil {
			t.Fatal(err)
		}
		again, err := s.open(sealed)
		if err != nil || again.Kind != c.Kind || again.User != c.User || !again.Ends.Equal(c.Ends) || again.Name != c.Name {
			t.Errorf("%q: %+v came back as %+v, %v", text, c, again, err)
		}
	})
}
