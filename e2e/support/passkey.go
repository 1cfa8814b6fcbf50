package support

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/descope/virtualwebauthn"
)

// Passkey is a discoverable credential in its own authenticator. It is not safe for concurrent use.
type Passkey struct {
	party         virtualwebauthn.RelyingParty
	authenticator virtualwebauthn.Authenticator
	credential    virtualwebauthn.Credential
}

// CreatePasskey answers creation options (WebAuthn L3 JSON) as navigator.credentials.create() and toJSON() would.
func CreatePasskey(origin string, publicKey []byte) (*Passkey, json.RawMessage, error) {
	options, err := virtualwebauthn.ParseAttestationOptions(string(publicKey))
	if err != nil {
		return nil, nil, fmt.Errorf("creation options: %w", err)
	}
	if options.RelyingPartyID == "" {
		at, err := url.Parse(origin)
		if err != nil {
			return nil, nil, err
		}
		options.RelyingPartyID = at.Hostname() // WebAuthn L3 §5.1.3: the effective domain is the default
	}
	credential, err := newCredential()
	if err != nil {
		return nil, nil, err
	}
	return createWith(credential, origin, options)
}

// Copy answers creation options with the credential id and key of an existing passkey.
func (p *Passkey) Copy(publicKey []byte) (*Passkey, json.RawMessage, error) {
	options, err := virtualwebauthn.ParseAttestationOptions(string(publicKey))
	if err != nil {
		return nil, nil, fmt.Errorf("creation options: %w", err)
	}
	return createWith(p.credential, p.party.Origin, options)
}

func createWith(
	credential virtualwebauthn.Credential, origin string, options *virtualwebauthn.AttestationOptions,
) (*Passkey, json.RawMessage, error) {
	passkey := &Passkey{
		party: virtualwebauthn.RelyingParty{ID: options.RelyingPartyID, Name: options.RelyingPartyName, Origin: origin},
		authenticator: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{
			UserHandle: []byte(options.UserID), BackupEligible: true, BackupState: true,
		}),
		credential: credential,
	}
	passkey.credential.Counter++
	answer := virtualwebauthn.CreateAttestationResponse(passkey.party, passkey.authenticator, passkey.credential, *options)
	return passkey, json.RawMessage(answer), nil
}

// Assert answers request options as navigator.credentials.get() and toJSON() would. The sign counter rises with every
// attempt, whether its answer arrives or not.
func (p *Passkey) Assert(publicKey []byte) (json.RawMessage, error) {
	options, err := virtualwebauthn.ParseAssertionOptions(string(publicKey))
	if err != nil {
		return nil, fmt.Errorf("request options: %w", err)
	}
	p.credential.Counter++
	return json.RawMessage(virtualwebauthn.CreateAssertionResponse(p.party, p.authenticator, p.credential, *options)), nil
}

// ID returns the credential id.
func (p *Passkey) ID() []byte { return p.credential.ID }

// Assertion is the data of browser and authenticator before the authenticator signs it.
//
// Specification: §5.8.1, CollectedClientData; §6.1, Authenticator Data
type Assertion struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin,omitempty"`

	RPID       string `json:"-"`
	Flags      byte   `json:"-"` // UserPresent and so on
	Count      uint32 `json:"-"`
	ID         []byte `json:"-"`
	UserHandle []byte `json:"-"`
}

// Flags of authenticator data.
const (
	UserPresent    = 1 << 0
	UserVerified   = 1 << 2
	BackupEligible = 1 << 3
	BackupState    = 1 << 4
)

// Say returns a true assertion for request options. The sign counter rises.
func (p *Passkey) Say(publicKey []byte) (Assertion, error) {
	options, err := virtualwebauthn.ParseAssertionOptions(string(publicKey))
	if err != nil {
		return Assertion{}, fmt.Errorf("request options: %w", err)
	}
	p.credential.Counter++
	return Assertion{
		Type: "webauthn.get", Challenge: encode(options.Challenge), Origin: p.party.Origin,
		RPID: p.party.ID, Flags: UserPresent | UserVerified | BackupEligible | BackupState, Count: p.credential.Counter,
		ID: p.credential.ID, UserHandle: p.authenticator.Options.UserHandle,
	}, nil
}

// Sign signs the assertion, true or not, with the passkey's key.
func (p *Passkey) Sign(said Assertion) (json.RawMessage, error) {
	client, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	party, hash := sha256.Sum256([]byte(said.RPID)), sha256.Sum256(client)
	data := binary.BigEndian.AppendUint32(append(party[:], said.Flags), said.Count)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	signature, err := p.credential.Key.Sign(digest[:])
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": encode(said.ID), "rawId": encode(said.ID), "type": "public-key", "clientExtensionResults": map[string]any{},
		"response": map[string]string{
			"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": encode(said.UserHandle),
		},
	})
}

// newCredential makes a P-256 credential whose coordinates both fill 32 bytes: the library writes them into the
// COSE key without their leading zeros, which RFC 9053 §7.1.1 forbids, for about one key in 128.
func newCredential() (virtualwebauthn.Credential, error) {
	for {
		credential := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		parsed, err := x509.ParsePKCS8PrivateKey(credential.Key.Data)
		if err != nil {
			return virtualwebauthn.Credential{}, err
		}
		private, ok := parsed.(*ecdsa.PrivateKey)
		if !ok {
			return virtualwebauthn.Credential{}, fmt.Errorf("a %T where an ECDSA key was asked for", parsed)
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			return virtualwebauthn.Credential{}, err
		}
		if point[1] != 0 && point[33] != 0 {
			return credential, nil
		}
	}
}
