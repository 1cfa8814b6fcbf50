package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"holdfast/sql"
)

type versionCommand struct{}

func (versionCommand) Run(con console) error {
	_, err := fmt.Fprintf(con.out, "holdfast %s, schema %d, %s %s/%s\n", version(), sql.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns the version of the source that the Go toolchain has recorded: a tag or a commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
