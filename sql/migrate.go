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
// alone without an error; [CheckVersion] reports it.
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

// Version is the schema version that this program works with.
func Version() int64 {
	files, err := embedded.ReadDir("migrations")
	if err != nil {
		panic(err) // the files are embedded
	}
	var newest int64
	for _, file := range files {
		version, err := goose.NumericComponent(file.Name())
		if err != nil {
			panic(err)
		}
		newest = max(newest, version)
	}
	return newest
}

// CheckVersion returns an error that says what to do if the schema is not of this program's version.
func CheckVersion(ctx context.Context, db *sqlx.DB) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	switch {
	case version == 0:
		return errors.New("the database has no schema yet: run 'holdfast migrate'")
	case version < Version():
		return fmt.Errorf("the database schema is of version %d, this program needs %d: run 'holdfast migrate'", version, Version())
	case version > Version():
		return fmt.Errorf("the database schema is of version %d, newer than the %d of this program: run the newer program", version, Version())
	}
	return nil
}

// schemaVersion returns the version of the schema, or 0 before the first migration.
func schemaVersion(ctx context.Context, db *sqlx.DB) (version int64, err error) {
	err = db.GetContext(ctx, &version, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied")
	if missing := (*pq.Error)(nil); errors.As(err, &missing) &&
		(missing.Code == pqerror.UndefinedTable || missing.Code == pqerror.InsufficientPrivilege) {
		return 0, nil // migrations create the table and grant access to it
	}
	return version, failed("read the schema version", err)
}
