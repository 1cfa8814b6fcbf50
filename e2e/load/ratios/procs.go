package ratios

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc (USER_HZ, 100 a second on Linux).
const tick = 10 * time.Millisecond

// stat holds a process's parent and CPU time, including its ended children.
type stat struct {
	parent int
	cpu    time.Duration
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The command's name stands in parentheses and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return stat{}, err
	}
	var ticks int
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.Atoi(field)
		if err != nil {
			return stat{}, err
		}
		ticks += n
	}
	return stat{parent, time.Duration(ticks) * tick}, nil
}

// cpu returns the CPU time of a process.
func cpu(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.cpu, err
}

// familyCPU returns the CPU time of a process and its children.
func familyCPU(pid int) (time.Duration, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, folder := range folders {
		id, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			return 0, err
		}
		s, err := readStat(id)
		if err != nil { // it has ended
			continue
		}
		if id == pid || s.parent == pid {
			sum += s.cpu
		}
	}
	return sum, nil
}

// memory returns the resident memory of a process, in bytes.
func memory(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}
