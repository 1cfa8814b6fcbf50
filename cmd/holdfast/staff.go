package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"holdfast/api"
	"holdfast/passkey"
	"holdfast/passkey/names"
)

// byOperator is the agent of an operator's changes, with the highest rights.
var byOperator = passkey.Agent{Actor: operator, Admin: true}

type staffInviteCommand struct {
	Database
	linkOrigin
	Name string `required:"" help:"Name shown in the console and in the audit trail."`
	Role string `required:"" placeholder:"ROLE" help:"support, or admin, which may do everything."`
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
		_, err = fmt.Fprintln(con.out, api.LinkURL(origin, "", link))
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
	Member string `arg:"" name:"id|name" help:"The staff member's id, as 'staff list' shows it, or their name if nobody else on the staff has it."`
}

func (c staffRemoveCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		member, err := findStaff(ctx, service, c.Member)
		if err != nil {
			return err
		}
		err = service.RemoveStaff(ctx, byOperator, member)
		if errors.Is(err, passkey.ErrNotFound) { // removed meanwhile
			return noStaffMember(c.Member)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(con.out, "%s is no longer staff, and signed out everywhere. The user account stays.\n", c.Member)
		return err
	})
}

type staffRecoverCommand struct {
	Database
	linkOrigin
	Member string `arg:"" name:"id|name" help:"The staff member's id, as 'staff list' shows it, or their name if nobody else on the staff has it."`
}

func (c staffRecoverCommand) Run(ctx context.Context, con console) error {
	origin, err := c.origin()
	if err != nil {
		return err
	}
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		member, err := findStaff(ctx, service, c.Member)
		if err != nil {
			return err
		}
		link, err := service.CreateRecoveryLink(ctx, byOperator, member)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.err, "The link makes a new passkey and ends all their sessions, once, until %s:\n", link.ExpiresAt.Format(time.RFC3339))
		_, err = fmt.Fprintln(con.out, api.LinkURL(origin, "", link))
		return err
	})
}

// findStaff finds a staff member by id or by unique name.
func findStaff(ctx context.Context, service *passkey.Service, wanted string) (passkey.UserID, error) {
	staff, err := service.Staff(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	name, _ := names.Clean(wanted)
	for _, member := range staff {
		if strings.EqualFold(string(member.User.ID), wanted) {
			return member.User.ID, nil
		}
		if strings.EqualFold(member.User.Name, name) {
			ids = append(ids, string(member.User.ID))
		}
	}
	switch len(ids) {
	case 0:
		return "", noStaffMember(wanted)
	case 1:
		return passkey.UserID(ids[0]), nil
	default:
		return "", fmt.Errorf("%d staff members are called %s, so give the id: %s", len(ids), name, strings.Join(ids, " or "))
	}
}

func noStaffMember(wanted string) error {
	return fmt.Errorf("there is no staff member %s: 'holdfast staff list' shows ids and names", wanted)
}

// linkOrigin holds the flag for the origin of links.
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
		return "", wrongUse("--origin %q %w", l.Origin, err)
	}
	return origin.String(), nil
}
