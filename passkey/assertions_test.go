package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
)

// said holds a vector's changes to the good assertion.
type said struct {
	ClientData        *string
	ClientDataHex     hexBytes
	AuthenticatorData *hexBytes
}

// TestAssertionVectors tests the server with the vectors of the page's offline verifier: see
// web/sdk/test/assertion-vectors.test.ts.
func TestAssertionVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/assertions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Origin    string
		RPID      string `json:"rp_id"`
		Challenge string
		User      UserID
		Key       struct{ D string }
		Good      said
		Cases     []struct {
			Name string
			said
			Signature *hexBytes
			Valid     bool
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	secret, err := decode(file.Key.D)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := decode(file.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	if file.Origin != b.config.Origin || file.RPID != b.config.RPID || len(file.Cases) < 100 {
		t.Fatalf("%d vectors for %s of %s", len(file.Cases), file.Origin, file.RPID)
	}
	for _, c := range file.Cases {
		clientData, data := []byte(*file.Good.ClientData), []byte(*file.Good.AuthenticatorData)
		if c.ClientData != nil {
			clientData = []byte(*c.ClientData)
		}
		if c.ClientDataHex != nil {
			clientData = c.ClientDataHex
		}
		if c.AuthenticatorData != nil {
			data = *c.AuthenticatorData
		}
		hash := sha256.Sum256(clientData)
		digest := sha256.Sum256(slices.Concat(data, hash[:]))
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if c.Signature != nil {
			signature = *c.Signature
		}
		eligible := len(data) > 32 && protocol.AuthenticatorFlags(data[32]).HasBackupEligible()
		b.credentials = []Credential{{
			RPID: file.RPID, ID: []byte("vector"), User: file.User, BackupEligible: eligible,
			PublicKey: cose(t, map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}),
		}}
		options, err := b.BeginAuthentication()
		if err != nil {
			t.Fatal(err)
		}
		sealed := b.inject(options.Ceremony, challenge, protocol.VerificationRequired)
		in, err := b.FinishAuthentication(t.Context(), "", sealed, ReadAssertion(publicKeyCredential(t, []byte("vector"), map[string]string{
			"clientDataJSON": encode(clientData), "authenticatorData": encode(data), "signature": encode(signature),
			"userHandle": encode(file.User.handle()),
		})), "")
		switch {
		case c.Valid && err != nil:
			t.Errorf("%s: %v", c.Name, err)
		case c.Valid && in.Session.Origin != file.Origin:
			t.Errorf("%s: the session is of %q", c.Name, in.Session.Origin)
		case !c.Valid && !errors.Is(err, ErrCredentialRejected):
			t.Errorf("%s is taken: %v", c.Name, err)
		}
	}
}
