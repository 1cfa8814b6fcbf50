package passkey

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"holdfast/passkey/names"
)

const (
	maxExternalID = 200 // characters
	maxPage       = 200 // users in one answer of FindUsers
)

// UserID is a user's UUID in canonical text. Its 16 bytes are the WebAuthn user handle.
type UserID string

// handle is the WebAuthn user handle (user.id) of the user; nil if the id is not a canonical UUID.
func (id UserID) handle() []byte {
	if !isID(string(id)) {
		return nil
	}
	u := uuid.MustParse(string(id))
	return u[:]
}

// userOf returns the user of the handle.
func userOf(handle []byte) (UserID, bool) {
	id, err := uuid.FromBytes(handle)
	return UserID(id.String()), err == nil
}

// User is a person who has passkeys, or may get one by an enrolment link.
type User struct {
	ID         UserID
	Name       string // as the user gave it; not unique
	ExternalID string // the user's id in the operator's other systems; unique; "" = none
	CreatedAt  time.Time
}

// User returns a user, or ErrNotFound.
func (s *Service) User(ctx context.Context, id UserID) (User, error) {
	if !isID(string(id)) {
		return User{}, ErrNotFound
	}
	user, err := s.store.User(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return user, nil
}

// Users returns the existing users of ids.
func (s *Service) Users(ctx context.Context, ids []UserID) (map[UserID]User, error) {
	found, err := s.store.Users(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	users := make(map[UserID]User, len(found))
	for _, user := range found {
		users[user.ID] = user
	}
	return users, nil
}

// FindUsers lists the users in whose name each word of query begins a word (case and order do not matter) or whose id,
// external id or billing id is query, ordered by the words of the name and id. An empty query matches all users. It
// returns at most limit users (1 to 200), those after cursor; next is the cursor for the following page, "" on the last.
// Pages neither repeat nor skip users who existed all the time, whatever is written in between. It returns ErrInvalid
// for an invalid query, cursor or limit.
func (s *Service) FindUsers(ctx context.Context, query, cursor string, limit int) (users []User, next string, err error) {
	query = strings.TrimSpace(query)
	if !isText(query) || utf8.RuneCountInString(query) > maxExternalID {
		return nil, "", fmt.Errorf("%w query: at most %d characters, without control characters", ErrInvalid, maxExternalID)
	}
	if limit < 1 || limit > maxPage {
		return nil, "", fmt.Errorf("%w limit: 1 to %d", ErrInvalid, maxPage)
	}
	search := UserSearch{Name: names.Visible(query), ExternalID: query, BillingID: query, Limit: limit + 1}
	if id, err := uuid.Parse(query); err == nil {
		search.ID = UserID(id.String())
	}
	if cursor != "" {
		if search.After, err = parseCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	users, err = s.store.FindUsers(ctx, search)
	if err != nil {
		return nil, "", fmt.Errorf("find users: %w", err)
	}
	if len(users) > limit {
		users = users[:limit]
		next = cursorOf(users[limit-1])
	}
	return users, next, nil
}

// A cursor is base64url of the last user's handle and name: a place in the order, not a row, so that it stays valid even
// when that user is gone.
func cursorOf(user User) string {
	return encode(append(user.ID.handle(), user.Name...))
}

func parseCursor(cursor string) (*UserPosition, error) {
	b, err := decode(cursor)
	if err != nil || len(b) <= 16 || !isText(string(b[16:])) {
		return nil, fmt.Errorf("%w cursor", ErrInvalid)
	}
	id, _ := userOf(b[:16])
	return &UserPosition{Name: string(b[16:]), ID: id}, nil
}

// cleanName returns the name in its stored form, or ErrInvalidName.
func cleanName(name string) (string, error) {
	clean, ok := names.Clean(name)
	if !ok {
		return "", ErrInvalidName
	}
	return clean, nil
}

// isText reports whether s is valid UTF-8 without control characters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
