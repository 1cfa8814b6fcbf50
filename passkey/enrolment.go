package passkey

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// CreateUser creates an account, for a customer who exists in another system, and an enrolment link. An externalID of ""
// means none. It is audited. It returns ErrInvalidName, ErrInvalid for the external id or the reason, or ErrConflict if
// another user has the external id.
func (s *Service) CreateUser(ctx context.Context, agent Agent, name, externalID string) (User, Link, error) {
	return s.ImportUser(ctx, agent, name, externalID, linkLife)
}

// maxImportLife is the longest life of a link to an account that was imported. It opens nothing of value yet.
const maxImportLife = 30 * 24 * time.Hour

// ImportUser is CreateUser with a link that is valid for that long, at most 30 days, because many are sent at once.
func (s *Service) ImportUser(ctx context.Context, agent Agent, name, externalID string, life time.Duration) (User, Link, error) {
	if life <= 0 || life > maxImportLife {
		return User{}, Link{}, fmt.Errorf("%w life of a link: at most 30 days", ErrInvalid)
	}
	name, err := cleanName(name)
	if err != nil {
		return User{}, Link{}, err
	}
	if err := checkExternalID(externalID); err != nil {
		return User{}, Link{}, err
	}
	if err := agent.check(); err != nil {
		return User{}, Link{}, err
	}
	id, err := s.newID()
	if err != nil {
		return User{}, Link{}, err
	}
	now := s.now()
	link, stored, err := s.newLink(EnrolmentLink, now, life)
	if err != nil {
		return User{}, Link{}, err
	}
	user := User{ID: UserID(id), Name: name, ExternalID: externalID, CreatedAt: now}
	if err := s.store.CreateUser(ctx, user, stored, agent.entry(now, "user.created", user.ID)); err != nil {
		return User{}, Link{}, fmt.Errorf("create user: %w", err)
	}
	return user, link, nil
}

// SetExternalID changes or, with "", removes the user's external id. It is audited without the ids themselves, which may
// be e-mail addresses. Setting the present id again does nothing. It returns ErrNotFound, ErrInvalid for the external id
// or the reason, ErrConflict if another user has the external id, and ErrStaffAccount.
func (s *Service) SetExternalID(ctx context.Context, agent Agent, user UserID, externalID string) (User, error) {
	if !isID(string(user)) {
		return User{}, ErrNotFound
	}
	if err := checkExternalID(externalID); err != nil {
		return User{}, err
	}
	if err := agent.check(); err != nil {
		return User{}, err
	}
	changed, err := s.store.SetExternalID(ctx, user, externalID, agent.mayChange, agent.entry(s.now(), "user.external_id_changed", user))
	if err != nil {
		return User{}, fmt.Errorf("set external id: %w", err)
	}
	return changed, nil
}

func checkExternalID(id string) error {
	if !isText(id) || utf8.RuneCountInString(id) > maxExternalID || strings.TrimSpace(id) != id {
		return fmt.Errorf("%w external id: at most %d characters, without control characters or space around it", ErrInvalid, maxExternalID)
	}
	return nil
}
