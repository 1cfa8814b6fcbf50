package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// setSettings returns the statement that sets them for the session. The role comes last: the login may have to set others.
func setSettings(settings map[string]string) string {
	names := slices.Sorted(maps.Keys(settings))
	if i := slices.Index(names, "role"); i >= 0 {
		names = append(slices.Delete(names, i, i+1), "role")
	}
	for i, name := range names {
		names[i] = "set_config(" + pq.QuoteLiteral(name) + ", " + pq.QuoteLiteral(settings[name]) + ", false)"
	}
	return "SELECT " + strings.Join(names, ", ")
}

// ErrSharedSessions is returned for a database behind a pooler that gives a client another session for each transaction or
// statement: settings, prepared statements and deadlines would be those of other clients.
var ErrSharedSessions = errors.New("the database is behind a pooler that shares sessions: set pool_mode = session for it (PgBouncer), " +
	"or name PostgreSQL itself in --database-url, with --database-pool connections a replica")

// checkSessions returns ErrSharedSessions if two connections that are open at once use one session, or one uses several. A
// pooler that shares sessions gives the one that became free last, or all in turn.
func (c *connector) checkSessions(ctx context.Context) error {
	var conns [2]*conn
	var sessions [2]int64
	for round := range 3 {
		for i := range conns {
			if round == 0 {
				made, err := c.connect(ctx)
				if err != nil {
					return err
				}
				defer made.Close()
				conns[i] = made
			}
			session, err := conns[i].session(ctx)
			if err != nil {
				return err
			}
			if round > 0 && session != sessions[i] || session == sessions[1-i] {
				return ErrSharedSessions
			}
			sessions[i] = session
		}
	}
	return nil
}

// session returns the number of the session that serves the connection.
func (c *conn) session(ctx context.Context) (int64, error) {
	found, err := c.QueryContext(ctx, "SELECT pg_backend_pid()", nil)
	if err != nil {
		return 0, err
	}
	row := make([]driver.Value, 1)
	err = found.Next(row)
	session, _ := row[0].(int64)
	return session, errors.Join(err, found.Close())
}
