package e2e

import (
	"context"
	"database/sql"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"holdfast/e2e/support"
)

// environment is what .env would hold.
var environment = map[string]string{
	"HOLDFAST_HOST":     "notes.example.org",
	"POSTGRES_PASSWORD": "postgres-password",
	"OWNER_PASSWORD":    "owner-password",
	"RUNTIME_PASSWORD":  "runtime-password",
}

func loadCompose(ctx context.Context, environment map[string]string) (*types.Project, error) {
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  "..",
		ConfigFiles: []types.ConfigFile{{Filename: "../compose.yaml"}},
		Environment: maps.Clone(environment), // the loader adds to it
	}, loader.WithProfiles([]string{"setup", "retention", "backup"}))
}

// TestCompose checks that compose.yaml keeps the promises of SECURITY.md.
func TestCompose(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(t.Context(), environment)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("every secret must be given", func(t *testing.T) {
		// Compose uses POSTGRES_PASSWORD only as a secret, so it refuses a missing one at start, but not while loading.
		for _, name := range []string{"HOLDFAST_HOST", "OWNER_PASSWORD", "RUNTIME_PASSWORD"} {
			short := maps.Clone(environment)
			delete(short, name)
			if _, err := loadCompose(t.Context(), short); err == nil {
				t.Errorf("it loads without %s", name)
			}
		}
	})

	t.Run("only Caddy is published", func(t *testing.T) {
		for name, service := range project.Services {
			if len(service.Ports) > 0 && name != "caddy" {
				t.Errorf("%s publishes %v", name, service.Ports)
			}
			if service.NetworkMode == "host" {
				t.Errorf("%s is on the host's network", name)
			}
		}
		if !project.Networks["database"].Internal {
			t.Error("the database's network reaches the outside")
		}
		for name, service := range project.Services {
			if _, on := service.Networks["database"]; on && !slices.Contains([]string{"postgres", "migrate", "server", "audit", "backup", "restore"}, name) {
				t.Errorf("%s reaches the database", name)
			}
		}
		if len(project.Services["postgres"].Networks) != 1 {
			t.Error("PostgreSQL is on more than its own network")
		}
	})

	t.Run("everything is confined", func(t *testing.T) {
		for name, service := range project.Services {
			if !slices.Equal(service.CapDrop, []string{"ALL"}) {
				t.Errorf("%s keeps capabilities: cap_drop %v", name, service.CapDrop)
			}
			if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
				t.Errorf("%s may gain privileges", name)
			}
			if service.Privileged || len(service.Devices) > 0 {
				t.Errorf("%s is privileged", name)
			}
			for _, volume := range service.Volumes {
				if volume.Type != types.VolumeTypeVolume {
					t.Errorf("%s mounts %s of the host", name, volume.Source)
				}
			}
		}
		for _, name := range []string{"server", "migrate", "keys", "audit", "backup", "restore"} {
			service := project.Services[name]
			if !service.ReadOnly || service.User != "65532:65532" || len(service.CapAdd) > 0 {
				t.Errorf("%s: read-only %v, user %q, capabilities %v", name, service.ReadOnly, service.User, service.CapAdd)
			}
			if len(service.Configs) > 0 || len(service.Secrets) > 0 {
				t.Errorf("%s: Compose cannot copy inline files into a read-only container", name)
			}
		}
		for _, name := range []string{"server", "backup"} {
			for _, volume := range project.Services[name].Volumes {
				if !volume.ReadOnly && volume.Target != "/spool" {
					t.Errorf("%s can write to %s", name, volume.Target)
				}
			}
		}
	})

	t.Run("one role each", func(t *testing.T) {
		for name, role := range map[string]string{
			"server": "holdfast_runtime", "migrate": "holdfast_owner", "audit": "holdfast_owner",
			"backup": "holdfast_owner", "restore": "holdfast_owner",
		} {
			service := project.Services[name]
			address, err := url.Parse(*service.Environment["HOLDFAST_DATABASE_URL"])
			if err != nil {
				t.Fatal(err)
			}
			if address.User.Username() != role {
				t.Errorf("%s connects as %s", name, address.User.Username())
			}
			own := map[string]string{"holdfast_runtime": "runtime-password", "holdfast_owner": "owner-password"}[role]
			for variable, value := range service.Environment {
				for _, secret := range []string{"postgres-password", "owner-password", "runtime-password"} {
					if value != nil && secret != own && strings.Contains(*value, secret) {
						t.Errorf("%s is told %s in %s", name, secret, variable)
					}
				}
			}
		}
		var secrets []string
		for _, secret := range project.Services["postgres"].Secrets {
			secrets = append(secrets, secret.Source)
		}
		slices.Sort(secrets)
		if !slices.Equal(secrets, []string{"owner_password", "postgres_password", "runtime_password"}) {
			t.Errorf("PostgreSQL is given %v", secrets)
		}
	})

	t.Run("further settings reach the server, and nobody else", func(t *testing.T) {
		dir := t.TempDir()
		text, err := os.ReadFile("../compose.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{
			"compose.yaml": string(text),
			"holdfast.env": "HOLDFAST_HELP_URL=mailto:help@example.org\nHOLDFAST_STRIPE_PRICE=price_1=premium\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
			WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}}, Environment: maps.Clone(environment),
		}, loader.WithProfiles([]string{"setup", "retention", "backup"}))
		if err != nil {
			t.Fatal(err)
		}
		for name, service := range project.Services {
			for variable, want := range map[string]string{"HOLDFAST_HELP_URL": "mailto:help@example.org", "HOLDFAST_STRIPE_PRICE": "price_1=premium"} {
				value, given := service.Environment[variable]
				if given != (name == "server") || given && *value != want {
					t.Errorf("%s is told %s: %v", name, variable, given)
				}
			}
		}
	})

	t.Run("pg_dump is of the database's version", func(t *testing.T) {
		dockerfile, err := os.ReadFile("../Dockerfile")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"backup", "restore"} {
			if target := project.Services[name].Build.Target; target != "backup" {
				t.Errorf("%s is built up to %q", name, target)
			}
		}
		if image := project.Services["postgres"].Image; !strings.Contains(string(dockerfile), "\nFROM "+image+" AS backup\n") {
			t.Errorf("the database is %s, backups are not made with its programs", image)
		}
	})

	t.Run("in order", func(t *testing.T) {
		server := project.Services["server"]
		for on, condition := range map[string]string{
			"postgres": types.ServiceConditionHealthy,
			"migrate":  types.ServiceConditionCompletedSuccessfully,
		} {
			if got := server.DependsOn[on].Condition; got != condition {
				t.Errorf("the server waits for %s until %q", on, got)
			}
		}
		for _, name := range []string{"postgres", "caddy"} {
			if check := project.Services[name].HealthCheck; check == nil || len(check.Test) == 0 {
				t.Errorf("%s has no health check", name)
			}
		}
		if got := *server.Environment["HOLDFAST_ORIGIN"]; got != "https://notes.example.org" {
			t.Errorf("origin %q", got)
		}
		trusted := *server.Environment["HOLDFAST_TRUSTED_PROXIES"]
		if edge := project.Networks["edge"].Ipam.Config[0].Subnet; trusted != edge {
			t.Errorf("the server trusts %s, Caddy is in %s", trusted, edge)
		}
	})
}

// lend starts a private cluster for shared use of its PostgreSQL, and returns its address as the superuser. That user is
// the owner there, so the owner in compose.yaml gets another name.
func lend(t *testing.T) *url.URL {
	t.Helper()
	lender := support.NewServer(t, binary)
	if err := lender.Start(); err != nil {
		t.Fatal(err)
	}
	cluster, err := support.FindCluster(lender.Data)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(cluster.URL("holdfast_owner"))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// The script that compose.yaml gives to PostgreSQL creates sufficient roles: the owner, who is not a superuser,
// migrates; the server runs as the runtime role, which can change neither the schema nor the audit trail.
func TestComposeRoles(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	project, err := loadCompose(ctx, environment)
	if err != nil {
		t.Fatal(err)
	}
	superuser := lend(t)
	address := func(role string) string {
		to := *superuser
		to.User, to.Path = url.User(role), "/composed"
		return to.String()
	}
	execute(ctx, t, superuser.String(), "CREATE DATABASE composed")

	passwords := support.Folder(t)
	for name, value := range map[string]string{"owner": "owner-password", "runtime": "runtime-password"} {
		if err := os.WriteFile(filepath.Join(passwords, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.ReplaceAll(project.Configs["roles"].Content, "holdfast_owner", "composed_owner")
	for range 2 { // it may run again
		bash := exec.CommandContext(ctx, "bash")
		bash.Stdin = strings.NewReader(script)
		bash.Env = append(os.Environ(),
			"PGHOST="+superuser.Query().Get("host"), "PGPORT="+superuser.Query().Get("port"),
			"POSTGRES_USER=holdfast_owner", "POSTGRES_DB=composed",
			"OWNER_PASSWORD_FILE="+filepath.Join(passwords, "owner"), "RUNTIME_PASSWORD_FILE="+filepath.Join(passwords, "runtime"))
		if out, err := bash.CombinedOutput(); err != nil {
			t.Fatalf("the script: %v\n%s", err, out)
		}
	}

	composed := support.NewServer(t, binary)
	composed.DatabaseURL = address("holdfast_runtime")
	for command, setting := range map[string]string{
		"migrate":   "HOLDFAST_DATABASE_URL=" + address("composed_owner"),
		"keys init": "HOLDFAST_ORIGIN=" + composed.Origin,
	} {
		once := exec.CommandContext(ctx, binary, strings.Fields(command)...)
		once.Env = append(os.Environ(), setting, "HOLDFAST_DATA="+composed.Data)
		if out, err := once.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if err := composed.Start(); err != nil {
		t.Fatal(err)
	}
	client := composed.Client()
	if _, _, err := client.Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Trial(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(ctx, http.MethodGet, "/admin/v1/audit", nil, nil, support.Bearer(support.AdminToken)); err != nil {
		t.Error(err)
	}

	db, err := sql.Open("postgres", address("holdfast_runtime"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"CREATE TABLE mine (id int)",
		"ALTER TABLE users ADD COLUMN extra int",
		"DROP TABLE audit",
		"TRUNCATE audit",
		"UPDATE audit SET actor = 'someone else'",
		"DELETE FROM audit",
		"UPDATE secrets SET value = ''",
		"DELETE FROM goose_db_version",
		"CREATE ROLE mine",
		"SET ROLE composed_owner",
	} {
		if _, err := db.ExecContext(ctx, statement); err == nil {
			t.Errorf("the runtime role can: %s", statement)
		}
	}
}

func execute(ctx context.Context, t *testing.T, address, statement string) {
	t.Helper()
	db, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
