package sql_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/sql/sqltest"
)

// TestSchemaHasNoCode checks that the schema has neither triggers nor functions: rules are written in Go.
func TestSchemaHasNoCode(t *testing.T) {
	t.Parallel()
	var found []string
	if err := sqltest.New(t).Select(&found, `
		SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
		UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc
			WHERE pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
		UNION ALL SELECT 'rule ' || rulename || ' of ' || schemaname || '.' || tablename FROM pg_rules
			WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`); err != nil {
		t.Fatal(err)
	}
	for _, code := range found {
		t.Error(code)
	}
}

// TestTablesCanBeShardedByUser checks that tables with user data can be sharded by user: each key contains the user, and
// foreign keys lead to rows of the same user or to shared tables.
func TestTablesCanBeShardedByUser(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"directory":      "finds the user by the key, so it is sharded by the key",
		"billing_events": "belong to the customer of a billing system, who is known before the user, and may stay nobody's",
	}
	shared := []string{"plans", "webhook_endpoints"}
	var keys []struct{ Table, Key, Columns, Refers string }
	if err := sqltest.New(t).Select(&keys, `
		WITH of_users AS (
			SELECT attrelid AS oid, CASE WHEN attrelid = 'users'::regclass THEN 'id' ELSE 'user_id' END AS home
			FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
			WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND (attname = 'user_id' OR attrelid = 'users'::regclass AND attname = 'id')
		), keys AS (
			SELECT u.oid, u.home, i.indexrelid::regclass::text AS key, '' AS refers, array_agg(a.attname::text) AS columns
			FROM of_users u JOIN pg_index i ON i.indrelid = u.oid AND i.indisunique
				JOIN pg_attribute a ON a.attrelid = u.oid AND a.attnum = ANY(i.indkey)
			GROUP BY u.oid, u.home, i.indexrelid
			UNION ALL
			SELECT u.oid, u.home, f.conname, f.confrelid::regclass::text, array_agg(a.attname::text)
			FROM of_users u JOIN pg_constraint f ON f.conrelid = u.oid AND f.contype = 'f'
				JOIN pg_attribute a ON a.attrelid = u.oid AND a.attnum = ANY(f.conkey)
			GROUP BY u.oid, u.home, f.conname, f.confrelid
		)
		SELECT oid::regclass::text AS table, key, array_to_string(columns, ', ') AS columns, refers FROM keys WHERE NOT home = ANY(columns)`); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, key := range keys {
		found[key.Table] = true
		if elsewhere[key.Table] == "" && !slices.Contains(shared, key.Refers) {
			t.Errorf("%s of %s is of %s, without the user", key.Key, key.Table, key.Columns)
		}
	}
	for table := range elsewhere {
		if !found[table] {
			t.Errorf("%s is at home: no exception is needed", table)
		}
	}
}

// TestNoSequenceSpansUsers checks that no column numbers the rows of all users, and none holds a transaction's id: both exist
// within one server only, and neither follows the order of commits.
func TestNoSequenceSpansUsers(t *testing.T) {
	t.Parallel()
	numbered := map[string]string{
		"goose_db_version.id":  "one row for each migration",
		"keyset_marks.place":   "one row for each root",
		"webhook_endpoints.id": "names an endpoint; nothing is ordered by it",
	}
	var found []string
	if err := sqltest.New(t).Select(&found, `
		SELECT attrelid::regclass || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND (attidentity <> '' OR atttypid IN ('xid'::regtype, 'xid8'::regtype)
			OR EXISTS (SELECT FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum AND pg_get_expr(adbin, adrelid) LIKE '%nextval%'))`); err != nil {
		t.Fatal(err)
	}
	for _, column := range found {
		if numbered[column] == "" {
			t.Error(column)
		}
		delete(numbered, column)
	}
	for column := range numbered {
		t.Errorf("%s does not exist", column)
	}
}

// TestLocksHaveTheirPlaces checks that locks other than of rows, and sweeps over rows that others have locked, occur only
// where the package's documentation says.
func TestLocksHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	places := map[string][]string{ // functions; "" stands for constants
		"advisory":    {"", "UpdateDue", "lockAccount", "lockCustomer", "sweep"},
		"LOCK TABLE":  {"RemoveStaff", "lockKeysets"},
		"SKIP LOCKED": {"Claim", "Sweep", "raiseHolders", "sweep"},
	}
	found := map[string][]string{}
	for function, text := range texts(t) {
		for lock := range places {
			if strings.Contains(text, lock) {
				found[lock] = append(found[lock], function)
			}
		}
	}
	for lock, want := range places {
		if slices.Sort(found[lock]); !slices.Equal(found[lock], want) {
			t.Errorf("%s is in %q, want it in %q", lock, found[lock], want)
		}
	}
}

// TestWhatHasConsequencesHasOnePlace checks that a statement that requires a further step, such as an announcement, occurs
// only in the function that takes that step or tells its callers to.
func TestWhatHasConsequencesHasOnePlace(t *testing.T) {
	t.Parallel()
	places := map[string]*regexp.Regexp{ // by function
		"newEntry":        regexp.MustCompile(`INSERT INTO audit\b`),
		"writeDeliveries": regexp.MustCompile(`INSERT INTO webhook_deliveries\b`),
		"raise":           regexp.MustCompile(`UPDATE users\b[^;]*\bSET[^;]*\brevision =`),
		"endedSessions":   regexp.MustCompile(`DELETE FROM sessions\b( \w+)? (WHERE [^f]|USING)`), // not WHERE false
		"setStatuses":     regexp.MustCompile(`UPDATE status_entries\b[^;]*\bSET[^;]*\bstatus =`),
		"newUser":         regexp.MustCompile(`INSERT INTO users\b`),
		"erase":           regexp.MustCompile(`DELETE FROM users\b`),
	}
	found := map[string][]string{}
	for function, text := range texts(t) {
		for owner, statement := range places {
			if statement.MatchString(text) {
				found[owner] = append(found[owner], function)
			}
		}
	}
	for owner := range places {
		if !slices.Equal(found[owner], []string{owner}) {
			t.Errorf("%s is in %q, want it in %s alone", places[owner], found[owner], owner)
		}
	}
}

// TestRegistrationNotifiesNoEndpoint guards Register, which adds its audit entry without looking for webhooks.
func TestRegistrationNotifiesNoEndpoint(t *testing.T) {
	t.Parallel()
	if _, told := outbox.MessageOf(entitlements.AuditEntry{Action: "passkey.added"}, 1); told {
		t.Error("endpoints are notified of passkey.added, but Register writes no deliveries")
	}
}

// texts returns the joined string literals of each function of the package; those outside functions are under "".
func texts(t *testing.T) map[string]string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			name := ""
			if function, ok := declaration.(*ast.FuncDecl); ok {
				name = function.Name.Name
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					texts[name] += literal.Value + ";"
				}
				return true
			})
		}
	}
	return texts
}
