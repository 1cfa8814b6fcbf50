package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/entitlements"
)

// keysPoll is how often the server checks its keys folder for changes.
const keysPoll = 3 * time.Second

// keysWatch loads a new keyset from the keys folder into the running server: seconds after a change, or at once on a
// signal. If it refuses a keyset, the server keeps the current one and logs one line. The roots are not reloaded: they are
// part of the served app.
type keysWatch struct {
	dir    string
	origin string
	roots  entitlements.Roots
	rights *entitlements.Service
	log    *slog.Logger

	complaint string // the last one logged, so as not to repeat it
	newRoots  []byte // the roots.json that was reported to need a restart
}

// run checks at each interval, and on each value from told, until ctx ends.
func (w *keysWatch) run(ctx context.Context, every time.Duration, told <-chan os.Signal) {
	entitlements.Poll(ctx, every, told, func(told bool) {
		if told {
			w.complaint = ""
			w.log.Info("checking for a new keyset", "folder", w.dir)
		}
		w.look(ctx)
	})
}

func (w *keysWatch) look(ctx context.Context) {
	w.lookAtRoots()
	text, err := os.ReadFile(filepath.Join(w.dir, entitlements.KeysetFile))
	if err == nil && string(bytes.TrimSpace(text)) == w.rights.Keyset() {
		w.complaint = ""
		return
	}
	var keys entitlements.Keys
	if err == nil {
		keys, err = w.load(ctx)
	}
	if err != nil {
		if complaint := err.Error(); complaint != w.complaint && ctx.Err() == nil {
			w.complaint = complaint
			w.log.Error("refused the keyset in the keys folder; keeping the current one", "reason", complaint, "version", w.rights.KeysetVersion())
		}
		return
	}
	w.complaint = ""
	signer, _ := keys.Signer(time.Now())
	w.log.Info("took a new keyset", "version", keys.Keyset.Version, "end", keys.Keyset.End(), "signs", signer.ID())
}

// load reads the folder and passes its keyset to the service.
func (w *keysWatch) load(ctx context.Context) (entitlements.Keys, error) {
	keys, err := loadKeys(w.dir, w.origin, time.Now())
	if errors.Is(err, entitlements.IssuerMismatch) {
		return entitlements.Keys{}, fmt.Errorf("it is for %s, not for %s (--origin)", keys.Keyset.Issuer, w.origin)
	}
	if err != nil {
		return entitlements.Keys{}, err
	}
	if root := keys.Keyset.Mark().Root; root != w.roots.Current.ID() && root != w.roots.Next.ID() {
		return entitlements.Keys{}, fmt.Errorf("it is signed by root %s, which was not in roots.json when this server started: restart it", root)
	}
	keys.Roots = w.roots
	if err := w.rights.TakeKeys(ctx, keys); err != nil {
		return entitlements.Keys{}, explainRefusal(w.dir, err)
	}
	return keys, nil
}

// lookAtRoots logs once that new roots need a restart.
func (w *keysWatch) lookAtRoots() {
	text, err := os.ReadFile(filepath.Join(w.dir, entitlements.RootsFile))
	if err != nil || bytes.Equal(text, w.newRoots) {
		return
	}
	roots, err := entitlements.ParseRoots(text)
	if err != nil || roots.Current.ID() == w.roots.Current.ID() && roots.Next.ID() == w.roots.Next.ID() {
		return
	}
	w.newRoots = text
	w.log.Warn("roots.json has changed: restart the server to serve the new roots", "folder", w.dir)
}

// warnOfKeysetEnd logs, at once and then daily, that the keyset's end is near, until ctx ends.
func warnOfKeysetEnd(ctx context.Context, log *slog.Logger, end func() time.Time) {
	entitlements.Poll[any](ctx, 24*time.Hour, nil, func(bool) {
		if warning := keysetWarning(end(), time.Now()); warning != "" {
			log.Warn(warning, "end", end())
		}
	})
}

// keysetWarning returns the warning about the keyset's end, or "" if the end is far.
func keysetWarning(end, now time.Time) string {
	switch left := end.Sub(now); {
	case left <= 0:
		return "the keyset has ended: no document is valid any more; " + renewKeyset
	case left < entitlements.KeysetWarning:
		return fmt.Sprintf("the keyset ends soon, in %s: after that no document is valid; %s", inWords(left), renewKeyset)
	default:
		return ""
	}
}
