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

// linked is the version that the linker was given, as for images, whose sources have no history: -X main.linked=VERSION.
var linked string

// version returns the linker's version, or that of the source that the Go toolchain has recorded: a tag or a commit.
func version() string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
