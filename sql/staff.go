package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"holdfast/passkey"
)

// roleColumn selects the role of user $1. With Citus, a statement that filters each of its tables by the same argument goes to
// one node, and may lock rows there.
const roleColumn = `coalesce((SELECT m.role FROM staff m WHERE m.user_id = $1), '') AS role`

// findAccount is findUser for changes by somebody else. It returns the user's role, and the error of may for that role.
func findAccount(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, may func(passkey.Role) error) (role passkey.Role, err error) {
	err = tx.GetContext(ctx, &role, `SELECT `+roleColumn+` FROM users u WHERE u.id = $1 FOR NO KEY UPDATE`, user)
	switch {
	case errors.Is(err, stdsql.ErrNoRows):
		return "", passkey.ErrNotFound
	case err != nil:
		return "", failed("lock user", err)
	}
	return role, may(role)
}

// CreateStaff implements [passkey.StaffStore].
func (p *Passkeys) CreateStaff(
	ctx context.Context, user passkey.User, role passkey.Role, enrolment passkey.NewLink, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := insertUser(ctx, tx, user); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO staff (user_id, role, created_at) VALUES ($1, $2, $3)`, user.ID, role, user.CreatedAt)
		if err != nil {
			return failed("insert staff", err)
		}
		if err := insertLink(ctx, tx, user.ID, enrolment, user.CreatedAt); err != nil {
			return err
		}
		return insertEntry(ctx, tx, entry)
	})
}

type staffRow struct {
	Owner    userRow `db:"owner"`
	Role     passkey.Role
	Passkeys int
	Since    time.Time
}

func (r staffRow) member() passkey.StaffMember {
	return passkey.StaffMember{User: r.Owner.user(), Role: r.Role, Passkeys: r.Passkeys, CreatedAt: r.Since.UTC()}
}

// Staff implements [passkey.StaffStore].
func (p *Passkeys) Staff(ctx context.Context) ([]passkey.StaffMember, error) {
	return list(ctx, p.db, "select staff", staffRow.member, selectStaff)
}

const selectStaff = `
	SELECT u.id AS "owner.id", u.name AS "owner.name", coalesce(u.external_id, '') AS "owner.external_id",
		u.created_at AS "owner.created_at", m.role, m.created_at AS since,
		(SELECT count(*) FROM passkeys p WHERE p.user_id = u.id) AS passkeys
	FROM staff m JOIN users u ON u.id = m.user_id ORDER BY m.created_at, m.user_id`

// RoleOf implements [passkey.StaffStore].
func (p *Passkeys) RoleOf(ctx context.Context, user passkey.UserID) (role passkey.Role, err error) {
	err = p.db.GetContext(ctx, &role, `SELECT role FROM staff WHERE user_id = $1`, user)
	if errors.Is(err, stdsql.ErrNoRows) {
		return "", nil
	}
	return role, failed("select role", err)
}

// RemoveStaff implements [passkey.StaffStore].
func (p *Passkeys) RemoveStaff(
	ctx context.Context, user passkey.UserID, may passkey.MayRemove, entry passkey.AuditEntry,
) error {
	return transact(ctx, p.db, func(tx *sqlx.Tx) error {
		if err := findUser(ctx, tx, user); err != nil {
			return err
		}
		member, err := leaving(ctx, tx, user, may)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM staff WHERE user_id = $1`, user); err != nil {
			return failed("delete staff", err)
		}
		if _, err := endSessions(ctx, tx, `user_id = $1`, user); err != nil {
			return err
		}
		if _, err := deleteLinks(ctx, tx, `user_id = $1`, user); err != nil {
			return err
		}
		if entry.Before, err = json.Marshal(map[string]passkey.Role{"role": member.Role}); err != nil {
			return err
		}
		return insertEntry(ctx, tx, entry)
	})
}

// leaving returns a member who is to leave the staff, the error of may, or passkey.ErrNotFound if the user is not staff. Its
// lock keeps others from leaving before the transaction ends.
func leaving(ctx context.Context, tx *sqlx.Tx, user passkey.UserID, may passkey.MayRemove) (member passkey.StaffMember, err error) {
	if _, err := tx.ExecContext(ctx, `LOCK TABLE staff IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return member, failed("lock staff", err)
	}
	others, err := list(ctx, tx, "select staff", staffRow.member, selectStaff)
	if err != nil {
		return member, err
	}
	at := slices.IndexFunc(others, func(m passkey.StaffMember) bool { return m.User.ID == user })
	if at < 0 {
		return member, passkey.ErrNotFound
	}
	member = others[at]
	return member, may(member, slices.Delete(others, at, at+1))
}
