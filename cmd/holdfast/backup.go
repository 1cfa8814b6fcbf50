package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/entitlements"
	"holdfast/sql"
	"holdfast/sql/local"
)

type backupCommand struct {
	Database
	DataFolder
	KeysFolder
	File string `arg:"" help:"File to write, which must not exist; - writes to standard output."`
}

// Run writes a file with a consistent snapshot of the database and the keys folder, while a server may be running. It reads
// the keys last, so that they are never older than the keyset that the snapshot records as served.
func (c backupCommand) Run(ctx context.Context, con console) (err error) {
	if c.File != "-" {
		if _, err := os.Lstat(c.File); err == nil {
			return fmt.Errorf("%s exists: it is not overwritten", c.File)
		}
		if _, err := os.Stat(filepath.Dir(c.File)); err != nil {
			return err
		}
	}
	dir := c.keysDir(c.DataFolder)
	keys, err := readKeys(dir)
	if err != nil {
		return fmt.Errorf("a backup needs the keys too: %w", err)
	}
	url, stop, err := c.address(ctx, c.DataFolder, local.Owner, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	made := manifest{Format: archiveFormat, Program: version(), MadeAt: time.Now().UTC().Truncate(time.Second), Issuer: keys.Keyset.Issuer}
	schema, postgres, err := sql.Schema(ctx, url)
	if err != nil {
		return err
	}
	made.Schema, made.OldestSchema, made.Postgres = schema.Version, schema.Oldest, postgres
	if made.Schema == 0 {
		return errors.New("the database has no schema yet: there is nothing to back up")
	}
	pgDump, err := local.FindProgram(ctx, "pg_dump", made.Postgres)
	if err != nil {
		return err
	}
	made.Dump = pgDump.Major

	if c.File == "-" {
		return c.write(ctx, con.out, os.TempDir(), pgDump, url, made, con.err)
	}
	return placeFile(c.File, moveToFree, func(file *os.File) error {
		return c.write(ctx, file, filepath.Dir(c.File), pgDump, url, made, con.out)
	})
}

// write writes the backup to w and reports its contents to say. It first dumps into a temporary file in the folder beside,
// because a tar member's header needs its size.
func (c backupCommand) write(
	ctx context.Context, w io.Writer, beside string, pgDump local.Program, url string, made manifest, say io.Writer,
) error {
	dump, err := spool(beside)
	if err != nil {
		return err
	}
	defer dump.Close()
	if err := pgDump.Dump(ctx, url, dump); err != nil {
		return err
	}
	size, err := dump.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dir := c.keysDir(c.DataFolder)
	var keys map[string][]byte
	err = locked(dir, func() (err error) {
		keys, err = readKeyFiles(dir)
		return err
	})
	if err != nil {
		return err
	}
	made.PrivateRoots = []string{}
	for _, name := range []string{entitlements.RootFile, entitlements.NextRootFile} {
		if keys[name] != nil {
			made.PrivateRoots = append(made.PrivateRoots, name)
		}
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return err
	}
	out := &archiveWriter{tar: tar.NewWriter(w), at: made.MadeAt}
	if err := out.addBytes(manifestMember, append(text, '\n')); err != nil {
		return err
	}
	if err := out.add(dumpMember, size, interruptible{ctx, dump}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := out.addBytes(keysMembers+name, keys[name]); err != nil {
			return err
		}
	}
	if err := out.finish(); err != nil {
		return err
	}
	roots := "No root's private key is in it: where those are, they have to be kept by themselves."
	if len(made.PrivateRoots) > 0 {
		roots = fmt.Sprintf("The roots' private keys are in it too, since they are in the keys folder: %s.", strings.Join(made.PrivateRoots, ", "))
	}
	_, err = fmt.Fprintf(say, "Backed up %s: the database (schema %d, PostgreSQL %d) and %d files of keys.\n%s\nAnyone who has this file can sign documents and open vaults: protect it like the keys.\n",
		made.Issuer, made.Schema, made.Postgres, len(keys), roots)
	return err
}
