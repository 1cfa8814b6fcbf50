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

// runtimeRole is the role that the server acts as. The migrations create it and grant it what it needs.
const runtimeRole = "holdfast_runtime"

// DefaultConnections is the size of a pool. A small pool is fast: PostgreSQL works on few cores, and its default of 100
// connections is enough for three replicas, each with one more connection that listens, and an operator.
const DefaultConnections = 30

// Open connects to the database at url (see parse) for the server and returns its pool. Every connection acts as
// holdfast_runtime, even if it logs in as the owner. TLS follows url, and is required if url says nothing about it.
//
// Open sets defaults for settings that url omits, so that a request fails soon instead of waiting: connect_timeout,
// synchronous_commit (on: a confirmed change is durable), statement_timeout, lock_timeout,
// idle_in_transaction_session_timeout, search_path and target_session_attrs (read-write). The connection to a silent server
// is dropped a little after statement_timeout. Open fails with [ErrSharedSessions] behind a pooler in transaction mode.
func Open(ctx context.Context, url string) (*sqlx.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	config.BinaryParameters = true // a statement that is not prepared takes one round trip, not two
	config.Runtime["role"] = runtimeRole
	setDefault(config.Runtime, "search_path", "public, pg_temp") // pg_temp last: nothing in it can hide a table
	setDefault(config.Runtime, "synchronous_commit", "on")
	setDefault(config.Runtime, "statement_timeout", "6s")
	setDefault(config.Runtime, "lock_timeout", "5s")
	setDefault(config.Runtime, "idle_in_transaction_session_timeout", "10s")
	connector, err := newConnector(config, commitTime)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db, err := connect(ctx, connector)
	engine := postgres
	if err == nil {
		engine, err = readServer(ctx, connector, db)
	}
	if err != nil {
		var refused *pq.Error
		if errors.As(err, &refused) && (refused.Code == pqerror.InvalidParameterValue || refused.Code == pqerror.InsufficientPrivilege) {
			return nil, fmt.Errorf("the database does not let this login act as %s: run 'holdfast migrate' as its owner, "+
				"and GRANT %s to the login: %w", runtimeRole, runtimeRole, err)
		}
		return nil, err
	}
	db.SetMaxOpenConns(DefaultConnections)
	db.SetMaxIdleConns(DefaultConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute) // the load spreads to hosts that come back
	return sqlx.NewDb(db, engine), nil
}

// readServer returns the engine of the database, and refuses a server that is too old. It makes the connector give up on a
// statement a little after statement_timeout, which a silent server does not enforce. If statement_timeout is 0, the context
// is the only limit.
func readServer(ctx context.Context, connector *connector, db *sql.DB) (engine string, err error) {
	var milliseconds int64
	var number int
	var extended bool
	err = db.QueryRowContext(ctx, `SELECT setting::bigint, current_setting('server_version_num')::int,
		EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') FROM pg_settings WHERE name = 'statement_timeout'`).
		Scan(&milliseconds, &number, &extended)
	if err = failed("read the server's settings", err); err == nil {
		err = checkAge(number)
	}
	if err != nil {
		return "", errors.Join(err, db.Close())
	}
	if milliseconds > 0 {
		connector.limit.Store(int64(time.Duration(milliseconds)*time.Millisecond + grace))
	}
	if extended {
		return citus, nil
	}
	return postgres, nil
}

func setDefault(settings map[string]string, name, value string) {
	if _, given := settings[name]; !given {
		settings[name] = value
	}
}

// OldestPostgres is the oldest major version of PostgreSQL that Holdfast works with.
const OldestPostgres = 15

// ErrOldPostgres is returned when the server of a database is older than [OldestPostgres].
var ErrOldPostgres = fmt.Errorf("Holdfast works with PostgreSQL %d or newer", OldestPostgres)

// checkAge refuses a server's server_version_num if it is too old.
func checkAge(number int) error {
	if number/10_000 < OldestPostgres {
		return fmt.Errorf("%w, and the server is PostgreSQL %d", ErrOldPostgres, number/10_000)
	}
	return nil
}

func connect(ctx context.Context, connector *connector) (*sql.DB, error) {
	if err := connector.checkSessions(ctx); err != nil {
		return nil, failed("connect to the database", err)
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, failed("connect to the database", err)
	}
	return db, nil
}

// ErrNotOwner is returned when an operation that requires the database's owner uses another login.
var ErrNotOwner = errors.New("this login does not own the database's tables: name the owner in --database-url, as for 'holdfast migrate'")

// connectOwner connects as the login in config, which must own the tables or, if there are none yet, be able to create
// them.
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

// connectToSchema is connectAsOwner for a database on whose schema this program must work.
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

// connectAsOwner connects as the login in url, with few connections. What it commits is durable, whatever the database's
// settings.
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
