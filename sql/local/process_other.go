//go:build unix && !linux

package local

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// locale folds case for all of Unicode. These systems have no C.UTF-8.
const locale = "en_US.UTF-8"

// endWithParent does nothing here: the next Start stops a server that outlives its killed parent.
func endWithParent(*syscall.SysProcAttr) {}

// isServer reports whether process pid is a PostgreSQL server of the data folder.
func isServer(pid int, data string) bool {
	arguments, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(arguments), " -D "+data+" ")
}
