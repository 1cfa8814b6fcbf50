package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"holdfast/api"
	"holdfast/passkey"
)

// byOperator is the operator as who acts on accounts: nobody may do more.
var byOperator = passkey.Agent{Actor: operator, Admin: true}

type staffInviteCommand struct {
	Database
	linkOrigin
	Name string `required:"" help:"How the console and the users' trail name them."`
	Role string `required:"" placeholder:"ROLE" help:"What they may do: support, or admin, which is everything."`
}

func (c staffInviteCommand) Run(ctx context.Context, con console) error {
	origin, err := c.origin()
	if err != nil {
		return err
	}
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		member, link, err := service.InviteStaff(ctx, byOperator, c.Name, passkey.Role(c.Role))
		if err != nil {
			return err
		}
		fmt.Fprintf(con.err, "Staff member %s. The link makes their first passkey, once, until %s:\n", member.User.ID, link.ExpiresAt.Format(time.RFC3339))
		_, err = fmt.Fprintln(con.out, api.LinkURL(origin, link))
		return err
	})
}

type staffListCommand struct {
	Database
	DataFolder
}

func (c staffListCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		staff, err := service.Staff(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tROLE\tPASSKEYS\tINVITED")
		for _, member := range staff {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n",
				member.User.ID, member.User.Name, member.Role, member.Passkeys, member.CreatedAt.Format(time.RFC3339))
		}
		return table.Flush()
	})
}

type staffRemoveCommand struct {
	Database
	DataFolder
	ID string `arg:"" help:"The staff member's id, as 'staff list' shows it."`
}

func (c staffRemoveCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		err := service.RemoveStaff(ctx, byOperator, passkey.UserID(c.ID))
		if errors.Is(err, passkey.ErrNotFound) {
			return noStaffMember(c.ID)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(con.out, "%s is no longer staff, and signed out everywhere. The user account stays.\n", c.ID)
		return err
	})
}

type staffRecoverCommand struct {
	Database
	linkOrigin
	ID string `arg:"" help:"The staff member's id, as 'staff list' shows it."`
}

func (c staffRecoverCommand) Run(ctx context.Context, con console) error {
	origin, err := c.origin()
	if err != nil {
		return err
	}
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		user := passkey.UserID(c.ID)
		switch role, err := service.RoleOf(ctx, user); {
		case err != nil:
			return err
		case role == "":
			return noStaffMember(c.ID)
		}
		link, err := service.CreateRecoveryLink(ctx, byOperator, user)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.err, "The link makes a new passkey and ends all their sessions, once, until %s:\n", link.ExpiresAt.Format(time.RFC3339))
		_, err = fmt.Fprintln(con.out, api.LinkURL(origin, link))
		return err
	})
}

func noStaffMember(id string) error { return fmt.Errorf("there is no staff member %s", id) }

// linkOrigin says where links lead to.
type linkOrigin struct {
	keysLocation `embed:""`
	Origin       string `env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The server's public origin (default: the issuer of the keyset in the keys folder)."`
}

func (l linkOrigin) origin() (string, error) {
	if l.Origin == "" {
		keys, err := readKeys(l.dir())
		if err != nil {
			return "", fmt.Errorf("--origin is not given, and no keyset tells it: %w", err)
		}
		return keys.Keyset.Issuer, nil
	}
	origin, err := parseOrigin(l.Origin)
	if err != nil {
		return "", fmt.Errorf("--origin %q %w", l.Origin, err)
	}
	return origin.String(), nil
}
