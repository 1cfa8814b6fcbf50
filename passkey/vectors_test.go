package passkey

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/google/uuid"
)

// vector is an example of the specification: a registration, and an authentication with the same credential.
type vector struct {
	Name, Title  string
	Registration struct {
		Challenge, ClientDataJSON, AttestationObject hexBytes
		CredentialID                                 hexBytes `json:"credential_id"`
	}
	Authentication struct {
		Challenge, AuthenticatorData, ClientDataJSON, Signature hexBytes
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func vectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/webauthn-level-3.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Source  string
		Vectors []vector
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 15 {
		t.Fatalf("%d vectors, want 15", len(file.Vectors))
	}
	return file.Vectors
}

// bench is the service on an in-memory store.
type bench struct {
	*Service
	*memory
	t *testing.T
}

// inject returns the ceremony with that challenge, as if the server had drawn it; the vectors' challenges have various
// lengths. With another verification than required, the library does not check user verification, but this package does.
func (b *bench) inject(sealed string, challenge []byte, verification protocol.UserVerificationRequirement) string {
	b.t.Helper()
	c, err := b.sealer.open(sealed)
	if err != nil {
		b.t.Fatal(err)
	}
	c.WebAuthn.Challenge, c.WebAuthn.UserVerification = encode(challenge), verification
	if sealed, err = b.sealer.seal(c); err != nil {
		b.t.Fatal(err)
	}
	return sealed
}

// memory implements the part of Store that ceremonies need. Other methods panic.
type memory struct {
	Store
	spent       []string
	credentials []Credential
	audited     []string
}

func (m *memory) Secret(_ context.Context, _ string, candidate []byte) ([]byte, error) {
	return candidate, nil
}

func (m *memory) Spend(_ context.Context, id string, _ time.Time) error {
	if slices.Contains(m.spent, id) {
		return ErrCeremony
	}
	m.spent = append(m.spent, id)
	return nil
}

func (m *memory) Credential(_ context.Context, _ string, user UserID, id []byte) (User, Credential, error) {
	for _, c := range m.credentials {
		if c.User == user && bytes.Equal(c.ID, id) {
			return User{ID: user}, c, nil
		}
	}
	return User{}, Credential{}, ErrNotFound
}

func (m *memory) Register(_ context.Context, _ User, c Credential, _ NewSession, _ AuditEntry) error {
	m.credentials = append(m.credentials, c)
	return nil
}

func (m *memory) SpendOn(
	ctx context.Context, id string, end time.Time, rpID string, user UserID, credential []byte,
) (User, Credential, error) {
	if err := m.Spend(ctx, id, end); err != nil {
		return User{}, Credential{}, err
	}
	return m.Credential(ctx, rpID, user, credential)
}

func (m *memory) SignIn(context.Context, Credential, CredentialUse, *TokenKey, NewSession, int) ([]AuditEntry, bool, error) {
	return nil, false, nil
}

func (m *memory) Record(_ context.Context, entry AuditEntry) error {
	m.audited = append(m.audited, string(entry.After))
	return nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{memory: &memory{}, t: t}
	service, err := New(t.Context(), Config{RPID: "example.org", RPName: "Example", Origin: "https://example.org", Now: time.Now}, b.memory)
	if err != nil {
		t.Fatal(err)
	}
	b.Service = service
	return b
}

func publicKeyCredential(t *testing.T, id []byte, response map[string]string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"id": encode(id), "rawId": encode(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// register submits the vector's registration, with that attestation object.
func (b *bench) register(v vector, attestation []byte, verification protocol.UserVerificationRequirement) error {
	b.t.Helper()
	options, err := b.BeginRegistration("Ada")
	if err != nil {
		b.t.Fatal(err)
	}
	sealed := b.inject(options.Ceremony, v.Registration.Challenge, verification)
	_, err = b.FinishRegistration(b.t.Context(), nil, sealed, publicKeyCredential(b.t, v.Registration.CredentialID, map[string]string{
		"clientDataJSON": encode(v.Registration.ClientDataJSON), "attestationObject": encode(attestation),
	}), "")
	return err
}

// authenticate submits the vector's authentication, with that authenticator data and signature.
func (b *bench) authenticate(v vector, user UserID, authenticatorData, signature []byte) error {
	b.t.Helper()
	options, err := b.BeginAuthentication()
	if err != nil {
		b.t.Fatal(err)
	}
	sealed := b.inject(options.Ceremony, v.Authentication.Challenge, protocol.VerificationRequired)
	_, err = b.FinishAuthentication(b.t.Context(), "", sealed, ReadAssertion(publicKeyCredential(b.t, v.Registration.CredentialID, map[string]string{
		"clientDataJSON": encode(v.Authentication.ClientDataJSON), "authenticatorData": encode(authenticatorData),
		"signature": encode(signature), "userHandle": encode(user.handle()),
	})), "")
	return err
}

// attestation is the part of an attestation object that tests need.
type attestation struct {
	Format    string         `json:"fmt"`
	Data      []byte         `json:"authData"`
	Statement map[string]any `json:"attStmt"`
}

func (v vector) attestation(t *testing.T) (a attestation, data protocol.AuthenticatorData) {
	t.Helper()
	if err := webauthncbor.Unmarshal(v.Registration.AttestationObject, &a); err != nil {
		t.Fatal(err)
	}
	if err := data.Unmarshal(a.Data); err != nil {
		t.Fatal(err)
	}
	return a, data
}

// known returns the vector's credential as a registration would have stored it, whatever its user verification.
func (v vector) known(t *testing.T) (Credential, error) {
	t.Helper()
	_, data := v.attestation(t)
	jwk, err := publicJWK(data.AttData.CredentialPublicKey)
	return Credential{
		RPID: "example.org", ID: v.Registration.CredentialID, User: UserID(uuid.NewString()), PublicKey: data.AttData.CredentialPublicKey, PublicJWK: jwk,
		SignCount: data.Counter, BackupEligible: data.Flags.HasBackupEligible(), BackupState: data.Flags.HasBackupState(),
	}, err
}

// refused lists the vectors that are refused whatever their flags, and why.
var refused = map[string]string{
	"none-es256-crossOrigin": "made in a frame of another origin",
	"none-es256-topOrigin":   "made in a frame of another origin",
	"packed-ed448":           "no algorithm that was asked for",
}

// TestSpecificationVectors: vectors with user verification are accepted, those without are refused. A refusal is
// recorded if the signature was valid.
func TestSpecificationVectors(t *testing.T) {
	taken := map[string]int{}
	for _, v := range vectors(t) {
		b := newBench(t)
		object, data := v.attestation(t)
		expected := data.Flags.HasUserVerified() && refused[v.Name] == ""
		switch err := b.register(v, v.Registration.AttestationObject, protocol.VerificationRequired); {
		case expected && err != nil:
			t.Errorf("%s: registration: %v", v.Name, err)
		case !expected && !errors.Is(err, ErrCredentialRejected):
			t.Errorf("%s: registration with flags %08b is taken: %v", v.Name, data.Flags, err)
		case expected:
			taken["registration "+object.Format]++
		case refused[v.Name] == "":
			// Everything else about it is valid.
			if err := b.register(v, v.Registration.AttestationObject, protocol.VerificationPreferred); !errors.Is(err, errNotVerified) {
				t.Errorf("%s: registration: %v", v.Name, err)
			}
			taken["but for user verification, registration "+object.Format]++
		}

		credential, err := v.known(t)
		if (err != nil) != (v.Name == "packed-ed448") {
			t.Errorf("%s: public key: %v", v.Name, err)
		}
		b.credentials = []Credential{credential}
		var asserted protocol.AuthenticatorData
		if err := asserted.Unmarshal(v.Authentication.AuthenticatorData); err != nil {
			t.Fatal(err)
		}
		expected = asserted.Flags.HasUserVerified() && refused[v.Name] == ""
		switch err := b.authenticate(v, credential.User, v.Authentication.AuthenticatorData, v.Authentication.Signature); {
		case expected && err != nil:
			t.Errorf("%s: authentication: %v", v.Name, err)
		case !expected && !errors.Is(err, ErrCredentialRejected):
			t.Errorf("%s: authentication with flags %08b is taken: %v", v.Name, asserted.Flags, err)
		case expected:
			var key struct{ Alg string }
			if err := json.Unmarshal(credential.PublicJWK, &key); err != nil {
				t.Fatal(err)
			}
			taken["authentication "+key.Alg]++
		case refused[v.Name] == "" && !slices.Equal(b.audited, []string{`{"cause":"user_verification"}`}):
			t.Errorf("%s: audited: %q", v.Name, b.audited)
		}
	}
	t.Logf("taken: %v", taken)
	for kind, n := range map[string]int{
		"registration packed": 4, "but for user verification, registration none": 2, "authentication ES256": 3, "authentication ES384": 1,
	} {
		if taken[kind] != n {
			t.Errorf("%s: %d were taken, want %d", kind, taken[kind], n)
		}
	}
}

// altered calls f with each copy of whole in which one byte of part differs.
func altered(t *testing.T, whole, part []byte, f func(i int, changed []byte)) {
	t.Helper()
	at := bytes.Index(whole, part)
	if at < 0 || len(part) == 0 || bytes.Count(whole, part) != 1 {
		t.Fatalf("%x is not once in %x", part, whole)
	}
	for i := range part {
		changed := bytes.Clone(whole)
		changed[at+i] ^= 1
		f(i, changed)
	}
}

// TestAlteredVectorsAreRefused changes one byte at a time at every position of signature and authenticator data of every
// assertion, and of the RP ID hash of every attestation. Because missing user verification would be refused anyway, it
// also checks that none got as far as that: only a validly signed refusal is recorded.
func TestAlteredVectorsAreRefused(t *testing.T) {
	tried := map[string]int{}
	for _, v := range vectors(t) {
		b := newBench(t)
		check := func(what string, i int, err error) {
			tried[what]++
			if !errors.Is(err, ErrCredentialRejected) || len(b.audited) > 0 {
				t.Errorf("%s: %s with byte %d changed: %v, audited %q", v.Name, what, i, err, b.audited)
				b.audited = nil
			}
		}
		credential, err := v.known(t)
		if err != nil {
			continue // Ed448: no such credential can be registered
		}
		b.credentials = []Credential{credential}
		authenticatorData, signature := v.Authentication.AuthenticatorData, v.Authentication.Signature
		altered(t, authenticatorData, authenticatorData, func(i int, changed []byte) {
			check("authenticator data", i, b.authenticate(v, credential.User, changed, signature))
		})
		altered(t, signature, signature, func(i int, changed []byte) {
			check("signature", i, b.authenticate(v, credential.User, authenticatorData, changed))
		})

		// No signature in an attestation is verified; only its RP ID hash ties it to this relying party.
		object, _ := v.attestation(t)
		altered(t, v.Registration.AttestationObject, object.Data[:32], func(i int, changed []byte) {
			check("attested RP ID hash", i, b.register(v, changed, protocol.VerificationPreferred))
		})
	}
	t.Logf("tried: %v", tried)
	for what, n := range tried {
		if n < 400 {
			t.Errorf("only %d of %s", n, what)
		}
	}
	if len(tried) != 3 {
		t.Errorf("tried: %v", tried)
	}
}
