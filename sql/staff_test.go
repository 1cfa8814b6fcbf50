package sql_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/passkey"
)

var (
	operator = passkey.Agent{Actor: "operator", Admin: true}
	support  = passkey.Agent{Actor: "token:x", Reason: "asked on the phone"}
)

func TestStaff(t *testing.T) {
	w := newWorld(t, func(c *passkey.Config) { c.InviteOnly = true })
	invited := w.clock.Now().Truncate(time.Microsecond)
	eve, link, err := w.InviteStaff(t.Context(), passkey.Agent{Actor: "staff:x", Admin: true, Reason: "hired"}, " Eve ", passkey.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	if eve.User.Name != "Eve" || eve.Role != passkey.RoleAdmin || link.Role != passkey.RoleAdmin || !link.ExpiresAt.Equal(invited.Add(15*time.Minute)) {
		t.Errorf("invited %+v by %+v", eve, link)
	}
	w.clock.advance(time.Second)
	sam, _, err := w.InviteStaff(t.Context(), operator, "Sam", passkey.RoleSupport)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator()
	in, err := w.recover(link.Code, a)
	if err != nil {
		t.Fatal(err)
	}
	staff, err := w.Staff(t.Context())
	eve.Passkeys = 1
	if err != nil || !slices.Equal(staff, []passkey.StaffMember{eve, sam}) {
		t.Errorf("staff: %+v, %v", staff, err)
	}
	if session, err := w.Session(t.Context(), in.Token); err != nil || session.Role != passkey.RoleAdmin {
		t.Errorf("session: %+v, %v", session, err)
	}
	if got := w.actions(eve.User.ID); !slices.Equal(got, []string{"staff.invited", "passkey.added"}) {
		t.Errorf("audited: %q", got)
	}
	if got := scan[string](w, `SELECT a.actor || ' ' || a.object || ' ' || a.after || ' ' || r.reason FROM audit a JOIN audit_reasons r ON r.audit_id = a.id`); got !=
		`staff:x user:`+string(eve.User.ID)+` {"role": "admin"} hired` {
		t.Errorf("audited: %s", got)
	}

	// An ordinary user has no role, nor does an unknown one.
	_, bob, err := w.CreateUser(t.Context(), support, "Bob", "")
	if err != nil {
		t.Fatal(err)
	}
	if in, err := w.recover(bob.Code, newAuthenticator()); err != nil || in.Session.Role != "" || bob.Role != "" {
		t.Errorf("an ordinary user: %+v, %v", in.Session, err)
	}
	for _, nobody := range []passkey.UserID{"00000000-0000-4000-8000-000000000000", "x"} {
		if role, err := w.RoleOf(t.Context(), nobody); role != "" || err != nil {
			t.Errorf("%q has role %q, %v", nobody, role, err)
		}
		want(t, w.RemoveStaff(t.Context(), operator, nobody), passkey.ErrNotFound)
	}

	// Without the role they are signed out and become ordinary users.
	if err := w.RemoveStaff(t.Context(), operator, eve.User.ID); err != nil {
		t.Fatal(err)
	}
	wantLive(w, in.Token, false)
	if in := w.mustSignIn(a); in.Session.Role != "" || in.User != eve.User {
		t.Errorf("removed: %+v", in)
	}
	want(t, w.RemoveStaff(t.Context(), operator, eve.User.ID), passkey.ErrNotFound)
	if got := scan[string](w, `SELECT before::text FROM audit WHERE action = 'staff.removed'`); got != `{"role": "admin"}` {
		t.Errorf("before: %s", got)
	}
	if role, err := w.RoleOf(t.Context(), sam.User.ID); role != passkey.RoleSupport || err != nil {
		t.Errorf("the other one has role %q, %v", role, err)
	}
}

// TestRemoveStaffLeavesAnAdmin checks that nobody removes themselves, that one admin with a passkey stays even if two are
// removed at once, and that the operator, who can invite another, may remove that one, too.
func TestRemoveStaffLeavesAnAdmin(t *testing.T) {
	w := newWorld(t)
	admin := func(name string) passkey.StaffMember {
		member, link, err := w.InviteStaff(t.Context(), operator, name, passkey.RoleAdmin)
		if err == nil && name != "Invited" {
			_, err = w.recover(link.Code, newAuthenticator())
		}
		if err != nil {
			t.Fatal(err)
		}
		return member
	}
	eve, sam, invited := admin("Eve"), admin("Sam"), admin("Invited")
	as := func(m passkey.StaffMember) passkey.Agent {
		return passkey.Agent{Actor: "staff:" + string(m.User.ID), Admin: true, Reason: "left"}
	}
	want(t, w.RemoveStaff(t.Context(), as(eve), eve.User.ID), passkey.ErrOwnRole)
	pair := []passkey.StaffMember{eve, sam}
	n := w.together(2, passkey.ErrLastAdmin, func(i int) error {
		return w.RemoveStaff(t.Context(), as(pair[i]), pair[1-i].User.ID)
	})
	if n != 1 {
		t.Errorf("%d of two admins were removed by each other", n)
	}
	staff, err := w.Staff(t.Context())
	if err != nil || len(staff) != 2 {
		t.Fatalf("staff: %+v, %v", staff, err)
	}
	last := staff[slices.IndexFunc(staff, func(m passkey.StaffMember) bool { return m.Passkeys > 0 })].User.ID
	token := passkey.Agent{Actor: "token:x", Admin: true, Reason: "left"}
	want(t, w.RemoveStaff(t.Context(), token, last), passkey.ErrLastAdmin)
	if err := w.RemoveStaff(t.Context(), token, invited.User.ID); err != nil {
		t.Errorf("an admin without a passkey: %v", err)
	}
	if err := w.RemoveStaff(t.Context(), operator, last); err != nil {
		t.Errorf("by the operator: %v", err)
	}
}

// TestEraseLeavesAnAdmin checks that an admin may erase their own account only if another admin with a passkey stays, even if
// two do so at once.
func TestEraseLeavesAnAdmin(t *testing.T) {
	w := newWorld(t)
	join := func(name string, role passkey.Role) passkey.SignedIn {
		_, link, err := w.InviteStaff(t.Context(), operator, name, role)
		if err != nil {
			t.Fatal(err)
		}
		in, err := w.recover(link.Code, newAuthenticator())
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	pair := []passkey.SignedIn{join("Eve", passkey.RoleAdmin), join("Sam", passkey.RoleAdmin)}
	if err := w.Erase(t.Context(), join("Joe", passkey.RoleSupport).Session); err != nil {
		t.Errorf("support: %v", err)
	}
	n := w.together(2, passkey.ErrLastAdmin, func(i int) error { return w.Erase(t.Context(), pair[i].Session) })
	if n != 1 {
		t.Errorf("%d of two admins erased their accounts", n)
	}
	staff, err := w.Staff(t.Context())
	if err != nil || len(staff) != 1 {
		t.Fatalf("staff: %+v, %v", staff, err)
	}
	last := pair[slices.IndexFunc(pair, func(in passkey.SignedIn) bool { return in.User.ID == staff[0].User.ID })]
	want(t, w.Erase(t.Context(), last.Session), passkey.ErrLastAdmin)

	// The operator, who can invite another, may take the role, and then the account is an ordinary one.
	if err := w.RemoveStaff(t.Context(), operator, last.User.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Erase(t.Context(), last.Session); err != nil {
		t.Errorf("no longer staff: %v", err)
	}
}

func TestInviteStaffRefuses(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		role   passkey.Role
		reason string
	}{
		{"", passkey.RoleAdmin, ""}, {"Eve", "", ""}, {"Eve", "root", ""}, {"Eve", "support:read", ""},
		{"Eve", passkey.RoleAdmin, strings.Repeat("x", 1001)}, {"Eve", passkey.RoleAdmin, "\x00"}, {"Eve", passkey.RoleAdmin, "\xff"},
	} {
		_, _, err := w.InviteStaff(t.Context(), passkey.Agent{Actor: "operator", Admin: true, Reason: c.reason}, c.name, c.role)
		want(t, err, passkey.ErrInvalid)
	}
	if n := scan[int](w, `SELECT count(*) FROM users`); n != 0 {
		t.Errorf("%d users", n)
	}
}

// TestWithdrawnInvitationOpensNoAccount checks that a withdrawn invitation opens no account, even if its use has begun.
func TestWithdrawnInvitationOpensNoAccount(t *testing.T) {
	w := newWorld(t)
	eve, link, err := w.InviteStaff(t.Context(), operator, "Eve", passkey.RoleAdmin)
	if err != nil {
		t.Fatal(err)
	}
	begun := w.begun(w.BeginRecovery(t.Context(), link.Code))
	if err := w.RemoveStaff(t.Context(), operator, eve.User.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.FinishRecovery(t.Context(), "", begun.Ceremony, newAuthenticator().create(t, begun), "")
	want(t, err, passkey.ErrCeremony)
	_, err = w.BeginRecovery(t.Context(), link.Code)
	want(t, err, passkey.ErrCeremony)
}

// TestStaffAccountsAreForAdmins checks that support can neither enter a staff member's account nor lock its owner out.
func TestStaffAccountsAreForAdmins(t *testing.T) {
	w := newWorld(t)
	for _, role := range passkey.Roles() {
		member, link, err := w.InviteStaff(t.Context(), operator, "Eve", role)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.CreateRecoveryLink(t.Context(), support, member.User.ID) // the invitation is not yet accepted
		want(t, err, passkey.ErrStaffAccount)
		in, err := w.recover(link.Code, newAuthenticator())
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.CreateRecoveryLink(t.Context(), support, member.User.ID)
		want(t, err, passkey.ErrStaffAccount)
		want(t, w.SignOutUser(t.Context(), support, member.User.ID), passkey.ErrStaffAccount)
		wantLive(w, in.Token, true)
		if n := scan[int](w, `SELECT count(*) FROM enrolments WHERE user_id = $1`, member.User.ID); n != 0 {
			t.Errorf("%d links", n)
		}

		recovery, err := w.CreateRecoveryLink(t.Context(), operator, member.User.ID)
		if err != nil || recovery.Role != role {
			t.Errorf("an admin's link: %+v, %v", recovery, err)
		}
		if err := w.SignOutUser(t.Context(), operator, member.User.ID); err != nil {
			t.Fatal(err)
		}
		wantLive(w, in.Token, false)
		// Former staff members are ordinary users; the link that was created before is gone.
		if err := w.RemoveStaff(t.Context(), operator, member.User.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.BeginRecovery(t.Context(), recovery.Code)
		want(t, err, passkey.ErrCeremony)
		if link, err := w.CreateRecoveryLink(t.Context(), support, member.User.ID); err != nil || link.Role != "" {
			t.Errorf("after that: %+v, %v", link, err)
		}
	}
}
