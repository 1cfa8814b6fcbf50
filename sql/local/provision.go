package local

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lib/pq"
)

// provision creates the runtime role and the database if they are missing. A first start may have been killed at any point,
// so every start checks.
func (c *Cluster) provision(ctx context.Context) error {
	connector, err := pq.NewConnector(c.URL(Owner, "postgres"))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, step := range []struct{ exists, create string }{
		{
			"SELECT FROM pg_roles WHERE rolname = '" + Runtime + "'",
			"CREATE ROLE " + Runtime + " LOGIN",
		},
		{
			"SELECT FROM pg_database WHERE datname = '" + Database + "'",
			"CREATE DATABASE " + Database,
		},
	} {
		err := db.QueryRowContext(ctx, step.exists).Scan()
		if errors.Is(err, sql.ErrNoRows) {
			_, err = db.ExecContext(ctx, step.create)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
