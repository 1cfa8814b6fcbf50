package sql

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrate migrates the schema of the database at url to this program's version. The login in url must be the owner.
// Concurrent calls are safe: an advisory lock lets one migrate, and the others find nothing to do. A newer schema is left
// alone without an error; [CheckVersion] says whether this program works on it.
func Migrate(ctx context.Context, url string) error {
	return migrate(ctx, url, (*goose.Provider).Up)
}

func migrate(ctx context.Context, url string, up func(*goose.Provider, context.Context) ([]*goose.MigrationResult, error)) error {
	config, err := parse(url)
	if err != nil {
		return err
	}
	// A migration that waits for a lock blocks everybody behind it: it is better to fail and retry.
	setDefault(config.Runtime, "lock_timeout", "10s")
	db, err := connectOwner(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()

	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1 /* second */, 300 /* times */))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	_, err = up(provider, ctx)
	return failed("migrate", err)
}

// Migration is a step from one version of the schema to the next.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	SQL     string `json:"-"`
}

// Migrations returns the migrations that this program knows, in their order.
func Migrations() (all []Migration) {
	files, err := embedded.ReadDir("migrations")
	if err != nil {
		panic(err) // the files are embedded
	}
	for _, file := range files {
		version, err := goose.NumericComponent(file.Name())
		if err != nil {
			panic(err)
		}
		content, err := embedded.ReadFile("migrations/" + file.Name())
		if err != nil {
			panic(err)
		}
		all = append(all, Migration{version, file.Name(), string(content)})
	}
	return all
}

// Version is the schema version that this program works with.
func Version() int64 {
	all := Migrations()
	return all[len(all)-1].Version
}

// SchemaState is the state of a database's schema.
type SchemaState struct {
	Version int64 `db:"version"` // 0 before the first migration
	Oldest  int64 `db:"oldest"`  // programs of this schema version and newer work on it
}

// SchemaError says why the program does not work on a database's schema, and what to do.
type SchemaError string

func (e SchemaError) Error() string { return string(e) }

// Check returns a [SchemaError] if programs of that schema version do not work on the schema.
func (s SchemaState) Check(program int64) error {
	switch {
	case s.Version == 0:
		return SchemaError("the database has no schema yet: run 'holdfast migrate'")
	case s.Version < program:
		return SchemaError(fmt.Sprintf("the database schema is of version %d, this program needs %d: run 'holdfast migrate'", s.Version, program))
	case s.Oldest > program:
		return SchemaError(fmt.Sprintf("the database schema is of version %d, on which programs of schema %d and newer work, "+
			"not this one of schema %d: run a newer program", s.Version, s.Oldest, program))
	}
	return nil
}

// CheckVersion is [SchemaState.Check] for this program.
func CheckVersion(ctx context.Context, db *sqlx.DB) error {
	state, err := schemaState(ctx, db)
	if err != nil {
		return err
	}
	return state.Check(Version())
}

func schemaState(ctx context.Context, db *sqlx.DB) (state SchemaState, err error) {
	err = db.GetContext(ctx, &state, `SELECT coalesce(max(version_id), 0) AS version, (SELECT oldest FROM schema_compatibility) AS oldest
		FROM goose_db_version WHERE is_applied`)
	if missing := (*pq.Error)(nil); errors.As(err, &missing) &&
		(missing.Code == pqerror.UndefinedTable || missing.Code == pqerror.InsufficientPrivilege) {
		return SchemaState{}, nil // migrations create the tables and grant access to them
	}
	return state, failed("read the schema version", err)
}
