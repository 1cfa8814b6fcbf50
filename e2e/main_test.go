// Package e2e runs the real binary from outside: the drills in Go, and the journeys in a browser (*.spec.ts). Nothing
// here imports the project, except the back end that stands for a host's (guarded); the tests observe it only through HTTP,
// the command line and the database.
//
// The drills run in a short form by default. HOLDFAST_DRILLS=full runs them at release size.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/e2e/support"
)

// binary is the server under test, built once with the race detector.
var binary string

// full is set for the long form of the drills.
var full = os.Getenv("HOLDFAST_DRILLS") == "full"

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "hf-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "holdfast")
	// The race detector would sleep for a second at the end of each program.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-race", "-o", binary, "../cmd/holdfast")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the server:", err)
		return 1
	}
	return m.Run()
}

// startTwo starts two servers with one database and the same settings.
func startTwo(t *testing.T, settings ...string) (first, second *support.Server) {
	t.Helper()
	first = support.NewServer(t, binary)
	first.Settings = settings
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	second = first.Replica(t)
	second.Settings = settings
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	return first, second
}
