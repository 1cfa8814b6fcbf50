package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"holdfast/passkey"
	"holdfast/passkey/names"
)

// userRow holds the columns of users that package passkey knows.
type userRow struct {
	ID         passkey.UserID
	Name       string
	ExternalID string    `db:"external_id"`
	CreatedAt  time.Time `db:"created_at"`
}

const userColumns = `u.id, u.name, coalesce(u.external_id, '') AS external_id, u.created_at`

func (r userRow) user() passkey.User {
	r.CreatedAt = r.CreatedAt.UTC()
	return passkey.User(r)
}

func insertUser(ctx context.Context, tx *sqlx.Tx, user passkey.User) error {
	if err := enterExternalID(ctx, tx, user.ID, user.ExternalID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, newUser(1), userArgs(user)...)
	return failed("insert user", err)
}

// newUser returns a statement that inserts a user, whose userArgs begin with the argument of that number. The caller must
// enter the user's external id, if there is one.
func newUser(first int) string {
	return `INSERT INTO users (id, name, words, parts, external_id, created_at) VALUES (` + placeholders(first, 6) + `)`
}

func userArgs(user passkey.User) []any {
	return []any{user.ID, user.Name, pq.Array(names.Words(user.Name)), pq.Array(names.Entries(user.Name)), optional(user.ExternalID), user.CreatedAt}
}

// enterExternalID assigns an external id to the user, unless it is empty. It returns passkey.ErrConflict if another user
// has it.
func enterExternalID(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, externalID string) error {
	if externalID == "" {
		return nil
	}
	mine, err := enter(ctx, tx, user, listing{externalKey, externalID})
	if err == nil && !mine {
		return passkey.ErrConflict
	}
	return err
}

// CreateUser implements [passkey.UserStore].
func (p *Passkeys) CreateUser(
	ctx context.Context, user passkey.User, enrolment passkey.NewLink, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := insertUser(ctx, tx, user); err != nil {
			return err
		}
		if err := insertLink(ctx, tx, user.ID, enrolment, user.CreatedAt); err != nil {
			return err
		}
		return insertEntry(ctx, tx, entry)
	})
}

// SetExternalID implements [passkey.UserStore].
func (p *Passkeys) SetExternalID(
	ctx context.Context, user passkey.UserID, externalID string, may func(passkey.Role) error, entry passkey.AuditEntry,
) (passkey.User, error) {
	var row userRow
	err := transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if _, err := findAccount(ctx, tx, user, may); err != nil {
			return err
		}
		if err := enterExternalID(ctx, tx, user, externalID); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE users SET external_id = $2 WHERE id = $1 AND external_id IS DISTINCT FROM $2`,
			user, optional(externalID))
		unchanged, err := affectedNone(result, failed("update user", err))
		if err != nil {
			return err
		}
		if !unchanged {
			_, err := tx.ExecContext(ctx, `DELETE FROM directory WHERE user_id = $1 AND kind = $2 AND key <> $3`, user, externalKey, externalID)
			if err != nil {
				return failed("leave directory", err)
			}
			if err := insertEntry(ctx, tx, entry); err != nil {
				return err
			}
		}
		return failed("select user", tx.GetContext(ctx, &row, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, user))
	})
	if err != nil {
		return passkey.User{}, err
	}
	return row.user(), nil
}

// User implements [passkey.UserStore].
func (p *Passkeys) User(ctx context.Context, id passkey.UserID) (passkey.User, error) {
	var row userRow
	err := p.db.GetContext(ctx, &row, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.User{}, passkey.ErrNotFound
	}
	if err != nil {
		return passkey.User{}, failed("select user", err)
	}
	return row.user(), nil
}

// Users implements [passkey.UserStore].
func (p *Passkeys) Users(ctx context.Context, ids []passkey.UserID) ([]passkey.User, error) {
	return list(ctx, p.db, "select users", userRow.user, `SELECT `+userColumns+` FROM users u WHERE u.id = ANY($1::uuid[])`, pq.Array(ids))
}

// findUser locks a user's row. It returns passkey.ErrNotFound if there is none; lockUser tolerates that.
func findUser(ctx context.Context, tx *sqlx.Tx, user passkey.UserID) error {
	var found bool
	err := tx.GetContext(ctx, &found, `SELECT true FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
	if errors.Is(err, stdsql.ErrNoRows) {
		return passkey.ErrNotFound
	}
	return failed("lock user", err)
}

// FindUsers implements [passkey.UserStore].
func (p *Passkeys) FindUsers(ctx context.Context, search passkey.UserSearch) ([]passkey.User, error) {
	statement, args := findUsersQuery(search)
	return list(ctx, p.db, "select users", userRow.user, statement, args...)
}

// fewUsers is how many users a name may match to be sorted for one page.
const fewUsers = 20_000

// findUsersQuery returns the statement of a search and its arguments. It looks each criterion up in its own index, so that
// a search with few results reads little. Only names can match more than a few users. The planner does not know how many,
// so the statement counts: few are sorted; if there are more, a walk along the order soon fills a page. MATERIALIZED and
// OFFSET keep the planner from doing the other.
func findUsersQuery(search passkey.UserSearch) (string, []any) {
	var args []any
	given := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	key, way, beyond := "created_at", "", ">"
	switch search.Order {
	case passkey.OrderNewest:
		way, beyond = " DESC", "<"
	case passkey.OrderName:
		key = "words"
	}
	limits := ""
	if after := search.After; after != nil {
		from := any(after.CreatedAt)
		if search.Order == passkey.OrderName {
			from = pq.Array(names.Words(after.Name))
		}
		limits += ` AND (` + key + `, id) ` + beyond + ` (` + given(from) + `, ` + given(after.ID) + `)`
	}
	if !search.From.IsZero() {
		limits += ` AND created_at >= ` + given(search.From)
	}
	if !search.To.IsZero() {
		limits += ` AND created_at < ` + given(search.To)
	}
	if search.Among != nil {
		limits += ` AND id = ANY(` + given(pq.Array(search.Among)) + `::uuid[])`
	}
	if search.Customers {
		limits += ` AND NOT (EXISTS (SELECT FROM staff m WHERE m.user_id = users.id) AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.user_id = users.id))`
	}
	order, limit := ` ORDER BY `+key+way+`, id`+way, given(search.Limit)
	ordered := order + ` LIMIT ` + limit
	const columns = `id, name, words, external_id, created_at`
	page := func(table, condition string) string {
		return `SELECT ` + columns + ` FROM ` + table + ` WHERE ` + condition + limits
	}
	found := page("users", "true") + ordered
	if search.Name != "" {
		named := `array_to_tsvector(parts) @@ ` + given(beginnings(names.Sought(search.Name))) + `::tsquery`
		billing, few := given(search.BillingID), strconv.Itoa(fewUsers)
		found = `WITH few AS MATERIALIZED (SELECT ` + columns + ` FROM users WHERE ` + named + ` LIMIT ` + few + ` + 1), many AS (SELECT count(*) > ` + few + ` FROM few)
			(` + page("few", "NOT (SELECT * FROM many)") + ordered + `)
			UNION (SELECT ` + columns + ` FROM (SELECT * FROM users WHERE true` + limits + order + ` OFFSET 0) walked
				WHERE (SELECT * FROM many) AND ` + named + ` LIMIT ` + limit + `)
			UNION ` + page("users", `id = `+given(optional(search.ID))) + `
			UNION ` + page("users", `id = `+ownerOf(externalKey, given(search.ExternalID))) + `
			UNION ` + page("users", `id = `+ownerOf(subscriptionKey, billing)) + `
			UNION ` + page("users", `id IN (SELECT user_id FROM billing_events WHERE source IN ('stripe', 'webhook') AND customer = `+billing+`)`)
	}
	return `SELECT id, name, coalesce(external_id, '') AS external_id, created_at FROM (` + found + `) found` + ordered, args
}

// beginnings returns the tsquery for users with, for each of the texts, a part that begins with it.
func beginnings(texts []string) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `''`)
	for i, text := range texts {
		texts[i] = `'` + quote.Replace(text) + `':*`
	}
	return strings.Join(texts, " & ")
}
