package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestExportsOfOtherSystems runs the commands that the README names on exports as those systems document them.
func TestExportsOfOtherSystems(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{
		"auth0.ndjson": `{"user_id":"auth0|1","email":"ada@example.org","name":"Ada"}` + "\n" + `{"user_id":"auth0|2","email":"grace@example.org"}` + "\n",
		"firebase.json": `{"users":[{"localId":"1","email":"ada@example.org","displayName":"Ada","passwordHash":"x"},
			{"localId":"2","email":"grace@example.org","providerUserInfo":[]}]}`,
	}
	commands := regexp.MustCompile(`(?m)^jq .* (\S+) > customers\.jsonl$`).FindAllSubmatch(readme, -1)
	if len(commands) != len(exports) {
		t.Fatalf("%d commands", len(commands))
	}
	for _, command := range commands {
		file := string(command[1])
		t.Run(file, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, file), []byte(exports[file]), 0o600); err != nil {
				t.Fatal(err)
			}
			shell := exec.CommandContext(t.Context(), "sh", "-c", string(command[0]))
			shell.Dir = folder
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			made, err := os.ReadFile(filepath.Join(folder, "customers.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			customers, _, err := readCustomers(bytes.NewReader(made))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, customer := range customers {
				names = append(names, customer.Name)
			}
			if !slices.Equal(names, []string{"Ada", "grace@example.org"}) {
				t.Errorf("names: %q", names)
			}
		})
	}
}
