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

// userOf is the user whose handle it is.
func userOf(handle []byte) (UserID, bool) {
	id, err := uuid.FromBytes(handle)
	return UserID(id.String()), err == nil
}

// User is somebody who has, or by an enrolment link may get, passkeys.
type User struct {
	ID         UserID
	Name       string // as the user gave it; not unique
	ExternalID string // what the operator's other systems call the user; unique; "" = none
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

// Users returns those of the users who are there.
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

// FindUsers lists, ordered by the words of the name and id, the users in whose name each word of query begins a word (case and
// order do not matter) or whose id, external id or billing id is query. An empty query finds everybody. It returns limit
// users (1 to 200) at most, those after cursor; next is the cursor for the following page, "" on the last. Pages neither repeat nor skip
// users who were there all the time, whatever is written in between. It returns ErrInvalid for a query, cursor or limit
// that cannot be.
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

// A cursor is base64url of the last user's handle and name: the place in the order, not a row, so that it holds even
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

// cleanName returns the name as it is stored, or ErrInvalidName.
func cleanName(name string) (string, error) {
	clean, ok := names.Clean(name)
	if !ok {
		return "", ErrInvalidName
	}
	return clean, nil
}

// isText tells whether s is valid UTF-8 without control characters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
