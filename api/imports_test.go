package api_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports lists what each package of the program may import besides the standard library. Entries are prefixes, so that a
// module's packages are named once. Test files may import more.
var imports = map[string]struct {
	may    []string
	mayNot []string // of the standard library
}{
	"passkey/names": {
		may:    []string{"golang.org/x/text/cases", "golang.org/x/text/unicode/norm"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"passkey/reasons": {mayNot: []string{"net/http", "database/sql"}},
	"passkey": {
		may:    []string{"holdfast/passkey/names", "holdfast/passkey/reasons", "filippo.io/edwards25519", "github.com/go-json-experiment/json", "github.com/go-webauthn/webauthn", "github.com/google/uuid", "golang.org/x/crypto/argon2"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements": {
		may:    []string{"holdfast/passkey/names", "holdfast/passkey/reasons", "holdfast/entitlements/billing", "holdfast/entitlements/dpop", "holdfast/entitlements/jose", "holdfast/entitlements/ledger", "holdfast/entitlements/statuslist", "holdfast/entitlements/vault", "github.com/google/uuid", "github.com/go-json-experiment/json"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/vault": {
		may:    []string{"holdfast/entitlements/jose", "github.com/go-json-experiment/json"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/billing": {mayNot: []string{"net/http", "database/sql"}},
	"entitlements/dpop": {
		may:    []string{"holdfast/entitlements/jose", "github.com/go-json-experiment/json"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/host": { // for other back ends: the only part of the domain that knows HTTP
		may:    []string{"holdfast/entitlements", "golang.org/x/sync/singleflight"},
		mayNot: []string{"database/sql"},
	},
	"entitlements/jose": {
		may:    []string{"github.com/lestrrat-go/jwx/v2", "github.com/go-json-experiment/json"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/ledger": {
		may:    []string{"holdfast/entitlements/jose", "github.com/go-json-experiment/json"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/outbox": {
		may:    []string{"holdfast/entitlements", "github.com/standard-webhooks/standard-webhooks/libraries"},
		mayNot: []string{"net/http", "database/sql"},
	},
	"entitlements/statuslist": {mayNot: []string{"net/http", "database/sql"}},
	"sql": {may: []string{
		"holdfast/passkey", "holdfast/entitlements", "github.com/jmoiron/sqlx", "github.com/lib/pq", "github.com/pressly/goose/v3", "github.com/google/uuid",
		"golang.org/x/sys/unix", "github.com/go-json-experiment/json", "go.opentelemetry.io/otel",
	}, mayNot: []string{"net/http"}},
	"sql/local":   {may: []string{"github.com/lib/pq"}, mayNot: []string{"net/http"}},
	"sql/sqltest": {may: []string{"holdfast/sql", "github.com/jmoiron/sqlx", "github.com/lib/pq", "github.com/google/uuid"}, mayNot: []string{"net/http"}},
	"api": {may: []string{
		"holdfast/api/stripe", "holdfast/passkey", "holdfast/entitlements", "github.com/go-chi", "github.com/go-json-experiment/json", "github.com/google/uuid",
		"github.com/prometheus/client_golang", "github.com/standard-webhooks/standard-webhooks/libraries/go", "github.com/swaggest/swgui", "github.com/vearutop/statigz",
		"go.opentelemetry.io/otel",
	}, mayNot: []string{"database/sql"}},
	"api/stripe": { // the only user of Stripe's library
		may:    []string{"holdfast/entitlements/billing", "github.com/stripe/stripe-go/v85", "github.com/go-json-experiment/json"},
		mayNot: []string{"database/sql"},
	},
	"web":             {mayNot: []string{"net/http", "database/sql"}},
	"web/examples/go": {may: []string{"holdfast/entitlements/host"}, mayNot: []string{"database/sql"}}, // as a program of others
	"cmd/holdfast":    {may: []string{"holdfast/", "github.com/alecthomas/kong", "golang.org/x/sync/errgroup", "golang.org/x/net/netutil", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel"}, mayNot: []string{"testing", "database/sql"}},
}

// TestImports enforces the program's architecture. The end-to-end tests import nothing of it: they see a binary.
func TestImports(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && name != "..") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(folder)
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rule, known := imports[pkg]
		endToEnd := pkg == "e2e" || strings.HasPrefix(pkg, "e2e/")
		switch {
		case endToEnd:
		case !known:
			t.Errorf("%s: no rule says what package %s may import", path, pkg)
			return nil
		case strings.HasSuffix(name, "_test.go"):
			return nil
		}
		seen++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".") && first != "holdfast"
			fits := func(prefix string) bool {
				return imported == prefix || strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/")
			}
			switch {
			case endToEnd && first == "holdfast" && !fits("holdfast/e2e") && pkg != "e2e/guarded", // a host's own program
				!endToEnd && standard && slices.ContainsFunc(rule.mayNot, fits),
				!endToEnd && !standard && !slices.ContainsFunc(rule.may, fits):
				t.Errorf("%s imports %s", path, imported)
			}
		}
		return nil
	})
	must(t, err)
	if seen < 20 {
		t.Errorf("only %d files seen", seen)
	}
}
