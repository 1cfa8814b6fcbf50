package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"holdfast/passkey"
)

// operator is the actor in the audit trail for the command line.
const operator = passkey.Operator

type tokenCreateCommand struct {
	Database
	DataFolder
	Scope   []string      `required:"" placeholder:"SCOPE" help:"Permission: support:read, support:write, billing:write or admin (repeatable)."`
	Name    string        `default:"command line" help:"Purpose, to tell it from other tokens (default: ${default})."`
	Expires time.Duration `placeholder:"DURATION" help:"How long it is valid, such as 30d (default: until it is revoked)."`
}

func (c tokenCreateCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		scopes := make([]passkey.Scope, len(c.Scope))
		for i, scope := range c.Scope {
			scopes[i] = passkey.Scope(scope)
		}
		token, secret, err := service.CreateToken(ctx, operator, c.Name, scopes, c.Expires)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.err, "Token %s. Keep it now: it is not shown again.\n", token.ID)
		_, err = fmt.Fprintln(con.out, secret)
		return err
	})
}

type tokenListCommand struct {
	Database
	DataFolder
}

func (c tokenListCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		tokens, err := service.Tokens(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tSCOPES\tCREATED\tEND")
		for _, token := range tokens {
			scopes := make([]string, len(token.Scopes))
			for i, scope := range token.Scopes {
				scopes[i] = string(scope)
			}
			end := "none"
			switch {
			case token.RevokedAt != nil:
				end = "revoked " + token.RevokedAt.Format(time.RFC3339)
			case token.ExpiresAt != nil:
				end = token.ExpiresAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", token.ID, token.Name, strings.Join(scopes, ","), token.CreatedAt.Format(time.RFC3339), end)
		}
		return table.Flush()
	})
}

type tokenRevokeCommand struct {
	Database
	DataFolder
	ID string `arg:"" help:"The token's id, as 'token list' shows it."`
}

func (c tokenRevokeCommand) Run(ctx context.Context, con console) error {
	return withPasskeys(ctx, c.Database, c.DataFolder, con, func(service *passkey.Service) error {
		if err := service.RevokeToken(ctx, operator, c.ID); errors.Is(err, passkey.ErrNotFound) {
			return fmt.Errorf("there is no token %s", c.ID)
		} else if err != nil {
			return err
		}
		_, err := fmt.Fprintf(con.out, "Token %s is revoked.\n", c.ID)
		return err
	})
}

// withPasskeys calls do with the passkey service on the server's database.
func withPasskeys(ctx context.Context, database Database, data DataFolder, con console, do func(*passkey.Service) error) error {
	db, closeDB, err := database.open(ctx, data, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	act := func() error {
		// The tools act for no relying party, so any name will do.
		service, err := passkey.New(ctx, passkey.Config{
			RPID: "localhost", RPName: relyingParty, Origin: "http://localhost", Now: time.Now,
		}, db.Passkeys)
		if err != nil {
			return err
		}
		return do(service)
	}
	return errors.Join(act(), closeDB())
}
