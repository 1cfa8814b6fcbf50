package passkey

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// CreateUser makes an account, for a customer who exists elsewhere already, and a link to enrol with. An externalID
// of "" is none. It is audited as done by actor ("token:<uuid>" or "operator"). It returns ErrInvalidName, ErrInvalid
// for the external id, or ErrConflict if another user has it.
func (s *Service) CreateUser(ctx context.Context, actor, name, externalID string) (User, Link, error) {
	name, err := cleanName(name)
	if err != nil {
		return User{}, Link{}, err
	}
	if !isText(externalID) || utf8.RuneCountInString(externalID) > maxExternalID || strings.TrimSpace(externalID) != externalID {
		return User{}, Link{}, fmt.Errorf(
			"%w external id: at most %d characters, without control characters or space around it", ErrInvalid, maxExternalID)
	}
	id, err := s.newID()
	if err != nil {
		return User{}, Link{}, err
	}
	now := s.now()
	link, stored, err := s.newLink(EnrolmentLink, now.Add(s.config.EnrolmentLife))
	if err != nil {
		return User{}, Link{}, err
	}
	user := User{ID: UserID(id), Name: name, ExternalID: externalID, CreatedAt: now}
	entry := AuditEntry{At: now, Actor: actor, Action: "user.created", Object: "user:" + id, User: user.ID}
	if err := s.store.CreateUser(ctx, user, stored, entry); err != nil {
		return User{}, Link{}, fmt.Errorf("create user: %w", err)
	}
	return user, link, nil
}
