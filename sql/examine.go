package sql

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Examination is what an operator should know of a database and its settings.
type Examination struct {
	Login      string        `db:"login"`
	Owner      bool          `db:"owner"`    // the login owns the tables or is a superuser
	Version    string        `db:"version"`  // of PostgreSQL
	Most       int           `db:"most"`     // connections that logins may have
	Fsync      bool          `db:"fsync"`    // commits reach the disk
	Commit     string        `db:"commit"`   // synchronous_commit of the server's sessions
	Names      string        `db:"names"`    // synchronous_standby_names
	Standbys   int           `db:"standbys"` // that are connected
	RPIDs      string        `db:"rpids"`    // relying parties to which the first passkeys are bound
	Schema     SchemaState   `db:"-"`
	Overdue    string        `db:"-"` // tables with rows that should have been deleted long ago
	ClockAhead time.Duration `db:"-"` // of the program, to the database's clock
}

// overdue is how long after its end a row should be deleted, at the latest.
const overdue = 15 * time.Minute

// Examine reads what an operator should know of the database.
func (d *Database) Examine(ctx context.Context) (e Examination, err error) {
	if err := d.db.GetContext(ctx, &e, `SELECT session_user AS login,
		(SELECT pg_has_role(session_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'users'::regclass) AS owner,
		current_setting('server_version') AS version,
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
		current_setting('fsync')::bool AND current_setting('full_page_writes')::bool AS fsync,
		current_setting('synchronous_commit') AS commit, current_setting('synchronous_standby_names') AS names,
		(SELECT count(*) FROM pg_stat_replication) AS standbys,
		(SELECT coalesce(string_agg(rp_id, ' '), '') FROM (SELECT DISTINCT rp_id FROM (SELECT rp_id FROM passkeys LIMIT 1000) AS first) AS p) AS rpids`); err != nil {
		return e, failed("examine", err)
	}
	if e.Schema, err = schemaState(ctx, d.db); err != nil {
		return e, err
	}
	asked := time.Now()
	now, err := d.Entitlements.Clock(ctx)
	if err != nil {
		return e, err
	}
	e.ClockAhead = asked.Round(0).Sub(now)
	var late []string
	for _, h := range housekeeping {
		var found bool
		if err := d.db.GetContext(ctx, &found, `SELECT EXISTS (SELECT FROM `+h.table+` WHERE `+h.condition()+`)`, now.Add(-h.keep-overdue)); err != nil {
			return e, failed("examine "+h.table, err)
		}
		if found {
			late = append(late, h.table)
		}
	}
	lists, _, _, err := endedStatuses(ctx, d.db, now.Add(-statusesKept-overdue), sweptStatus{})
	if err != nil {
		return e, err
	}
	if len(lists) > 0 {
		late = append(late, "status_entries")
	}
	e.Overdue = strings.Join(late, ", ")
	return e, nil
}

// SameDatabase returns an error unless the server at url is the one that d is connected to, and does not share sessions.
func (d *Database) SameDatabase(ctx context.Context, url string) error {
	other, err := Open(ctx, url)
	if err != nil {
		return err
	}
	defer other.Close()
	const identity = `SELECT current_database() || ' ' || pg_postmaster_start_time()`
	var here, there string
	if err := d.db.GetContext(ctx, &here, identity); err != nil {
		return failed("compare", err)
	}
	if err := other.GetContext(ctx, &there, identity); err != nil {
		return failed("compare", err)
	}
	if here != there {
		return fmt.Errorf("it is another database (%s) or server", strings.Fields(there)[0])
	}
	return nil
}
