package passkey

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// MaxPasskeys is the largest number of passkeys of a user.
const MaxPasskeys = 20

// Passkey is the part of a passkey that its user sees.
type Passkey struct {
	ID         []byte // WebAuthn credential id
	Name       string // given by the user; at first the provider's name or "Passkey"
	Provider   string // the passkey's provider, by its unattested AAGUID; "" = unknown
	CreatedAt  time.Time
	LastUsedAt *time.Time // nil: never since registration
	Synced     bool       // backed up by its provider as of the last use
}

// Credential is a passkey as stored: WebAuthn's credential record.
//
// Specification: §4, credential record (https://www.w3.org/TR/webauthn-3/#credential-record)
type Credential struct {
	RPID           string
	ID             []byte
	User           UserID
	Name           string
	PublicKey      []byte          // COSE_Key, as the authenticator sent it
	PublicJWK      json.RawMessage // the same key as a JWK
	AAGUID         uuid.UUID
	Transports     []string
	SignCount      uint32
	BackupEligible bool
	BackupState    bool
	CreatedAt      time.Time
	LastUsedAt     *time.Time
}

// Passkey returns the credential as its user sees it.
func (c Credential) Passkey() Passkey {
	return Passkey{
		ID:         c.ID,
		Name:       c.Name,
		Provider:   provider(c.AAGUID),
		CreatedAt:  c.CreatedAt,
		LastUsedAt: c.LastUsedAt,
		Synced:     c.BackupState,
	}
}

// descriptor names the credential to a browser.
func (c Credential) descriptor() protocol.CredentialDescriptor {
	transports := make([]protocol.AuthenticatorTransport, len(c.Transports))
	for i, transport := range c.Transports {
		transports[i] = protocol.AuthenticatorTransport(transport)
	}
	return protocol.CredentialDescriptor{
		Type:         protocol.PublicKeyCredentialType,
		CredentialID: c.ID,
		Transport:    transports,
	}
}

// knownTransports keeps the claimed transports that the specification knows, once each, so that a client cannot store
// arbitrary text.
//
// Specification: §5.8.4, AuthenticatorTransport
func knownTransports(claimed []protocol.AuthenticatorTransport) []string {
	known := []string{}
	for _, transport := range []protocol.AuthenticatorTransport{
		protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal,
	} {
		if slices.Contains(claimed, transport) {
			known = append(known, string(transport))
		}
	}
	return known
}

// account implements the WebAuthn library's view of a user.
type account struct {
	handle      []byte
	name        string
	credentials []webauthn.Credential
}

func (a account) WebAuthnID() []byte                         { return a.handle }
func (a account) WebAuthnName() string                       { return a.name }
func (a account) WebAuthnDisplayName() string                { return a.name }
func (a account) WebAuthnCredentials() []webauthn.Credential { return a.credentials }

// Passkeys lists the user's passkeys, oldest first.
func (s *Service) Passkeys(ctx context.Context, user UserID) ([]Passkey, error) {
	if !isID(string(user)) {
		return nil, nil
	}
	credentials, err := s.store.Credentials(ctx, s.config.RPID, user)
	if err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	passkeys := make([]Passkey, len(credentials))
	for i, credential := range credentials {
		passkeys[i] = credential.Passkey()
	}
	return passkeys, nil
}

// RenamePasskey gives one of the user's passkeys another name. It returns ErrInvalidName, or ErrNotFound if the user
// has no such passkey.
func (s *Service) RenamePasskey(ctx context.Context, user UserID, id []byte, name string) (Passkey, error) {
	name, err := cleanName(name)
	if err != nil {
		return Passkey{}, err
	}
	if !isID(string(user)) {
		return Passkey{}, ErrNotFound
	}
	credential, err := s.store.RenamePasskey(ctx, s.config.RPID, user, id, name)
	if err != nil {
		return Passkey{}, fmt.Errorf("rename passkey: %w", err)
	}
	return credential.Passkey(), nil
}

// DeletePasskey deletes a passkey of the session's user and audits that. With endSessions, it also ends the sessions
// that the passkey has opened, except this one. It returns ErrNotFound, or ErrLastPasskey if no recovery code is left;
// of two callers that delete the last two passkeys at once, one gets ErrLastPasskey.
func (s *Service) DeletePasskey(ctx context.Context, session Session, id []byte, endSessions bool) error {
	now := s.now()
	entry := passkeyEntry(now, "passkey.removed", session.User.ID, id)
	var kept *string
	if endSessions {
		kept = &session.ID
	}
	if err := s.store.DeletePasskey(ctx, s.config.RPID, session.User.ID, id, kept, entry); err != nil {
		return fmt.Errorf("delete passkey: %w", err)
	}
	return nil
}
