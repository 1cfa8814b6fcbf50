package sqltest

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"holdfast/sql"
	"holdfast/sql/local"
)

// coordinator is the variable that says where Citus is.
const coordinator = "HOLDFAST_CITUS_URL"

// Distributed is Database with the tables in their places on a PostgreSQL with Citus. HOLDFAST_CITUS_URL is the address of
// a database of the coordinator, which knows the nodes, for a superuser who can log in to all nodes. Each node lets
// holdfast_runtime log in. Without the variable, the test is skipped: no package of Debian has Citus.
func Distributed(t testing.TB) (owner, runtime string) {
	t.Helper()
	address := os.Getenv(coordinator)
	if address == "" {
		t.Skip("not run on Citus: HOLDFAST_CITUS_URL names no coordinator")
	}
	ctx := context.Background()
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec := func(url string, statements ...string) {
		t.Helper()
		db, err := stdsql.Open("postgres", url)
		if err != nil {
			t.Fatal("sqltest:", err)
		}
		defer db.Close()
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				t.Fatalf("sqltest: %s: %v", statement, err)
			}
		}
	}
	on := func(host, database string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal("sqltest:", err)
		}
		if u.Path = "/" + database; host != "" {
			u.Host = host
		}
		return u.String()
	}
	db, err := stdsql.Open("postgres", address)
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid`)
	if err != nil {
		t.Fatal("sqltest:", err)
	}
	defer rows.Close()
	add := []string{}
	for rows.Next() {
		var node string
		var port int
		if err := rows.Scan(&node, &port); err != nil {
			t.Fatal("sqltest:", err)
		}
		hostport := fmt.Sprintf("%s:%d", node, port)
		add = append(add, fmt.Sprintf(`SELECT citus_add_node(%s, %d)`, pq.QuoteLiteral(node), port))
		if len(add) == 1 {
			add[0] = fmt.Sprintf(`SELECT citus_set_coordinator_host(%s, %d)`, pq.QuoteLiteral(node), port)
		}
		exec(on(hostport, "postgres"), `CREATE DATABASE `+name, `ALTER DATABASE `+name+` SET citus.shard_count = 4`)
		exec(on(hostport, name), `CREATE EXTENSION citus`)
		t.Cleanup(func() { exec(on(hostport, "postgres"), `DROP DATABASE `+name+` WITH (FORCE)`) })
	}
	exec(on("", name), add...)
	owner = on("", name)
	if err := setUp(ctx, owner); err != nil {
		t.Fatal("sqltest:", err)
	}
	if _, err := sql.Distribute(ctx, owner); err != nil {
		t.Fatal("sqltest:", err)
	}
	u, _ := url.Parse(owner)
	u.User = url.User(local.Runtime)
	return owner, u.String()
}
