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

// keysPoll is how often the server looks whether its keys folder has changed.
const keysPoll = 3 * time.Second

// keysWatch brings a new keyset in the keys folder into the running server: some seconds after it has changed, and at
// once when the server is told to look. A keyset that it refuses leaves the server with what it has, and gets one line in
// the log. The roots are those of the start: they are part of the app that is served.
type keysWatch struct {
	dir    string
	origin string
	roots  entitlements.Roots
	rights *entitlements.Service
	log    *slog.Logger

	complaint string // the last one: it is not repeated
	newRoots  []byte // roots.json that was said to need a restart
}

// run looks every so often, and whenever something comes from told, until ctx ends.
func (w *keysWatch) run(ctx context.Context, every time.Duration, told <-chan os.Signal) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-told:
			w.complaint = ""
			w.log.Info("checking for a new keyset", "folder", w.dir)
		case <-ticker.C:
		}
		w.look(ctx)
	}
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

// load reads the folder and has the service take what is in it.
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

// lookAtRoots says once that new roots need a restart.
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

// warnOfKeysetEnd says so at once and then daily when the keyset's end is near, until ctx ends.
func warnOfKeysetEnd(ctx context.Context, log *slog.Logger, end func() time.Time) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if warning := keysetWarning(end(), time.Now()); warning != "" {
			log.Warn(warning, "end", end())
		}
		select {
		case <-ctx.Done():
			return
		case <-daily.C:
		}
	}
}

// keysetWarning is what there is to say about the keyset's end; nothing while it is far.
func keysetWarning(end, now time.Time) string {
	switch left := end.Sub(now); {
	case left <= 0:
		return "the keyset has ended: no document is valid any more; 'holdfast keys renew'"
	case left < entitlements.KeysetWarning:
		return fmt.Sprintf("the keyset ends soon, in %s: after that no document is valid; 'holdfast keys renew'", days(left))
	default:
		return ""
	}
}
