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

	"github.com/lib/pq"

	"holdfast/entitlements"
	"holdfast/entitlements/outbox"
	"holdfast/sql"
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

// TestEveryTableHasAPlace checks the tables' places on a PostgreSQL with Citus: each table has one, each unique key of a
// distributed table contains its column, and a foreign key leads to rows with the same value of it, or to copies.
func TestEveryTableHasAPlace(t *testing.T) {
	t.Parallel()
	db := sqltest.New(t)
	places := map[string]string{}
	for _, p := range sql.Placements {
		if places[p.Table] != "" {
			t.Errorf("%s has two places", p.Table)
		}
		places[p.Table] = p.Place
	}
	var tables []string
	if err := db.Select(&tables, `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if places[table] == "" {
			t.Errorf("%s has no place", table)
		}
	}
	if len(tables) != len(places) {
		t.Errorf("%d tables have places, %d exist", len(places), len(tables))
	}
	var keys []struct {
		Table, Key, Refers string
		Columns, Referred  pq.StringArray
	}
	if err := db.Select(&keys, `
		SELECT i.indrelid::regclass::text AS table, i.indexrelid::regclass::text AS key, '' AS refers, '{}'::text[] AS referred,
			(SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY(i.indkey)) AS columns
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
		UNION ALL
		SELECT f.conrelid::regclass::text, f.conname, f.confrelid::regclass::text,
			(SELECT array_agg(attname::text ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k (num, place) JOIN pg_attribute ON attrelid = f.confrelid AND attnum = num),
			(SELECT array_agg(attname::text ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k (num, place) JOIN pg_attribute ON attrelid = f.conrelid AND attnum = num)
		FROM pg_constraint f WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace`); err != nil {
		t.Fatal(err)
	}
	if len(keys) < 40 {
		t.Fatalf("only %d keys were found", len(keys))
	}
	for _, key := range keys {
		switch place, target := places[key.Table], places[key.Refers]; {
		case target == sql.OnEveryNode:
		case place == sql.OnCoordinator || place == sql.OnEveryNode:
			if key.Refers != "" && target != place {
				t.Errorf("%s of %s (%s) leads to %s (%s)", key.Key, key.Table, place, key.Refers, target)
			}
		default:
			i := slices.Index(key.Columns, place)
			if i < 0 || key.Refers != "" && key.Referred[i] != target {
				t.Errorf("%s of %s has the columns %q, and leads to %s %q: it needs %s", key.Key, key.Table, key.Columns, key.Refers, key.Referred, place)
			}
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
		"advisory":    {"", "UpdateDue", "inBatches", "lockAccount", "lockCustomer"},
		"LOCK TABLE":  {"leaving", "lockKeysets"},
		"SKIP LOCKED": {"raiseHolders", "skipLocked"},
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
