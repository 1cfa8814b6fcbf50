package support

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/descope/virtualwebauthn"
)

// Passkey is a discoverable credential in an authenticator of its own. It is not safe for concurrent use.
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

// Assert answers request options as navigator.credentials.get() and toJSON() would. The sign counter rises with
// every try, whether its answer arrives or not.
func (p *Passkey) Assert(publicKey []byte) (json.RawMessage, error) {
	options, err := virtualwebauthn.ParseAssertionOptions(string(publicKey))
	if err != nil {
		return nil, fmt.Errorf("request options: %w", err)
	}
	p.credential.Counter++
	return json.RawMessage(virtualwebauthn.CreateAssertionResponse(p.party, p.authenticator, p.credential, *options)), nil
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
