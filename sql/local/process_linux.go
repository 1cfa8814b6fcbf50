package local

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// locale sorts by code point, folds case for all of Unicode, and is part of glibc and musl.
const locale = "C.UTF-8"

// endWithParent has the kernel send SIGINT, PostgreSQL's signal for a fast shutdown, when the parent dies.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// isServer reports whether process pid is a PostgreSQL server of the data folder.
func isServer(pid int, data string) bool {
	arguments, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && bytes.Contains(arguments, []byte("\x00"+data+"\x00"))
}
