package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
)

// Places of a table on a PostgreSQL with Citus, besides the column by which it is distributed.
const (
	OnCoordinator = "local"     // on the coordinator alone
	OnEveryNode   = "reference" // a copy on every node
)

// Placement is the place of a table on a PostgreSQL with Citus: OnCoordinator, OnEveryNode, or the column by which it is
// distributed.
type Placement struct{ Table, Place string }

// Placements lists every table. Users' tables are distributed by user, so that a request needs one node. The directory, which
// finds the user, is distributed by its key.
var Placements = []Placement{
	{"goose_db_version", OnCoordinator}, {"schema_compatibility", OnCoordinator},
	{"plans", OnEveryNode}, {"past_plans", OnEveryNode}, {"pack_keys", OnEveryNode}, {"webhook_endpoints", OnEveryNode},
	{"users", "id"}, {"staff", "user_id"}, {"passkeys", "user_id"}, {"sessions", "user_id"}, {"enrolments", "user_id"},
	{"recovery_codes", "user_id"}, {"notes", "user_id"}, {"subscriptions", "user_id"}, {"devices", "user_id"}, {"audit", "user_id"},
	{"audit_reasons", "user_id"}, {"webhook_deliveries", "user_id"},
	{"ledger_entries", "user_id"}, {"ledger_accepted", "user_id"}, {"past_subscriptions", "user_id"}, {"vault_keys", "user_id"},
	{"directory", "key"},
	{"spent", OnCoordinator}, {"status_entries", OnCoordinator}, {"status_changes", OnCoordinator},
	{"billing_events", OnCoordinator}, {"billing_erased", OnCoordinator}, {"idempotency", OnCoordinator},
	{"admin_tokens", OnCoordinator}, {"secrets", OnCoordinator}, {"keyset_marks", OnCoordinator},
}

// Engines. The name of a pool's driver tells which one its database has, to each of its transactions too.
const (
	postgres = "postgres"
	citus    = "citus"
)

func init() { sqlx.BindDriver(citus, sqlx.DOLLAR) }

// engine is a pool or a transaction.
type engine interface {
	sqlx.ExtContext
	DriverName() string
}

// distributed reports whether the database has Citus, whose tables may be on several nodes.
func distributed(db engine) bool { return db.DriverName() == citus }

// skipLocked is for a statement that changes a batch of a table's rows, which it finds by the condition in a subquery. It
// returns the clause with which the subquery passes over rows that others have locked. Citus refuses that clause for a table
// on several nodes; there, the statement waits for such a row and must judge it again, with the second clause.
func skipLocked(db engine, table, condition string) (lock, again string) {
	if distributed(db) && !slices.Contains(Placements, Placement{table, OnCoordinator}) {
		return "", " AND " + condition
	}
	return " FOR UPDATE SKIP LOCKED", ""
}

// ErrNoCitus is returned for a PostgreSQL that cannot distribute tables.
var ErrNoCitus = errors.New("this PostgreSQL cannot distribute tables: it needs the extension citus on every node (CREATE EXTENSION citus), " +
	"and the nodes' addresses on the coordinator (citus_set_coordinator_host, citus_add_node)")

// Distribution returns the statements that move the tables of the database at url to their places; none if all are there. For
// a PostgreSQL that cannot distribute tables, it returns [ErrNoCitus] with the statements for all tables.
func Distribution(ctx context.Context, url string) (statements []string, err error) {
	db, err := connectToSchema(ctx, url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	tables, refusal := misplaced(ctx, db)
	if refusal != nil && !errors.Is(refusal, ErrNoCitus) {
		return nil, refusal
	}
	if statements, err = distribution(ctx, db, tables); err != nil {
		return nil, err
	}
	return statements, refusal
}

// Distribute moves the tables of the database at url to their places, all or none, and returns those that it moved. The
// login in url must be the owner. Servers must not run meanwhile.
func Distribute(ctx context.Context, url string) (moved []Placement, err error) {
	db, err := connectToSchema(ctx, url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	err = transact(ctx, db, func(tx *sqlx.Tx) error {
		if moved, err = misplaced(ctx, tx); err != nil {
			return err
		}
		statements, err := distribution(ctx, tx, moved)
		if err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return failed(statement, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return moved, checkWorkers(ctx, db)
}

// checkWorkers fails unless the coordinator can connect to the other nodes as the server's role.
func checkWorkers(ctx context.Context, db *sqlx.DB) error {
	return transact(ctx, db, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `SET LOCAL ROLE `+runtimeRole); err != nil {
			return failed("act as the server", err)
		}
		if _, err := tx.ExecContext(ctx, `SELECT count(*) FROM sessions`); err != nil {
			return fmt.Errorf("the tables are in their places, but the other nodes refuse %[1]s: run ALTER ROLE %[1]s LOGIN on every node, "+
				"and let the coordinator connect as %[1]s: %[2]w", runtimeRole, err)
		}
		return nil
	})
}

// misplaced returns the tables that must move from the coordinator. It fails for one that is elsewhere but not in its place.
// Without Citus, it returns ErrNoCitus with all tables that are not local.
func misplaced(ctx context.Context, db sqlx.QueryerContext) (tables []Placement, err error) {
	var nodes int
	places, refusal := map[string]string{}, ErrNoCitus
	var found bool
	if err := sqlx.GetContext(ctx, db, &found, `SELECT to_regclass('pg_dist_node') IS NOT NULL`); err != nil {
		return nil, failed("look for Citus", err)
	}
	if found {
		if err := sqlx.GetContext(ctx, db, &nodes, `SELECT count(*) FROM pg_dist_node WHERE shouldhaveshards`); err != nil {
			return nil, failed("count the nodes", err)
		}
		var rows []Placement
		err := sqlx.SelectContext(ctx, db, &rows, `SELECT table_name::text AS table,
			CASE citus_table_type WHEN 'distributed' THEN distribution_column ELSE citus_table_type END AS place FROM citus_tables`)
		if err != nil {
			return nil, failed("read the places of tables", err)
		}
		for _, row := range rows {
			places[row.Table] = row.Place
		}
	}
	if nodes > 0 {
		refusal = nil
	}
	for _, p := range Placements {
		switch place, elsewhere := places[p.Table]; {
		case place == p.Place, !elsewhere && p.Place == OnCoordinator:
		case elsewhere && place != OnCoordinator:
			return nil, fmt.Errorf("the table %s has the place %q already, not %q", p.Table, place, p.Place)
		default:
			tables = append(tables, p)
		}
	}
	return tables, refusal
}

// distribution returns the statements that move tables. They drop the foreign keys meanwhile, because Citus refuses one
// between two tables of which only one is in its place.
func distribution(ctx context.Context, db sqlx.QueryerContext, tables []Placement) (statements []string, err error) {
	if len(tables) == 0 {
		return nil, nil
	}
	var keys []struct{ Table, Name, Definition string }
	if err := sqlx.SelectContext(ctx, db, &keys, `
		SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
		WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2`); err != nil {
		return nil, failed("read foreign keys", err)
	}
	statements = append(statements, `SET LOCAL citus.multi_shard_modify_mode TO 'sequential'`)
	for _, key := range keys {
		statements = append(statements, `ALTER TABLE `+key.Table+` DROP CONSTRAINT `+key.Name)
	}
	for _, t := range tables {
		switch t.Place {
		case OnEveryNode:
			statements = append(statements, `SELECT create_reference_table('`+t.Table+`')`)
		case "user_id":
			statements = append(statements, `SELECT create_distributed_table('`+t.Table+`', 'user_id', colocate_with => 'users')`)
		default:
			statements = append(statements, `SELECT create_distributed_table('`+t.Table+`', '`+t.Place+`', colocate_with => 'none')`)
		}
		statements = append(statements, `SELECT truncate_local_data_after_distributing_table('`+t.Table+`')`)
	}
	for _, key := range keys {
		statements = append(statements, `ALTER TABLE `+key.Table+` ADD CONSTRAINT `+key.Name+` `+key.Definition)
	}
	// The coordinator fills in the default of id and names the column to the shard, so the role needs the grant. That weakens
	// little: a server that adds an entry among older ones could also have left it out, and it still alters and deletes none.
	return append(statements, `GRANT INSERT (id) ON audit TO `+runtimeRole), nil
}
