package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
	"holdfast/entitlements/statuslist"
)

// vectorFile is a file of test vectors. The command can follow only some: it remembers no marks, and expects nothing of a
// document beyond its own claims.
type vectorFile struct {
	Roots   map[string]json.RawMessage
	Keysets map[string]string
	Cases   []struct {
		Name, Kind, Input, Issuer, Roots, Keyset, Code string
		Now                                            int64
		Expect                                         json.RawMessage
		Marks                                          []json.RawMessage
	}
}

func readVectors(path string) (file vectorFile, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return file, err
	}
	return file, json.Unmarshal(text, &file)
}

// vectorPaths returns the paths of the files.
func vectorPaths(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../entitlements/testdata/vectors/*.json")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%v, %v", paths, err)
	}
	return paths
}

// vector writes a test vector into files of a script: vector FILE NAME.
func vector(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: vector FILE NAME")
	}
	file, err := readVectors(filepath.Join("../../entitlements/testdata/vectors", args[0]+".json"))
	ts.Check(err)
	for _, v := range file.Cases {
		if v.Name != args[1] {
			continue
		}
		ts.Check(os.WriteFile(ts.MkAbs("input.jws"), []byte(v.Input+"\n"), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("roots.json"), file.Roots[v.Roots], 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("keyset.jws"), []byte(file.Keysets[v.Keyset]+"\n"), 0o600))
		ts.Setenv("AT", instant(v.Now))
		return
	}
	ts.Fatalf("no vector %q in %s", args[1], args[0])
}

func instant(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format(time.RFC3339Nano)
}

// TestVerifyVectors runs the command on every vector that it can follow. It accepts and refuses the same as every verifier,
// and either prints a report or fails with the code and prints nothing.
func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	// An expired keyset stops the command before it checks the document.
	keysetFirst := []string{"time: the key's time before the keyset's end"}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	seen := 0
	for _, vectors := range vectorPaths(t) {
		file, err := readVectors(vectors)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range file.Cases {
			head, _ := peek(v.Input)
			another := v.Kind == "keyset" && head.Type != typeKeyset ||
				v.Kind == "document" && slices.Contains([]string{typePasskeys, typeStatusList, typeKeyset}, head.Type)
			if v.Expect != nil || v.Marks != nil || another || strings.TrimSpace(v.Input) != v.Input || slices.Contains(keysetFirst, v.Name) {
				continue
			}
			seen++
			for name, content := range map[string][]byte{"input": []byte(v.Input), "roots": file.Roots[v.Roots], "keyset": []byte(file.Keysets[v.Keyset])} {
				if err := os.WriteFile(path(name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			err := verifyCommand{
				File: path("input"), Roots: path("roots"), Keyset: path("keyset"), Origin: v.Issuer, At: time.UnixMilli(v.Now),
			}.Run(t.Context(), console{nil, &out, nil})
			reason := reasons[entitlements.VerificationError(v.Code)]
			good := err == nil && strings.HasPrefix(out.String(), "Valid at ")
			bad := err != nil && out.Len() == 0 && reason != "" && strings.HasSuffix(err.Error(), ": "+v.Code+": "+reason)
			if v.Code == "" && !good || v.Code != "" && !bad {
				t.Errorf("%s: %v, want %q: %s", v.Name, err, v.Code, &out)
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d vectors", seen)
	}
}

// TestVerifyKinds verifies the other kinds of messages that a signing key signs.
func TestVerifyKinds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	keys, err := makeKeys(dir, origin, "", time.Unix(1_772_280_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	const now = 1_772_366_400 // 2026-03-01T12:00:00Z
	list := statuslist.New(8)
	for index, status := range []statuslist.Status{statuslist.Invalid, statuslist.Suspended, statuslist.Invalid, 3} {
		if err := list.Set(index, status); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		typ    string
		claims any
		want   []string
	}{
		"passkeys": {typePasskeys, entitlements.PasskeysDocument{
			Issuer: origin, Audience: origin, Subject: "user", Device: "device", IssuedAt: now, ExpiresAt: now + 7200, RPID: "example.org",
			Passkeys: []entitlements.OfflinePasskey{{ID: "one", JWK: []byte(`{"kty":"EC"}`)}, {ID: "two\x1b[2J", JWK: []byte(`{"kty":"RSA"}`)}},
		}, []string{
			"Valid at 2026-03-01T12:00:00Z: a passkeys document of " + origin + ".\n",
			"\n  signing key  " + keys.Signing[0].ID() + "\n               signs from 2026-02-28T12:00:00Z (24 hours ago)\n",
			"\n  document     issued 2026-03-01T12:00:00Z (now)\n               ends 2026-03-01T14:00:00Z (in 2 hours)\n  device       device\n",
			"\n  RP ID     example.org\n  passkeys  one, \"two\\x1b[2J\"\n",
		}},
		"a status list": {typeStatusList, map[string]any{
			"sub": origin + "/v1/status-lists/0", "iat": now - 1, "exp": now + 1, "ttl": 10, "status_list": list.Encode(),
		}, []string{
			"a status list of " + origin + ".\n",
			"\n  status list  " + origin + "/v1/status-lists/0\n               signed 2026-03-01T11:59:59Z (1 second ago)\n               ends 2026-03-01T12:00:01Z (in 1 second)\n",
			"\n  entries    8\n  valid      4\n  invalid    2\n  suspended  1\n  status 3   1\n",
		}},
	} {
		text, err := jose.Sign(keys.Signing[0], test.typ, test.claims)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(args ...string) (code int, out, errs string) {
			var o, e bytes.Buffer
			code = execute(t.Context(), append([]string{"verify", "-", "--keys", dir, "--at"}, args...), console{strings.NewReader(text), &o, &e})
			return code, o.String(), e.String()
		}
		code, out, errs := verify(instant(now * 1000))
		if code != 0 || errs != "" {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: want %q:\n%s", name, want, out)
			}
		}
		if code, _, errs := verify(instant((now + 7200) * 1000)); code != 1 || errs != "holdfast: standard input: expired: its end has come\n" {
			t.Errorf("%s, at its end: exit code %d: %s", name, code, errs)
		}
		if code, _, errs := verify(instant(now*1000), "--status"); code != 1 || !strings.Contains(errs, "--status is for entitlement documents") {
			t.Errorf("%s, with --status: exit code %d: %s", name, code, errs)
		}
	}
}
