package passkey

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CreateUser makes an account, for a customer who exists elsewhere already, and a link to enrol with. An externalID
// of "" is none. It is audited. It returns ErrInvalidName, ErrInvalid for the external id or the reason, or ErrConflict if
// another user has the external id.
func (s *Service) CreateUser(ctx context.Context, agent Agent, name, externalID string) (User, Link, error) {
	name, err := cleanName(name)
	if err != nil {
		return User{}, Link{}, err
	}
	if !isText(externalID) || utf8.RuneCountInString(externalID) > maxExternalID || strings.TrimSpace(externalID) != externalID {
		return User{}, Link{}, fmt.Errorf(
			"%w external id: at most %d characters, without control characters or space around it", ErrInvalid, maxExternalID)
	}
	if err := agent.check(); err != nil {
		return User{}, Link{}, err
	}
	id, err := s.newID()
	if err != nil {
		return User{}, Link{}, err
	}
	now := s.now()
	link, stored, err := s.newLink(EnrolmentLink, now)
	if err != nil {
		return User{}, Link{}, err
	}
	user := User{ID: UserID(id), Name: name, ExternalID: externalID, CreatedAt: now}
	if err := s.store.CreateUser(ctx, user, stored, agent.entry(now, "user.created", user.ID)); err != nil {
		return User{}, Link{}, fmt.Errorf("create user: %w", err)
	}
	return user, link, nil
}
