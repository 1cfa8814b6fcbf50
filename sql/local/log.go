package local

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// logWriter forwards PostgreSQL's log line by line, and keeps the last lines for an error message.
type logWriter struct {
	logger *slog.Logger // may be nil
	// stopping is set when a stop was requested, so that ended connections, which PostgreSQL logs as FATAL, are expected.
	stopping atomic.Bool

	mu   sync.Mutex
	part []byte
	tail []string
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		line, rest, found := bytes.Cut(w.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.part = rest
		w.line(string(line))
	}
}

func (w *logWriter) line(text string) {
	const kept = 5
	w.tail = append(w.tail, text)
	if len(w.tail) > kept {
		w.tail = w.tail[1:]
	}
	if w.logger == nil {
		return
	}
	if strings.Contains(text, "FATAL: ") && !w.stopping.Load() || strings.Contains(text, "PANIC: ") {
		w.logger.Warn("postgres", "line", text)
	} else {
		w.logger.Debug("postgres", "line", text)
	}
}

// last returns the last lines joined into one.
func (w *logWriter) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.tail, " / ")
}
