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
// idle_in_transaction_session_timeout, search_path, and, with several hosts, target_session_attrs.
func Open(ctx context.Context, url string) (*sqlx.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	config.Runtime["role"] = runtimeRole
	setDefault(config.Runtime, "search_path", "public, pg_temp") // named, pg_temp comes last: nothing there hides a table
	setDefault(config.Runtime, "synchronous_commit", "on")
	setDefault(config.Runtime, "statement_timeout", "10s")
	setDefault(config.Runtime, "lock_timeout", "5s")
	setDefault(config.Runtime, "idle_in_transaction_session_timeout", "10s")
	db, err := connect(ctx, config)
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
		config.ConnectTimeout = 5 * time.Second
	}
	if len(config.Multi) > 0 && config.TargetSessionAttrs == "" {
		config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	return config, nil
}

func setDefault(settings map[string]string, name, value string) {
	if _, given := settings[name]; !given {
		settings[name] = value
	}
}

func connect(ctx context.Context, config pq.Config) (*sql.DB, error) {
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, failed("connect to the database", err)
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
	db, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return sqlx.NewDb(db, "postgres"), nil
}
