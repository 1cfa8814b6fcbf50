package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

type keysInitCommand struct {
	DataFolder
	KeysFolder
	Origin string `required:"" env:"HOLDFAST_ORIGIN" placeholder:"URL" help:"The server's public origin: the issuer of all that is signed."`
}

func (c keysInitCommand) Run(con console) error {
	origin, err := parseOrigin(c.Origin)
	if err != nil {
		return fmt.Errorf("--origin %q %w", c.Origin, err)
	}
	dir := c.keysDir(c.DataFolder)
	keys, err := makeKeys(dir, origin.String(), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "Made keys for %s in %s: the keyset ends on %s.\n", origin, dir, keys.Keyset.End().Format(time.DateOnly))
	fmt.Fprintf(con.out, "The server does not need %s: keep it elsewhere, and safe.\n", filepath.Join(dir, "root.jwk"))
	return nil
}

type keysListCommand struct {
	DataFolder
	KeysFolder
}

func (c keysListCommand) Run(con console) error {
	dir := c.keysDir(c.DataFolder)
	keys, err := loadKeys(dir, keysetIssuer(dir), time.Now())
	if err != nil && !errors.Is(err, entitlements.KeysetExpired) {
		return err
	}
	fmt.Fprintf(con.out, "keyset version %d of %s, ends %s\n", keys.Keyset.Version, keys.Keyset.Issuer, keys.Keyset.End().Format(time.RFC3339))
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SIGNING KEY\tSIGNS FROM\tUNTIL\tPRIVATE KEY")
	for _, entry := range keys.Keyset.Keys {
		private := "not here"
		for _, key := range keys.Signing {
			if key.ID() == entry.KeyID {
				private = "here"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", entry.KeyID, unixTime(entry.NotBefore), unixTime(entry.ExpiresAt), private)
	}
	return table.Flush()
}

func unixTime(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

type keysRootsCommand struct {
	DataFolder
	KeysFolder
}

func (c keysRootsCommand) Run(con console) error {
	roots, err := os.ReadFile(filepath.Join(c.keysDir(c.DataFolder), "roots.json"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "%s\n", roots)
	return err
}

// serverKeys are the keys that the server starts with. For a private cluster they are made where there are none, and
// the keyset is signed anew where the origin has become another, as it does on port 0. Elsewhere a wrong folder must
// not be papered over by new keys: every device would have to be updated.
func serverKeys(dir, origin string, private bool, now time.Time, log *slog.Logger) (entitlements.Keys, error) {
	if isEmpty(dir) {
		if !private {
			return entitlements.Keys{}, fmt.Errorf("there are no keys in %s: 'holdfast keys init' makes them", dir)
		}
		log.Info("making keys", "folder", dir)
		return makeKeys(dir, origin, now)
	}
	keys, err := loadKeys(dir, origin, now)
	if !errors.Is(err, entitlements.IssuerMismatch) {
		return keys, err
	}
	was := keysetIssuer(dir)
	if !private {
		return entitlements.Keys{}, fmt.Errorf("the keyset in %s is for %s, not for %s (--origin)", dir, was, origin)
	}
	if keys, err = loadKeys(dir, was, now); err != nil {
		return entitlements.Keys{}, err
	}
	if keys, err = keys.ForIssuer(origin, now); err != nil {
		return entitlements.Keys{}, fmt.Errorf("keys in %s: %w", dir, err)
	}
	log.Info("signed the keyset anew for another origin", "was", was, "is", origin)
	return keys, writeFile(filepath.Join(dir, "keyset.jws"), []byte(keys.Compact))
}

// loadKeys reads a keys folder. It refuses private keys that anybody but their owner can read or change, and a keyset
// that has ended; its errors tell what to do.
func loadKeys(dir, origin string, now time.Time) (entitlements.Keys, error) {
	private, err := filepath.Glob(filepath.Join(dir, "signing", "*.jwk"))
	if err != nil {
		return entitlements.Keys{}, err
	}
	for _, path := range append(private, filepath.Join(dir, "root.jwk")) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the root may be elsewhere
		}
		if err != nil {
			return entitlements.Keys{}, err
		}
		if info.Mode()&0o077 != 0 {
			return entitlements.Keys{}, fmt.Errorf("the private key %s can be read by others (mode %04o): chmod 600 it, and think about who has read it",
				path, info.Mode().Perm())
		}
	}
	keys, err := entitlements.LoadKeys(os.DirFS(dir), origin, now)
	if errors.Is(err, entitlements.KeysetExpired) {
		return keys, fmt.Errorf("the keyset in %s has ended: no device would take a document (%w)", dir, err)
	}
	if err != nil {
		return keys, fmt.Errorf("keys in %s: %w", dir, err)
	}
	return keys, nil
}

// keysetIssuer is whom the keyset in a folder says it is for, unverified; empty if it cannot be read.
func keysetIssuer(dir string) string {
	compact, err := os.ReadFile(filepath.Join(dir, "keyset.jws"))
	if err != nil {
		return ""
	}
	message, err := jose.Parse(string(compact))
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(message.Payload, &claims); err != nil {
		return ""
	}
	return claims.Issuer
}

// makeKeys makes a keys folder, whole or not at all. It overwrites nothing.
func makeKeys(dir, origin string, now time.Time) (entitlements.Keys, error) {
	if !isEmpty(dir) {
		return entitlements.Keys{}, fmt.Errorf("%s is not empty: keys are never overwritten", dir)
	}
	keys, err := entitlements.GenerateKeys(rand.Reader, origin, now)
	if err != nil {
		return entitlements.Keys{}, err
	}
	files, err := keys.Files()
	if err != nil {
		return entitlements.Keys{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return entitlements.Keys{}, err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), ".keys-") // 0700
	if err != nil {
		return entitlements.Keys{}, err
	}
	defer os.RemoveAll(unfinished)
	for name, content := range files {
		path := filepath.Join(unfinished, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return entitlements.Keys{}, err
		}
		if err := writeFile(path, content); err != nil {
			return entitlements.Keys{}, err
		}
	}
	// The system call takes the place of an empty folder, which os.Rename refuses; it fails if there are keys by now.
	if err := syscall.Rename(unfinished, dir); err != nil {
		return entitlements.Keys{}, &os.LinkError{Op: "rename", Old: unfinished, New: dir, Err: err}
	}
	return keys, syncDir(filepath.Dir(dir))
}

// isEmpty says that nothing has the path's name, or an empty folder.
func isEmpty(path string) bool {
	entries, err := os.ReadDir(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}

// writeFile puts a file, readable by its owner alone, in the place of another or of none, at once and for good.
func writeFile(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// warnOfKeysetEnd says so at once and then daily when the keyset's end is near, until ctx ends.
func warnOfKeysetEnd(ctx context.Context, log *slog.Logger, end time.Time) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if left := time.Until(end); left < entitlements.KeysetWarning {
			log.Warn("the keyset ends soon: after that no document is valid", "end", end, "days", int(left.Hours()/24))
		}
		select {
		case <-ctx.Done():
			return
		case <-daily.C:
		}
	}
}
