package passkey

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"holdfast/passkey/names"
)

const (
	maxExternalID = 200     // characters
	maxPage       = 200     // users in one answer of FindUsers
	maxSignUp     = 1 << 53 // microseconds since 1970: the year 2255, before PostgreSQL's last
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

// UserOrder is an order of users.
type UserOrder string

// The orders. The zero value is OrderNewest.
const (
	OrderNewest UserOrder = "newest"
	OrderOldest UserOrder = "oldest"
	OrderName   UserOrder = "name" // by the words of the name
)

// UserQuery selects a page of users.
type UserQuery struct {
	// Text matches the users in whose name each of its words is part of a word (case and order do not matter; fewer than
	// three bytes match the beginning of a word), or whose id, external id or billing id it is. "" matches all customers:
	// everybody but the staff who never had a subscription.
	Text     string
	From, To time.Time // of the sign-up, To excluded; zero: no limit
	Among    []UserID  // nil: all users
	Order    UserOrder
	Cursor   string // "": the first page
	Limit    int    // 1 to 200
}

// FindUsers lists the users that a query selects, at most its limit; next is the cursor of the following page, "" on the
// last. Pages neither repeat nor skip users who existed all the time, whatever is written in between. It returns
// ErrInvalid for an invalid query.
func (s *Service) FindUsers(ctx context.Context, query UserQuery) (users []User, next string, err error) {
	text := strings.TrimSpace(query.Text)
	if !isText(text) || utf8.RuneCountInString(text) > maxExternalID {
		return nil, "", fmt.Errorf("%w query: at most %d characters, without control characters", ErrInvalid, maxExternalID)
	}
	if query.Limit < 1 || query.Limit > maxPage {
		return nil, "", fmt.Errorf("%w limit: 1 to %d", ErrInvalid, maxPage)
	}
	orders := []UserOrder{OrderNewest, OrderOldest, OrderName}
	order := cmp.Or(query.Order, OrderNewest)
	if !slices.Contains(orders, order) {
		return nil, "", fmt.Errorf("%w order: must be one of %q", ErrInvalid, orders)
	}
	search := UserSearch{
		Name: names.Visible(text), ExternalID: text, BillingID: text, From: query.From, To: query.To, Order: order, Limit: query.Limit + 1,
	}
	search.Among, search.Customers = query.Among, text == ""
	if id, err := uuid.Parse(text); err == nil {
		search.ID = UserID(id.String())
	}
	if query.Cursor != "" {
		if search.After, err = parseCursor(query.Cursor); err != nil {
			return nil, "", err
		}
	}
	users, err = s.store.FindUsers(ctx, search)
	if err != nil {
		return nil, "", fmt.Errorf("find users: %w", err)
	}
	if len(users) > query.Limit {
		users = users[:query.Limit]
		next = Cursor(users[query.Limit-1])
	}
	return users, next, nil
}

// Cursor returns the cursor of the users after user, in any order. It is base64url of the user's handle, sign-up in
// microseconds and name: a place in the order, not a row, so that it stays valid even when that user is gone.
func Cursor(user User) string {
	b := binary.BigEndian.AppendUint64(user.ID.handle(), uint64(user.CreatedAt.UnixMicro()))
	return encode(append(b, user.Name...))
}

func parseCursor(cursor string) (*UserPosition, error) {
	b, err := decode(cursor)
	if err != nil || len(b) <= 24 || !isText(string(b[24:])) {
		return nil, fmt.Errorf("%w cursor", ErrInvalid)
	}
	at := int64(binary.BigEndian.Uint64(b[16:24]))
	if at < 0 || at > maxSignUp {
		return nil, fmt.Errorf("%w cursor", ErrInvalid)
	}
	id, _ := userOf(b[:16])
	return &UserPosition{Name: string(b[24:]), CreatedAt: time.UnixMicro(at).UTC(), ID: id}, nil
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
