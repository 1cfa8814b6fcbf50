package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// ErrNotEmpty is returned for a database that already contains something.
var ErrNotEmpty = errors.New("the database is not empty")

// Schema returns the state of the schema of the database at url, and the major version of its PostgreSQL server. The login in
// url must be the owner.
func Schema(ctx context.Context, url string) (schema SchemaState, postgres int, err error) {
	db, err := connectAsOwner(ctx, url)
	if err != nil {
		return SchemaState{}, 0, err
	}
	defer db.Close()
	if err := db.GetContext(ctx, &postgres, `SELECT current_setting('server_version_num')::int / 10000`); err != nil {
		return SchemaState{}, 0, failed("read PostgreSQL's version", err)
	}
	schema, err = schemaState(ctx, db)
	return schema, postgres, err
}

// PrepareRestore prepares the database at url for another database's dump, as the owner that url names. If the schema
// public contains anything that does not belong to an extension, it changes nothing and fails with [ErrNotEmpty].
func PrepareRestore(ctx context.Context, url string) error {
	db, err := connectAsOwner(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	var found sql.NullString
	err = db.GetContext(ctx, &found, `
		SELECT min(c.relname) FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`)
	if err != nil {
		return failed("look into the database", err)
	}
	if found.Valid {
		return fmt.Errorf("%w: it has %s", ErrNotEmpty, found.String)
	}
	// Roles belong to the cluster, so the dump contains none, but it grants to this one.
	_, err = db.ExecContext(ctx, `CREATE ROLE `+runtimeRole+` NOLOGIN`)
	if pq.As(err, pqerror.DuplicateObject) != nil {
		return nil
	}
	if pq.As(err, pqerror.InsufficientPrivilege) != nil {
		var exists bool
		if err := db.GetContext(ctx, &exists, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, runtimeRole); err != nil || exists {
			return failed("look for the runtime role", err)
		}
		return fmt.Errorf("there is no role %s, and this login may not make it: have an administrator CREATE ROLE %[1]s", runtimeRole)
	}
	return failed("make the runtime role", err)
}

// FinishRestore migrates a restored database to this program's version, as the owner that url names.
func FinishRestore(ctx context.Context, url string) error {
	if err := Migrate(ctx, url); err != nil {
		return err
	}
	db, err := connectToSchema(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	// The backup does not know which ceremonies were spent after it, so all open ceremonies must end.
	if _, err := db.ExecContext(ctx, `DELETE FROM secrets WHERE name = 'ceremony'`); err != nil {
		return failed("end the ceremonies", err)
	}
	_, err = db.ExecContext(ctx, `ANALYZE`)
	return failed("analyze", err)
}
