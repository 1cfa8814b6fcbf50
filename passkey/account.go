package passkey

import (
	"context"
	"fmt"
	"time"
)

// Held is all data that this package stores about a user, except secrets, which are stored as hashes.
type Held struct {
	User          User
	Role          Role
	Passkeys      []Credential // of every relying party id ever used
	Sessions      []Session    // including ended ones, until they are swept
	Links         []NewLink
	RecoveryCodes RecoveryCodes
	Notes         []Note
}

// Export returns all data held about the session's user.
func (s *Service) Export(ctx context.Context, session Session) (held Held, err error) {
	held.User = session.User
	if held.Role, err = s.store.RoleOf(ctx, session.User.ID); err != nil {
		return Held{}, fmt.Errorf("export role: %w", err)
	}
	if held.Passkeys, err = s.store.EveryCredential(ctx, session.User.ID); err != nil {
		return Held{}, fmt.Errorf("export passkeys: %w", err)
	}
	if held.Sessions, err = s.store.Sessions(ctx, session.User.ID, time.Time{}, time.Time{}); err != nil {
		return Held{}, fmt.Errorf("export sessions: %w", err)
	}
	if held.Links, err = s.store.Links(ctx, session.User.ID); err != nil {
		return Held{}, fmt.Errorf("export links: %w", err)
	}
	if held.RecoveryCodes, err = s.store.RecoveryCodes(ctx, session.User.ID); err != nil {
		return Held{}, fmt.Errorf("export recovery codes: %w", err)
	}
	if held.Notes, err = s.store.Notes(ctx, session.User.ID); err != nil {
		return Held{}, fmt.Errorf("export notes: %w", err)
	}
	return held, nil
}

// Erase permanently deletes the session's user and all their data. Only the audit trail stays, which holds ids and no
// names; the reasons that people typed are deleted too. It returns ErrLastAdmin for the last admin who has a passkey.
func (s *Service) Erase(ctx context.Context, session Session) error {
	now := s.now()
	actor := "user:" + string(session.User.ID)
	entry := AuditEntry{At: now, Actor: actor, Action: "account.erased", Object: actor, User: session.User.ID}
	if err := s.store.EraseUser(ctx, session.User.ID, Agent{Actor: actor}.mayRemove, entry); err != nil {
		return fmt.Errorf("erase account: %w", err)
	}
	return nil
}
