package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"holdfast/e2e/support"
)

// page is the operator documentation; the tests below follow it.
const page = "../cmd/holdfast/README.md"

// commands are the blocks of commands of one section of the page, in order.
func commands(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+section+"\n")
	if !found {
		t.Fatalf("the page has no section %q", section)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(after, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// desk is an operator's environment: a folder, and programs that take precedence on the path.
type desk struct {
	t        *testing.T
	dir      string
	programs string
	settings []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: support.Folder(t), programs: filepath.Join(support.Folder(t), "bin")}
	if err := os.Mkdir(d.programs, 0o755); err != nil {
		t.Fatal(err)
	}
	// The test starts the server itself, to know when it is ready.
	d.program("holdfast", `case "$1" in serve) ;; *) exec `+binary+` "$@" ;; esac`)
	return d
}

// program replaces a program with a script.
func (d *desk) program(name, script string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.programs, name), []byte("#!/bin/bash\nset -euo pipefail\n"+script+"\n"), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// types runs a block of commands as the operator, and returns their output.
func (d *desk) types(block string) string {
	d.t.Helper()
	shell := exec.CommandContext(d.t.Context(), "bash", "-euo", "pipefail", "-c", block)
	shell.Dir = d.dir
	shell.Env = append(os.Environ(), "PATH="+d.programs+":"+os.Getenv("PATH"))
	shell.Env = append(shell.Env, d.settings...)
	out, err := shell.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s\n%v\n%s", block, err, out)
	}
	return string(out)
}

// checkServed starts a server on the operator's result, and looks for Ada there.
func checkServed(t *testing.T, server *support.Server, after string) {
	t.Helper()
	if err := server.Start(); err != nil {
		t.Fatalf("after %s: %v", after, err)
	}
	if got := usersCalledAda(t, server); got != 1 {
		t.Fatalf("after %s there are %d users called Ada", after, got)
	}
}

func usersCalledAda(t *testing.T, server *support.Server) int {
	t.Helper()
	var found struct {
		Users []struct{} `json:"users"`
	}
	_, err := server.Client().Do(t.Context(), http.MethodGet, "/admin/v1/users?q=Ada", nil, &found, support.Bearer(support.AdminToken))
	if err != nil {
		t.Fatal(err)
	}
	return len(found.Users)
}

// The bare program: backup, drill, restore, update, and the move to another version of PostgreSQL.
func TestOperationsPageWithProgram(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	server := support.NewServer(t, binary)
	server.Data = filepath.Join(d.dir, ".holdfast")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.Client().Register(t.Context(), "Ada"); err != nil {
		t.Fatal(err)
	}

	if said := d.types(commands(t, "Start")[2]); !strings.Contains(said, server.Origin+"/support#invite=") {
		t.Errorf("the first staff member gets no link: %s", said)
	}
	back := commands(t, "Back up")
	d.types(back[1]) // while it serves
	d.types(back[2])
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	d.types("mv holdfast-*.tar holdfast.tar")
	restore := commands(t, "Restore")
	d.types(restore[2])
	checkServed(t, server, "the restore")

	d.types(commands(t, "Update")[1])
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	d.types("rm before.tar")
	d.types(commands(t, "Another version of PostgreSQL")[1])
	checkServed(t, server, "the move to another version")
}

// composed does the work of Docker with compose.yaml: each service is the program with the service's own command and
// settings, on a folder in place of its volume and a database in place of PostgreSQL's. A new volume is an empty
// database with the roles of the script in compose.yaml.
const composed = `
say() { echo "docker: $*" >&2; }
database() { if grep -q '"database18:' compose.yaml; then echo composed18; else echo composed; fi; }
start_postgres() {
  if [ -z "$(psql --no-psqlrc -qtA -d holdfast -c "SELECT 1 FROM pg_database WHERE datname = '$(database)'")" ]; then
    psql --no-psqlrc -q -d holdfast -c "CREATE DATABASE $(database)"
    POSTGRES_USER=holdfast_owner POSTGRES_DB="$(database)" bash "$DOCKER/roles.sh"
  fi
}
run() {
  service=$1; shift
  [ -f "$DOCKER/$service.command" ] || { say "no service $service"; exit 1; }
  [ $# -gt 0 ] || mapfile -t command <"$DOCKER/$service.command"
  [ $# -eq 0 ] || command=("$@")
  variables=(HOLDFAST_DATA="$DOCKER/volume")
  while IFS= read -r variable; do variables+=("$variable"); done <"$DOCKER/$service.settings"
  if [ -f "$DOCKER/$service.role" ]; then
    start_postgres
    variables+=(HOLDFAST_DATABASE_URL="postgres://$(cat "$DOCKER/$service.role")@/$(database)?host=$PGHOST&port=$PGPORT&sslmode=disable")
  fi
  env "${variables[@]}" "$HOLDFAST" "${command[@]}"
}
case "$1 $2" in
"compose run")
  shift 2
  program=
  while [[ "$1" = -* ]]; do
    case "$1" in --rm | --build | -T) ;; --entrypoint) program=$2; shift ;; *) say "no flag $1"; exit 1 ;; esac
    shift
  done
  if [ -n "$program" ]; then shift; "$program" "${@/#\/var\/lib\/holdfast/$DOCKER/volume}"; else run "$@"; fi ;;
"compose cp") cp -p "${3/#server:\/var\/lib\/holdfast/$DOCKER/volume}" "$4" ;;
"compose up") run migrate ;;
"compose down") ;;
"volume rm")
  shift 2
  for volume; do
    case "$volume" in
    holdfast_database) psql --no-psqlrc -q -d holdfast -c "DROP DATABASE composed" ;;
    holdfast_holdfast) rm -r "$DOCKER/volume" ;;
    *) say "no volume $volume"; exit 1 ;;
    esac
  done ;;
*) say "no command $*"; exit 1 ;;
esac`

// The same with compose.yaml, as far as possible without a container engine.
func TestOperationsPageWithCompose(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	project, err := loadCompose(ctx, environment)
	if err != nil {
		t.Fatal(err)
	}
	superuser := lend(t)
	server := support.NewServer(t, binary)
	docker := support.Folder(t)
	volume := filepath.Join(docker, "volume")
	server.Data = volume
	use := func(database string) {
		to := *superuser
		to.User, to.Path = url.User("holdfast_runtime"), "/"+database
		server.DatabaseURL = to.String()
	}
	use("composed")

	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(docker, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The superuser of the lent PostgreSQL has the name that the owner has in compose.yaml.
	write("roles.sh", strings.ReplaceAll(project.Configs["roles"].Content, "holdfast_owner", "composed_owner"))
	write("owner", "owner-password\n")
	write("runtime", "runtime-password\n")
	for name, service := range project.Services {
		if !strings.HasPrefix(service.Image, "holdfast") {
			continue
		}
		write(name+".command", strings.Join(service.Command, "\n")+"\n")
		settings := ""
		for variable, value := range service.Environment {
			switch variable {
			case "HOLDFAST_DATABASE_URL":
				address, err := url.Parse(*value)
				if err != nil {
					t.Fatal(err)
				}
				write(name+".role", strings.ReplaceAll(address.User.Username(), "holdfast_owner", "composed_owner"))
			case "HOLDFAST_ORIGIN":
				settings += "HOLDFAST_ORIGIN=" + server.Origin + "\n"
			default:
				settings += variable + "=" + *value + "\n"
			}
		}
		write(name+".settings", settings)
	}
	d := newDesk(t)
	d.settings = []string{
		"DOCKER=" + docker, "HOLDFAST=" + binary, "PGHOST=" + superuser.Query().Get("host"), "PGPORT=" + superuser.Query().Get("port"),
		"PGUSER=holdfast_owner", "OWNER_PASSWORD_FILE=" + filepath.Join(docker, "owner"), "RUNTIME_PASSWORD_FILE=" + filepath.Join(docker, "runtime"),
	}
	d.program("docker", composed)
	d.program("git", `[ "$*" = pull ]`)
	for _, name := range []string{"compose.yaml", "Dockerfile"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if said := d.types(commands(t, "Start")[0]); !strings.Contains(said, server.Origin+"/support#invite=") {
		t.Errorf("the first staff member gets no link: %s", said)
	}
	d.types(commands(t, "Start")[1])
	for path, want := range map[string]bool{filepath.Join(d.dir, "root.jwk"): true, filepath.Join(volume, "keys", "root.jwk"): false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v", path, err == nil)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.Client().Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	if said := d.types(commands(t, "Back up")[0]); !strings.Contains(said, "No root's private key is in it") { // while it serves
		t.Errorf("the backup says: %s", said)
	}
	d.types(commands(t, "Update")[0])
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	d.types("mv holdfast-*.tar holdfast.tar; [ \"$(stat -c %a holdfast.tar)\" = 600 ]")
	restore := commands(t, "Restore")
	d.types("docker volume rm holdfast_database holdfast_holdfast") // which makes it a new machine
	d.types(restore[0])
	checkServed(t, server, "a restore on a new machine")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	d.types(restore[1])
	checkServed(t, server, "a restore beside the keys")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	d.types("rm before.tar")
	d.types(commands(t, "Another version of PostgreSQL")[0])
	use("composed18")
	checkServed(t, server, "the move to another version")
	changed, err := loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir: d.dir, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(d.dir, "compose.yaml")}}, Environment: maps.Clone(environment),
	}, loader.WithProfiles([]string{"backup"}))
	if err != nil {
		t.Fatal(err)
	}
	postgres := changed.Services["postgres"]
	if postgres.Image != "postgres:18-bookworm" || len(postgres.Volumes) != 1 || postgres.Volumes[0].Source != "database18" ||
		postgres.Volumes[0].Target != "/var/lib/postgresql" || !changed.Networks["database"].Internal {
		t.Errorf("after the move: %s with %v", postgres.Image, postgres.Volumes)
	}
	if _, old := changed.Volumes["database"]; old {
		t.Error("after the move, the old volume is still there")
	}
	d.types("grep -q '^FROM postgres:18-bookworm AS backup$' Dockerfile")
}

// Every metric that the page names exists, with the labels of its alerts.
func TestDocumentedMetricsExist(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := support.NewServer(t, binary)
	server.Settings = []string{"HOLDFAST_BILLING_WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	if _, _, err := client.Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	device, err := support.NewDevice()
	if err != nil {
		t.Fatal(err)
	}
	if err := device.Link(ctx, client, "laptop"); err != nil {
		t.Fatal(err)
	}
	if _, err := device.Reconcile(ctx, client); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(ctx, http.MethodPost, "/v1/billing/webhook", struct{}{}, nil, nil); err == nil {
		t.Fatal("a webhook without a signature is taken")
	}
	metrics, err := server.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, watched, _ := strings.Cut(string(text), "\n## What to watch\n")
	for _, other := range []string{"../README.md", "../api/README.md"} {
		text, err := os.ReadFile(other)
		if err != nil {
			t.Fatal(err)
		}
		watched += string(text)
	}
	names := regexp.MustCompile(`\b(holdfast_(http|keyset|reconciles|billing|webhook|event)[a-z_]*|process_[a-z_]+|go_[a-z]+)\b`).
		FindAllString(watched, -1)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 12 {
		t.Errorf("the page names %q alone", names)
	}
	for _, name := range names {
		// A histogram is several series under one name.
		if !strings.Contains(metrics, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ") {
			t.Errorf("there is no metric %s", name)
		}
	}
	for name, labels := range map[string]string{
		"holdfast_http_requests_total":                  `method="POST",route="/v1/reconcile",status="2xx"`,
		"holdfast_http_request_duration_seconds_bucket": `method="POST",route="/v1/reconcile",le="1"`,
		"holdfast_reconciles_total":                     `outcome="ok"`,
		"holdfast_webhooks":                             `state="dead"`,
		"holdfast_webhook_attempts_total":               `outcome="failed"`,
	} {
		if !strings.Contains(metrics, fmt.Sprintf("\n%s{%s} ", name, labels)) {
			t.Errorf("there is no %s{%s}", name, labels)
		}
	}
	if !regexp.MustCompile(`\nholdfast_billing_events_total\{outcome="[a-z_]+",source="[a-z]+"\} 1`).MatchString(metrics) {
		t.Error("a refused event of billing is not counted")
	}
}
