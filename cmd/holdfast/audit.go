package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/local"
)

// AuditRetention is the flag for how long the audit trail is kept, which the server and 'audit prune' share.
type AuditRetention struct {
	AuditRetention time.Duration `env:"HOLDFAST_AUDIT_RETENTION" placeholder:"DURATION" help:"How long entries of the audit trail are kept, at least 30d (default: indefinitely). The server deletes older ones from its private cluster; elsewhere 'audit prune' does."`
}

const (
	// minAuditRetention leaves enough time to notice any mistake.
	minAuditRetention = 720 * time.Hour
	// pruneEvery is how often the server prunes its private cluster.
	pruneEvery = 24 * time.Hour
)

func (a AuditRetention) check() error {
	if a.AuditRetention != 0 && a.AuditRetention < minAuditRetention {
		return wrongUse("--audit-retention must be at least 30d, or 0 to keep the audit trail indefinitely")
	}
	return nil
}

// prune deletes entries older than the retention.
func (a AuditRetention) prune(ctx context.Context, owner string) (int64, error) {
	return sql.PruneAudit(ctx, owner, time.Now().Add(-a.AuditRetention))
}

// keepPruned prunes now and at each interval until ctx ends. It logs failures and tries again at the next interval.
func (a AuditRetention) keepPruned(ctx context.Context, owner string, every time.Duration, log *slog.Logger) {
	entitlements.Poll[any](ctx, every, nil, func(bool) {
		switch pruned, err := a.prune(ctx, owner); {
		case ctx.Err() != nil:
		case err != nil:
			log.Warn("audit trail not pruned; retrying later", "error", err)
		default:
			log.Info("audit trail pruned", "deleted", pruned, "retention", a.AuditRetention.String())
		}
	})
}

type auditExportCommand struct {
	Database
	DataFolder
	User string `placeholder:"ID" help:"Only the entries about this user."`
}

var userID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func (c auditExportCommand) Run(ctx context.Context, con console) (err error) {
	if c.User != "" && !userID.MatchString(c.User) {
		return wrongUse("--user %q is not a user's id", c.User)
	}
	db, closeDB, err := c.open(ctx, c.DataFolder, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDB()) }()
	out := bufio.NewWriter(con.out)
	if err := api.WriteAudit(ctx, out, db.Entitlements, entitlements.UserID(strings.ToLower(c.User))); err != nil {
		return err
	}
	return out.Flush()
}

type auditPruneCommand struct {
	Database
	DataFolder
	AuditRetention
	Every time.Duration `placeholder:"DURATION" help:"Repeat this often, such as 24h, instead of once."`
}

func (c auditPruneCommand) Run(ctx context.Context, con console) (err error) {
	switch {
	case c.AuditRetention.AuditRetention == 0:
		return wrongUse("--audit-retention is missing: set it, such as to 365d")
	case c.Every < 0 || c.Every > 0 && c.Every < time.Minute:
		return wrongUse("--every must be at least a minute")
	}
	if err := c.check(); err != nil {
		return err
	}
	log := newLogger(con.err, slog.LevelInfo)
	owner, stop, err := c.address(ctx, c.DataFolder, local.Owner, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	pruned, err := c.prune(ctx, owner) // a wrong address, or a login without the right, ends even --every
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "Deleted %d entries of the audit trail.\n", pruned)
	if c.Every > 0 {
		c.keepPruned(ctx, owner, c.Every, log)
	}
	return nil
}
