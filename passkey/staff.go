package passkey

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/passkey/reasons"
)

// staffReadLife is how long after an authentication staff may read.
const staffReadLife = 12 * time.Hour

// Role is the permission level of a staff member. A user with a role is staff; the zero value is no role.
type Role string

const (
	RoleSupport Role = "support" // SupportRead and SupportWrite
	RoleAdmin   Role = "admin"   // every scope
)

// Roles returns all roles.
func Roles() []Role { return []Role{RoleSupport, RoleAdmin} }

// Allows reports whether the role includes the scope.
func (r Role) Allows(scope Scope) bool {
	switch r {
	case RoleAdmin:
		return slices.Contains(Scopes(), scope)
	case RoleSupport:
		return scope == SupportRead || scope == SupportWrite
	}
	return false
}

// Permits reports whether the session's user, as a staff member, may now do an operation that needs scope: nil,
// ErrForbidden if the role does not include it, or ErrNotRecent. A change requires a recent authentication, a read one
// of the last 12 hours. A session of another origin counts as an old one.
func (s Session) Permits(scope Scope, change bool, now time.Time) error {
	switch {
	case s.Foreign:
		return ErrNotRecent
	case !s.Role.Allows(scope):
		return ErrForbidden
	case change && !s.Recent(now), now.Sub(s.AuthenticatedAt) >= staffReadLife:
		return ErrNotRecent
	}
	return nil
}

// Operator is the actor of an operator's commands.
const Operator = "operator"

// Agent is the caller of an operation on another user's account, or on the operator's behalf.
type Agent struct {
	Actor string // as the audit trail names them: "token:<uuid>", "staff:<uuid>" or "operator"
	// Admin says that the agent may also act on accounts of staff. An agent limited to support must not be able to enter
	// an account with more rights, or to shut its owner out.
	Admin  bool
	Reason string // free text, stored apart from the trail; "" = not given
}

// check judges the reason, with ErrInvalid.
func (a Agent) check() error {
	if err := reasons.Check(a.Actor, a.Reason); err != nil {
		return fmt.Errorf("%w reason: %w", ErrInvalid, err)
	}
	return nil
}

// mayChange returns ErrStaffAccount unless the agent may act on an account with that role.
func (a Agent) mayChange(role Role) error {
	if role != "" && !a.Admin {
		return ErrStaffAccount
	}
	return nil
}

// mayRemove returns ErrOwnRole or ErrLastAdmin if the agent may not remove the member, so that others remain. The operator,
// who can always invite an admin, may.
func (a Agent) mayRemove(member StaffMember, others []StaffMember) error {
	canAdminister := func(m StaffMember) bool { return m.Role == RoleAdmin && m.Passkeys > 0 }
	switch {
	case a.Actor == Operator:
		return nil
	case a.Actor == "staff:"+string(member.User.ID):
		return ErrOwnRole
	case canAdminister(member) && !slices.ContainsFunc(others, canAdminister):
		return ErrLastAdmin
	}
	return nil
}

// MayChange returns ErrStaffAccount if the agent may not act on the user's account. A user is staff from the start or
// never, so the result cannot become wrong before the change that follows.
func (s *Service) MayChange(ctx context.Context, agent Agent, user UserID) error {
	role, err := s.RoleOf(ctx, user)
	if err != nil {
		return err
	}
	return agent.mayChange(role)
}

// entry returns the audit entry for the agent's action on a user's account.
func (a Agent) entry(at time.Time, action string, user UserID) AuditEntry {
	return AuditEntry{At: at, Actor: a.Actor, Action: action, Object: "user:" + string(user), User: user, Reason: a.Reason}
}

// StaffMember is a user with a role.
type StaffMember struct {
	User      User
	Role      Role
	Passkeys  int // 0: the invitation is unused
	CreatedAt time.Time
}

// roleState is the audited state of a staff member.
type roleState struct {
	Role Role `json:"role"`
}

// InviteStaff creates an account with a role, and a link by which its owner registers a passkey. It is always a new
// account: support's means of acting on a user's account, links above all, must not become means of acting on a staff
// member's. It is audited. It returns ErrInvalidName, or ErrInvalid for the role or the reason.
func (s *Service) InviteStaff(ctx context.Context, agent Agent, name string, role Role) (StaffMember, Link, error) {
	name, err := cleanName(name)
	if err != nil {
		return StaffMember{}, Link{}, err
	}
	if !slices.Contains(Roles(), role) {
		return StaffMember{}, Link{}, fmt.Errorf("%w role: must be one of %q", ErrInvalid, Roles())
	}
	if err := agent.check(); err != nil {
		return StaffMember{}, Link{}, err
	}
	id, err := s.newID()
	if err != nil {
		return StaffMember{}, Link{}, err
	}
	now := s.now()
	link, stored, err := s.newLink(EnrolmentLink, now, linkLife)
	if err != nil {
		return StaffMember{}, Link{}, err
	}
	link.Role = role
	user := User{ID: UserID(id), Name: name, CreatedAt: now}
	entry, err := agent.entry(now, "staff.invited", user.ID).with(roleState{role})
	if err != nil {
		return StaffMember{}, Link{}, err
	}
	if err := s.store.CreateStaff(ctx, user, role, stored, entry); err != nil {
		return StaffMember{}, Link{}, fmt.Errorf("invite staff: %w", err)
	}
	return StaffMember{User: user, Role: role, CreatedAt: now}, link, nil
}

// Staff lists the staff, oldest first.
func (s *Service) Staff(ctx context.Context) ([]StaffMember, error) {
	staff, err := s.store.Staff(ctx)
	if err != nil {
		return nil, fmt.Errorf("read staff: %w", err)
	}
	return staff, nil
}

// RoleOf returns the user's role; "" if the user has none or is unknown.
func (s *Service) RoleOf(ctx context.Context, user UserID) (Role, error) {
	if !isID(string(user)) {
		return "", nil
	}
	role, err := s.store.RoleOf(ctx, user)
	if err != nil {
		return "", fmt.Errorf("read role: %w", err)
	}
	return role, nil
}

// RemoveStaff removes the role of a staff member, ends all their sessions and deletes the links that open their account,
// including an unused invitation. They remain an ordinary user. It is audited. It returns ErrNotFound if the user is not
// staff, ErrOwnRole, ErrLastAdmin, or ErrInvalid for the reason.
func (s *Service) RemoveStaff(ctx context.Context, agent Agent, user UserID) error {
	if !isID(string(user)) {
		return ErrNotFound
	}
	if err := agent.check(); err != nil {
		return err
	}
	if err := s.store.RemoveStaff(ctx, user, agent.mayRemove, agent.entry(s.now(), "staff.removed", user)); err != nil {
		return fmt.Errorf("remove staff: %w", err)
	}
	return nil
}
