package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeIn runs make in a new folder that holds the Makefile and a program that prints its data folder and arguments.
func makeIn(t *testing.T, mode os.FileMode, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	program := "#!/bin/sh\necho \"data=$HOLDFAST_DATA args=$*\"\n"
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"Makefile": string(text), "bin/holdfast": program} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for up := dir; up != os.TempDir(); up = filepath.Dir(up) {
		if err := os.Chmod(up, mode); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "make", append([]string{"-C", dir, "--no-print-directory"}, args...)...)
	// Nothing of the make that runs this test, which has files of its own for failures.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, _ := command.CombinedOutput()
	return string(out)
}

// TestMakeRunChoosesReachableData checks that 'make run' puts the data where PostgreSQL's user can enter, and only then.
func TestMakeRunChoosesReachableData(t *testing.T) {
	elsewhere := "data=/var/lib/holdfast" + os.TempDir()
	run := func(mode os.FileMode, args ...string) string {
		return makeIn(t, mode, append([]string{"-o", "build", "-o", "postgres", "run"}, args...)...)
	}
	if out := run(0o700); strings.Contains(out, elsewhere) != (os.Geteuid() == 0) || !strings.Contains(out, "args=serve") {
		t.Errorf("in a folder of its own user alone: %s", out)
	}
	if out := run(0o755); !strings.Contains(out, "data= args=serve") {
		t.Errorf("in a folder that everybody may enter: %s", out)
	}
	if out := run(0o700, "ARGS=--data here"); !strings.Contains(out, "data= args=serve --data here") {
		t.Errorf("with a folder of choice: %s", out)
	}
}

// TestMakeRunsEveryStage checks that a failing stage stops no other, and is named at the end.
func TestMakeRunsEveryStage(t *testing.T) {
	out := makeIn(t, 0o755, "test-go") // there is no Go module
	for _, stage := range []string{"go-format", "go-vet", "go-packages", "go-e2e"} {
		if !strings.Contains(out, "== "+stage+"\n") {
			t.Errorf("%s did not run:\n%s", stage, out)
		}
	}
	if !strings.Contains(out, "FAILED: go-vet go-packages go-e2e\n") {
		t.Errorf("the failures are not named:\n%s", out)
	}
}
