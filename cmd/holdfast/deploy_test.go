package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"

	"holdfast/sql"
)

// deployed is the folder of examples for operators.
const deployed = "deploy"

// expressions returns the queries of the alert rules and of the dashboard.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	var rules struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	text, err := os.ReadFile(filepath.Join(deployed, "alerts.yaml"))
	must(t, err)
	must(t, yaml.Unmarshal(text, &rules))
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all = append(all, rule.Expr)
		}
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	text, err = os.ReadFile(filepath.Join(deployed, "dashboard.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &dashboard))
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return all
}

// TestAlertsAndDashboardUseMetricsThatExist checks each name against a running server's metrics, and that the dashboard shows
// what the guide lists.
func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	s := serve(t, configure(t, "--data", filepath.Join(folder(t), "data"), "--admin-token", bootstrapToken))
	ask(t, "GET", s.origin+"/admin/v1/session", bootstrapToken, "")
	_, metrics := ask(t, "GET", s.ops+"/metrics", "", "")
	// Series with labels appear with their first event.
	later := []string{"holdfast_reconciles_total", "holdfast_billing_events_total", "holdfast_ceremonies_total", "holdfast_refusals_total"}
	guide, err := os.ReadFile("README.md")
	must(t, err)
	used := expressions(t)
	if len(used) < 30 {
		t.Fatalf("%d expressions", len(used))
	}
	for _, expression := range used {
		for _, name := range regexp.MustCompile(`\b(holdfast|process|go)_[a-z_]+`).FindAllString(expression, -1) {
			if !strings.Contains(metrics, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ") && !slices.Contains(later, name) {
				t.Errorf("there is no metric %s: %s", name, expression)
			}
		}
	}
	for _, name := range later {
		if !bytes.Contains(guide, []byte("`"+name+"`")) {
			t.Errorf("the guide does not explain %s", name)
		}
	}
}

// TestDeployedSettingsExist checks that every environment variable in the examples is one of the program.
func TestDeployedSettingsExist(t *testing.T) {
	t.Parallel()
	var all commands
	parser, err := kong.New(&all, mappers...)
	must(t, err)
	var known []string
	for _, command := range parser.Model.Leaves(true) {
		for _, flag := range command.AllFlags(true) {
			for _, each := range flag {
				known = append(known, each.Envs...)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(deployed, "*"))
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, name := range regexp.MustCompile(`HOLDFAST_[A-Z_]*[A-Z]`).FindAllString(string(text), -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: the program has no %s", file, name)
			}
		}
	}
}

// TestReferenceHasEveryFlag checks the guide's reference against the program, both ways: each flag of serve has a row, and each
// other command has one with the flags that serve lacks.
func TestReferenceHasEveryFlag(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	must(t, err)
	_, reference, _ := strings.Cut(string(text), "\n## Flags and commands\n")
	reference, _, _ = strings.Cut(reference, "\n## ")
	var rows []string // a flag of serve, or a command and its flags
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-][^|]*)").FindAllStringSubmatch(reference, -1) {
		rows = append(rows, strings.TrimSpace(strings.ReplaceAll(row[1], "`", "")))
	}
	var all commands
	parser, err := kong.New(&all, mappers...)
	must(t, err)
	flags := func(command *kong.Node) (names []string) {
		for _, group := range command.AllFlags(true) {
			for _, flag := range group {
				if flag.Name != "help" {
					names = append(names, "--"+flag.Name)
				}
			}
		}
		return names
	}
	var want, serve []string
	for _, command := range parser.Model.Leaves(true) {
		switch command.Name {
		case "help":
		case "serve":
			serve = flags(command)
			want = append(want, serve...)
		default:
			own := slices.DeleteFunc(flags(command), func(name string) bool { return slices.Contains(serve, name) })
			slices.Sort(own)
			want = append(want, strings.Join(append(strings.Fields(command.FullPath())[1:], own...), " "))
		}
	}
	for i, row := range rows {
		words := strings.Fields(row)
		if first := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "--") }); first > 0 {
			slices.Sort(words[first:])
		}
		rows[i] = strings.Join(words, " ")
	}
	slices.Sort(rows)
	slices.Sort(want)
	if missing, more := without(want, rows), without(rows, want); len(rows) != len(want) || len(missing)+len(more) > 0 {
		t.Errorf("the reference lacks %q, and has %q, which the program does not; %d rows for %d", missing, more, len(rows), len(want))
	}
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(each string) bool { return slices.Contains(b, each) })
}

// TestKubernetesManifest checks that the manifest is YAML, that its probes ask ports that its containers have, and that the
// keys that its first container copies are a folder that the server takes.
func TestKubernetesManifest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(deployed, "kubernetes.yaml"))
	must(t, err)
	type object struct {
		Kind string
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []struct{ Command []string } `yaml:"initContainers"`
					Containers     []struct {
						Ports          []struct{ Name string }
						ReadinessProbe probe `yaml:"readinessProbe"`
						LivenessProbe  probe `yaml:"livenessProbe"`
					}
				}
			}
		}
	}
	var kinds []string
	var deployment object
	for reader := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var next object
		if err := reader.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if kinds = append(kinds, next.Kind); next.Kind == "Deployment" {
			deployment = next
		}
	}
	if !slices.Equal(kinds, []string{"Deployment", "Service", "PodDisruptionBudget", "Job"}) {
		t.Fatalf("kinds %q", kinds)
	}
	pod := deployment.Spec.Template.Spec
	server := pod.Containers[0]
	for path, probe := range map[string]probe{"/readyz": server.ReadinessProbe, "/healthz": server.LivenessProbe} {
		if probe.HTTPGet.Path != path || probe.HTTPGet.Port != server.Ports[1].Name {
			t.Errorf("%s: %+v", path, probe)
		}
	}

	dir := folder(t)
	keys, secret := filepath.Join(dir, "keys"), filepath.Join(dir, "secret")
	succeed(t, "keys", "init", "--origin", "https://app.example.org", "--keys", keys)
	must(t, os.Mkdir(secret, 0o750))
	for _, pattern := range []string{"roots.json", "keyset.jws", "signing/*"} { // as kubectl makes the Secret
		files, err := filepath.Glob(filepath.Join(keys, pattern))
		must(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(filepath.Join(secret, filepath.Base(file)), content, 0o640))
		}
	}
	copied := slices.Clone(pod.InitContainers[0].Command)
	copied[2] = strings.NewReplacer("/keys/", dir+"/pod/", "/secret/", secret+"/").Replace(copied[2])
	if out, err := exec.Command(copied[0], copied[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := serverKeys(filepath.Join(dir, "pod", "live"), "https://app.example.org", time.Now()); err != nil {
		t.Error(err)
	}
}

// TestHighAvailabilityFiles checks what the guide promises of the files that 'make test-ha' runs.
func TestHighAvailabilityFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(deployed, "patroni.yaml"))
	must(t, err)
	var patroni struct {
		Bootstrap struct {
			DCS struct {
				TTL       int
				LoopWait  int  `yaml:"loop_wait"`
				Retry     int  `yaml:"retry_timeout"`
				Mode      bool `yaml:"synchronous_mode"`
				Strict    bool `yaml:"synchronous_mode_strict"`
				Installed struct {
					Parameters struct {
						Connections int `yaml:"max_connections"`
					}
				} `yaml:"postgresql"`
			}
		}
	}
	must(t, yaml.Unmarshal(text, &patroni))
	if dcs := patroni.Bootstrap.DCS; !dcs.Mode || !dcs.Strict || dcs.TTL < dcs.LoopWait+2*dcs.Retry || dcs.Installed.Parameters.Connections < 2*(sql.DefaultConnections+1)+10 {
		t.Errorf("patroni.yaml: %+v", dcs)
	}
	for name, want := range map[string][]string{
		"haproxy-postgres.cfg": {"on-marked-down shutdown-sessions", "httpchk OPTIONS /primary"},
		"pgbouncer.ini":        {"\npool_mode = session\n", fmt.Sprintf("\ndefault_pool_size = %d\n", sql.DefaultConnections+1)},
	} {
		text, err := os.ReadFile(filepath.Join(deployed, name))
		must(t, err)
		for _, each := range want {
			if !bytes.Contains(text, []byte(each)) {
				t.Errorf("%s has no %q", name, each)
			}
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// TestDeployedFilesAreValid checks the examples with the programs that read them. They take a minute to install, so only
// 'make verify' does.
func TestDeployedFilesAreValid(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOLDFAST_DRILLS") != "full" {
		t.Skip("part of make verify")
	}
	dir := folder(t)
	certificate := filepath.Join(dir, "certificate.pem")
	run := func(program string, args ...string) {
		t.Helper()
		command := exec.Command(program, args...)
		command.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin", "HOME="+dir)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s %q: %v\n%s", program, args, err, out)
		}
	}
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=app.example.org",
		"-keyout", certificate, "-out", certificate+".crt")
	public, err := os.ReadFile(certificate + ".crt")
	must(t, err)
	private, err := os.ReadFile(certificate)
	must(t, err)
	must(t, os.WriteFile(certificate, append(public, private...), 0o600))
	// with returns a copy of a file with what only exists where it is deployed replaced.
	with := func(name string, replaced ...string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(deployed, name))
		must(t, err)
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(strings.NewReplacer(replaced...).Replace(string(text))), 0o600))
		return path
	}
	run("promtool", "check", "rules", filepath.Join(deployed, "alerts.yaml"))
	var queries strings.Builder
	queries.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, expression := range expressions(t) {
		quoted, err := json.Marshal(strings.ReplaceAll(expression, "$instance", ".*"))
		must(t, err)
		queries.WriteString("      - record: a:b:c\n        expr: " + string(quoted) + "\n")
	}
	must(t, os.WriteFile(filepath.Join(dir, "queries.yaml"), []byte(queries.String()), 0o600))
	run("promtool", "check", "rules", "--lint=none", filepath.Join(dir, "queries.yaml"))
	run("caddy", "validate", "--adapter", "caddyfile", "--config", filepath.Join(deployed, "Caddyfile"))
	run("/usr/sbin/haproxy", "-c", "-f", with("haproxy.cfg", "/etc/ssl/app.example.org.pem", certificate))
	run("/usr/sbin/haproxy", "-c", "-f", with("haproxy-postgres.cfg"))
	run("/usr/sbin/nginx", "-t", "-g", "pid "+dir+"/nginx.pid;", "-e", "stderr", "-c",
		with("nginx.conf", "/etc/ssl/app.example.org.pem", certificate, "/etc/ssl/app.example.org.key", certificate))
	program, err := exec.LookPath("holdfast")
	must(t, err)
	run("systemd-analyze", "verify", with("holdfast.service", "/usr/local/bin/holdfast", program, "User=holdfast", "User=nobody"))
}
