package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// runtimeRole is what the server acts as; the migrations make it and grant it what it needs.
const runtimeRole = "holdfast_runtime"

// Open connects to the database at url (a URL or key=value pairs, several hosts allowed) for the runtime and returns
// its pool. Every connection acts as holdfast_runtime, also when it logs in as the owner. TLS is as url says, and
// required where it says nothing.
//
// Settings that url does not make are made here, so that a request fails soon rather than waits: connect_timeout,
// synchronous_commit (on: what was answered is not forgotten), statement_timeout, lock_timeout,
// idle_in_transaction_session_timeout, search_path and target_session_attrs (read-write). A server that falls silent is
// given up a little after statement_timeout.
func Open(ctx context.Context, url string) (*sqlx.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	config.Runtime["role"] = runtimeRole
	setDefault(config.Runtime, "search_path", "public, pg_temp") // named, pg_temp comes last: nothing there hides a table
	setDefault(config.Runtime, "synchronous_commit", "on")
	setDefault(config.Runtime, "statement_timeout", "6s")
	setDefault(config.Runtime, "lock_timeout", "5s")
	setDefault(config.Runtime, "idle_in_transaction_session_timeout", "10s")
	connector, err := newConnector(config, commitTime)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db, err := connect(ctx, connector)
	if err == nil {
		err = limitStatements(ctx, connector, db)
	}
	if err != nil {
		var refused *pq.Error
		if errors.As(err, &refused) && (refused.Code == pqerror.InvalidParameterValue || refused.Code == pqerror.InsufficientPrivilege) {
			return nil, fmt.Errorf("the database does not let this login act as %s: run 'holdfast migrate' as its owner, "+
				"and GRANT %s to the login: %w", runtimeRole, runtimeRole, err)
		}
		return nil, err
	}
	// A small pool is fast: PostgreSQL does its work on few cores, and its default of 100 connections serves three
	// replicas, which each listen on one more, and an operator. Connections end in time so that the load spreads to
	// hosts that come back.
	db.SetMaxOpenConns(30)
	db.SetMaxIdleConns(30)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute)
	return sqlx.NewDb(db, "postgres"), nil
}

// limitStatements makes the connector give a statement up a little after statement_timeout, which a silent server does not
// enforce. If that is 0, the context is the only limit.
func limitStatements(ctx context.Context, connector *connector, db *sql.DB) error {
	var milliseconds int64
	err := db.QueryRowContext(ctx, `SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'`).Scan(&milliseconds)
	if err != nil {
		return errors.Join(failed("read statement_timeout", err), db.Close())
	}
	if milliseconds > 0 {
		connector.limit.Store(int64(time.Duration(milliseconds)*time.Millisecond + grace))
	}
	return nil
}

// connectTime is how long a host may take to let us in before the next one is tried.
const connectTime = 3 * time.Second

func parse(url string) (pq.Config, error) {
	config, err := pq.NewConfig(url)
	if err != nil {
		// The driver's error may quote the address, password and all.
		return pq.Config{}, errors.New("the database URL is neither a postgres:// URL nor key=value pairs that PostgreSQL knows")
	}
	config = config.Clone() // Runtime is never nil now
	if config.ApplicationName == "" {
		config.ApplicationName = "holdfast"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	if config.TargetSessionAttrs == "" {
		config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	config.Runtime["client_min_messages"] = "warning" // a lower level would hide commits without their standby
	return config, nil
}

func setDefault(settings map[string]string, name, value string) {
	if _, given := settings[name]; !given {
		settings[name] = value
	}
}

func connect(ctx context.Context, connector *connector) (*sql.DB, error) {
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, failed("connect to the database", err)
	}
	return db, nil
}

// ErrNotOwner is returned when something that needs the database's owner is done as another login.
var ErrNotOwner = errors.New("this login does not own the database's tables: name the owner in --database-url, as for 'holdfast migrate'")

// connectOwner connects as the login that config names, which must own the tables or, where there are none yet, be able to
// make them.
func connectOwner(ctx context.Context, config pq.Config) (*sql.DB, error) {
	connector, err := newConnector(config, ownerCommitTime)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db, err := connect(ctx, connector)
	if err != nil {
		return nil, err
	}
	var owns bool
	err = db.QueryRowContext(ctx, `SELECT coalesce(
		(SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('users')),
		has_schema_privilege('public', 'CREATE'))`).Scan(&owns)
	if err = failed("look for the owner", err); err == nil && !owns {
		err = ErrNotOwner
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// connectToSchema is connectAsOwner for a database that must have this program's schema.
func connectToSchema(ctx context.Context, url string) (*sqlx.DB, error) {
	db, err := connectAsOwner(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := CheckVersion(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// connectAsOwner connects as the login that url names, without a pool's worth of connections. What it commits is durable,
// whatever the database's settings.
func connectAsOwner(ctx context.Context, url string) (*sqlx.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	setDefault(config.Runtime, "search_path", "public, pg_temp")
	setDefault(config.Runtime, "synchronous_commit", "on")
	db, err := connectOwner(ctx, config)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return sqlx.NewDb(db, "postgres"), nil
}
