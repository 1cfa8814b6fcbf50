package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/sql"
	"holdfast/sql/local"
)

type restoreCommand struct {
	Database
	DataFolder
	KeysFolder
	File string `arg:"" help:"The backup; - reads standard input."`
}

// restoring is the folder, below the data folder, in which a private cluster is restored. While it exists, no server starts
// there: it would find keys without their database and create a new one.
const restoring = ".restoring"

func (d DataFolder) restoringDir() string { return filepath.Join(d.Data, restoring) }

// Run restores a backup, database and keys together, into an empty place. It changes nothing before it has checked that the
// file is complete and the place empty. The last step, after which a server can start, is a single rename: of the private
// cluster or, with an external database, of the keys.
func (c restoreCommand) Run(ctx context.Context, con console) error {
	file, err := c.open(ctx, con)
	if err != nil {
		return err
	}
	defer file.Close()
	a, err := readArchive(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if a.manifest.OldestSchema > sql.Version() {
		return fmt.Errorf("%s has schema %d, which needs a program of schema %d or newer; this one is of schema %d: restore it with a newer program",
			c.File, a.manifest.Schema, a.manifest.OldestSchema, sql.Version())
	}
	pgRestore, err := local.FindProgram(ctx, "pg_restore", a.manifest.Dump)
	if err != nil {
		return err
	}
	keys, err := c.stageKeys(a.keys)
	if err != nil {
		return err
	}
	defer keys.discard()
	if c.private() {
		err = c.intoCluster(ctx, a, pgRestore, keys)
	} else if err = c.intoDatabase(ctx, c.DatabaseURL, a, pgRestore); err == nil {
		err = keys.place()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "Restored %s as it was at %s. Keys are in %s.\nWhat happened since then is lost. "+
		"Once devices have come back, GET /admin/v1/gaps lists those that know more: a revocation may be among it.\n"+
		"If keys were changed since then, bring the newer ones back before 'serve', or 'keys renew --above' them: devices refuse an older keyset.\n",
		a.manifest.Issuer, a.manifest.MadeAt.Format(time.RFC3339), c.keysDir(c.DataFolder))
	return err
}

// open opens the backup as a file that can be read twice.
func (c restoreCommand) open(ctx context.Context, con console) (*os.File, error) {
	if c.File != "-" {
		return os.Open(c.File)
	}
	file, err := spool(os.TempDir())
	if err != nil {
		return nil, err
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, interruptible{ctx, con.in})
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // the copy may block on input; it ends with the process
		return nil, ctx.Err()
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// intoCluster creates a private cluster in a temporary folder, restores into it, stops it, and moves keys and cluster to
// their final places.
func (c restoreCommand) intoCluster(ctx context.Context, a archive, pgRestore local.Program, keys stagedKeys) error {
	if err := c.checkNoCluster(); err != nil {
		return err
	}
	if err := errors.Join(makeDataFolder(c.Data), makeDataFolder(c.restoringDir())); err != nil {
		return err
	}
	building := filepath.Join(c.restoringDir(), "postgres")
	return locked(c.restoringDir(), func() (err error) {
		if err := c.checkNoCluster(); err != nil { // another restore may have made one meanwhile
			return err
		}
		if err := local.Remove(ctx, building); err != nil { // left by an earlier attempt
			return err
		}
		placed := false
		defer func() {
			if err != nil && !placed { // keys without a cluster must not pass for a new server
				err = errors.Join(err, os.RemoveAll(c.restoringDir()))
			}
		}()
		cluster, err := local.Start(ctx, local.Options{Dir: building})
		if err != nil {
			return err
		}
		err = c.intoDatabase(ctx, cluster.URL(local.Owner, local.Database), a, pgRestore)
		if err = errors.Join(err, stopCluster(ctx, cluster)); err != nil {
			return err
		}
		if err := keys.place(); err != nil {
			return err
		}
		placed = true
		if err := renameFolder(building, c.clusterDir()); err != nil {
			return err
		}
		return os.Remove(c.restoringDir())
	})
}

func (c restoreCommand) checkNoCluster() error {
	_, err := os.Lstat(c.clusterDir())
	if err == nil {
		return fmt.Errorf("there is a database in %s: nothing is overwritten, move it away", c.clusterDir())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (c restoreCommand) intoDatabase(ctx context.Context, url string, a archive, pgRestore local.Program) error {
	_, postgres, err := sql.Schema(ctx, url)
	if err != nil {
		return err
	}
	if postgres < a.manifest.Postgres {
		return fmt.Errorf("the backup is of PostgreSQL %d, and the server here is of version %d: restore into %[1]d or newer", a.manifest.Postgres, postgres)
	}
	err = sql.PrepareRestore(ctx, url)
	if errors.Is(err, sql.ErrNotEmpty) {
		return fmt.Errorf("%w: a backup is restored into a new database", err)
	}
	if err != nil {
		return err
	}
	if err := pgRestore.Restore(ctx, url, a.dump); err != nil {
		return err
	}
	return sql.FinishRestore(ctx, url)
}

// stagedKeys are keys on disk, in a temporary folder next to their final place.
type stagedKeys struct {
	staged string // empty if identical keys are already in place
	dir    string
}

// stageKeys writes the keys next to their final place. It refuses keys that no server would start with, and a place that
// holds different keys. Identical keys that are already there need no restoring.
func (c restoreCommand) stageKeys(files map[string][]byte) (_ stagedKeys, err error) {
	dir := c.keysDir(c.DataFolder)
	if !isEmpty(dir) {
		there, err := readKeyFiles(dir)
		if err != nil {
			return stagedKeys{}, err
		}
		if !maps.EqualFunc(there, files, bytes.Equal) {
			return stagedKeys{}, fmt.Errorf("there are other keys in %s than in the backup: nothing is overwritten, move them away. "+
				"If they are newer, put them back afterwards", dir)
		}
		return stagedKeys{dir: dir}, nil
	}
	if c.KeysFolder.Keys == "" {
		err = makeDataFolder(c.Data)
	} else {
		err = os.MkdirAll(filepath.Dir(dir), 0o700)
	}
	if err != nil {
		return stagedKeys{}, err
	}
	staged, err := os.MkdirTemp(filepath.Dir(dir), ".keys-") // 0700
	if err != nil {
		return stagedKeys{}, err
	}
	keys := stagedKeys{staged, dir}
	defer func() {
		if err != nil {
			keys.discard()
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(staged, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return stagedKeys{}, err
		}
		if err := writeFile(path, files[name]); err != nil {
			return stagedKeys{}, err
		}
	}
	if _, err := readKeys(staged); err != nil {
		return stagedKeys{}, fmt.Errorf("the backup's %w", err)
	}
	return keys, syncDir(staged)
}

func (k stagedKeys) place() error {
	if k.staged == "" {
		return nil
	}
	return renameFolder(k.staged, k.dir)
}

func (k stagedKeys) discard() {
	if k.staged != "" {
		_ = os.RemoveAll(k.staged) // already gone if it was placed
	}
}

// checkRestored refuses a data folder with an unfinished restore, before anything is created there.
func checkRestored(data DataFolder) error {
	if _, err := os.Lstat(filepath.Join(data.restoringDir(), "postgres")); err != nil {
		return nil //nolint:nilerr // whoever opens an unreadable folder reports it
	}
	return fmt.Errorf("a restore into %s is under way or was cut short: run it again, or remove %s to give it up", absolute(data.Data), data.restoringDir())
}
