package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/entitlements"
	"holdfast/sql/local"
	"holdfast/sql/sqltest"
)

// TestDoctor checks that the doctor finds staged troubles, each with what to do, and nothing else.
func TestDoctor(t *testing.T) {
	t.Parallel()
	primary := sqltest.NewNode(t)
	free, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	must(t, free.Close())
	_, port, err := net.SplitHostPort(free.Addr().String())
	must(t, err)
	origin, data := "http://localhost:"+port, filepath.Join(folder(t), "data")
	succeed(t, "keys", "init", "--origin", origin, "--data", data)
	config := configure(t, "--database-url", primary.URL(local.Runtime), "--listen", "localhost:"+port, "--origin", origin, "--data", data)
	s := serve(t, config)
	config.OpsListen = strings.TrimPrefix(s.ops, "http://")
	diagnose := func(config Config) (map[string]finding, error) {
		t.Helper()
		var out, log bytes.Buffer
		err := doctorCommand{config, true}.Run(t.Context(), console{out: &out, err: &log})
		var report struct{ Findings []finding }
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		found := map[string]finding{}
		for _, f := range report.Findings {
			found[f.Check] = f
			if f.Found == "" || (f.State == "ok") != (f.Do == "") {
				t.Errorf("says not what to do: %+v", f)
			}
		}
		return found, err
	}
	expect := func(what string, config Config, code exitCode, want map[string]string) map[string]finding {
		t.Helper()
		found, err := diagnose(config)
		got := exitCode(0)
		if errors.As(err, &got); got != code {
			t.Errorf("%s: %v, want exit code %d", what, err, code)
		}
		for check, f := range found {
			state := want[check]
			if state == "" {
				state = "ok"
			}
			if f.State != state {
				t.Errorf("%s: %+v, want %s", what, f, state)
			}
		}
		for check := range want {
			if found[check].Check == "" {
				t.Errorf("%s: no finding about %s", what, check)
			}
		}
		return found
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{"origin": "warning", "root": "warning", "disk": "failure"} // a test's server: of this machine, with its root, without fsync
		for check, state := range more {
			all[check] = state
		}
		return all
	}
	expect("well", config, 1, with(map[string]string{"server": "ok", "public": "ok", "keyset": "ok", "housekeeping": "ok", "commit": "ok", "clock": "ok", "standby": "ok"}))

	owner := config
	owner.DatabaseURL, owner.DatabasePool = primary.URL(local.Owner), 500
	owner.DatabaseListenURL = strings.Replace(primary.URL(local.Runtime), "/holdfast?", "/postgres?", 1)
	expect("owner, pool and listen", owner, 1, with(map[string]string{"role": "warning", "connections": "warning", "listen": "failure"}))

	key, err := filepath.Glob(filepath.Join(config.keysDir(config.DataFolder), entitlements.SigningDir, "*.jwk"))
	if err != nil || len(key) == 0 {
		t.Fatal(err)
	}
	must(t, os.Chmod(key[0], 0o644))
	primary.Exec(t, `WITH ada AS (INSERT INTO users (id, name, created_at) VALUES (gen_random_uuid(), 'Ada', now()) RETURNING id)
		INSERT INTO passkeys (user_id, credential_id, rp_id, name, public_key, public_jwk, aaguid, sign_count, backup_eligible, backup_state, created_at)
		SELECT id, '\x01', 'old.example', 'Key', '', '{}', gen_random_uuid(), 0, false, false, now() FROM ada`)
	if found := expect("readable key, other relying party", config, 1, map[string]string{"origin": "warning", "disk": "failure", "keys": "failure", "rp id": "failure"}); !strings.Contains(found["keys"].Found, "chmod 600") {
		t.Errorf("%+v", found["keys"])
	}
	must(t, os.Chmod(key[0], 0o600))
	primary.Exec(t, `UPDATE schema_compatibility SET oldest = oldest + 1000`)
	if found := expect("contracted schema", config, 1, map[string]string{"origin": "warning", "root": "warning", "schema": "failure"}); !strings.Contains(found["schema"].Found, "run a newer program") {
		t.Errorf("%+v", found["schema"])
	}
	primary.Exec(t, `UPDATE schema_compatibility SET oldest = oldest - 1000`)

	s.stop(t)
	primary.Exec(t, `INSERT INTO spent (id, expires_at) VALUES (gen_random_uuid(), now() - interval '1 day')`)
	primary.Exec(t, `ALTER SYSTEM SET synchronous_standby_names = 'gone'`)
	primary.Exec(t, `SELECT pg_reload_conf()`)
	expect("stopped, without its standby", config, 1, with(map[string]string{
		"rp id": "failure", "server": "warning", "public": "warning", "standby": "failure", "commit": "failure", "housekeeping": "failure",
	}))
}

// TestDoctorWithoutDatabase checks that what cannot be examined is one finding, and that people read it as text.
func TestDoctorWithoutDatabase(t *testing.T) {
	t.Parallel()
	config := configure(t, "--database-url", "postgres:///holdfast?host="+t.TempDir(), "--keys", t.TempDir(), "--origin", "https://app.invalid", "--ops-listen", "127.0.0.1:1")
	var out bytes.Buffer
	err := doctorCommand{config, false}.Run(t.Context(), console{out: &out, err: &out})
	if !errors.Is(err, exitCode(1)) {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"failure  keys ", "failure  database ", "failure  public ", "warning  proxy ", "warning  server ", "→ start it, or name its --ops-listen"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q: %s", want, out.String())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
