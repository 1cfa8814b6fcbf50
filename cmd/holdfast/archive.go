package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A backup is one tar file that tar, sha256sum and pg_restore can unpack without this program. It contains the manifest,
// the database in pg_dump's format, the files of the keys folder and, last, the digests of all of them. A truncated file
// lacks the digests, so it cannot pass for a complete one.
const (
	manifestMember = "manifest.json"
	dumpMember     = "database.dump"
	keysMembers    = "keys/"
	digestsMember  = "SHA256SUMS"

	// archiveFormat is raised when older programs cannot restore the backups of newer ones.
	archiveFormat = 1
)

// keyMember matches the files of a keys folder: nothing else in an archive is written to disk.
var keyMember = regexp.MustCompile(`^keys/((signing|withdrawn)/)?[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}$`)

// Limits on keys. Keys are small; a larger one means that we did not write the archive.
const (
	maxKeyFile  = 1 << 20
	maxKeyFiles = 10_000
)

// manifest describes the contents of a backup.
type manifest struct {
	Format       int       `json:"format"`
	Program      string    `json:"program"` // the version of holdfast that wrote the backup
	MadeAt       time.Time `json:"made_at"`
	Issuer       string    `json:"issuer"`
	Schema       int64     `json:"schema"`
	OldestSchema int64     `json:"oldest_schema"` // of the programs that work on it
	Postgres     int       `json:"postgres"`      // the major version of the server
	Dump         int       `json:"pg_dump"`       // the major version of pg_dump
	PrivateRoots []string  `json:"private_roots"`
}

// archiveWriter writes a backup.
type archiveWriter struct {
	tar     *tar.Writer
	at      time.Time
	digests bytes.Buffer
}

func (w *archiveWriter) add(name string, size int64, content io.Reader) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.at}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	digest := sha256.New()
	if _, err := io.Copy(w.tar, io.TeeReader(content, digest)); err != nil {
		return err
	}
	fmt.Fprintf(&w.digests, "%x  %s\n", digest.Sum(nil), name)
	return nil
}

func (w *archiveWriter) addBytes(name string, content []byte) error {
	return w.add(name, int64(len(content)), bytes.NewReader(content))
}

// finish writes the digests, which must come last.
func (w *archiveWriter) finish() error {
	if err := w.addBytes(digestsMember, bytes.Clone(w.digests.Bytes())); err != nil {
		return err
	}
	return w.tar.Close()
}

// archive is a backup that was read once and found complete.
type archive struct {
	manifest manifest
	dump     *io.SectionReader
	keys     map[string][]byte // by path below the keys folder
}

// backupFile is read twice: first to check it, then, for the dump, once the rest is known to be good.
type backupFile interface {
	io.ReadSeeker
	io.ReaderAt
}

// readArchive reads and checks all of a backup before any of it is used, unless ctx ends. Only the keys are held in memory.
func readArchive(ctx context.Context, file backupFile) (archive, error) {
	length, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return archive{}, err
	}
	a := archive{keys: map[string][]byte{}}
	digests := map[string]string{}
	var wanted []byte
	in := tar.NewReader(file)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return archive{}, unreadable(err)
		}
		name := header.Name
		_, twice := digests[name]
		known := name == manifestMember || name == dumpMember || name == digestsMember || keyMember.MatchString(name)
		if header.Typeflag != tar.TypeReg || !known || twice || wanted != nil {
			return archive{}, fmt.Errorf("it holds %q, which a backup never does", name)
		}
		// A sparse member may claim more than the file holds, and would take as long to read as it claims.
		if isSparse(header) {
			return archive{}, fmt.Errorf("its member %q is sparse, which a backup never is", name)
		}
		if header.Size > length {
			return archive{}, unreadable(io.ErrUnexpectedEOF)
		}
		if name != dumpMember && (header.Size > maxKeyFile || len(digests) > maxKeyFiles) {
			return archive{}, fmt.Errorf("it holds more than keys: %q", name)
		}
		digest := sha256.New()
		content := io.TeeReader(interruptible{ctx, in}, digest)
		var text []byte
		if name == dumpMember {
			a.dump, err = passOver(file, header.Size, content)
		} else {
			text, err = io.ReadAll(content)
		}
		if err != nil {
			return archive{}, unreadable(err)
		}
		switch name {
		case dumpMember: // stays in the file
		case manifestMember:
			if a.manifest, err = readManifest(text); err != nil {
				return archive{}, err
			}
		case digestsMember:
			wanted = text
			continue
		default:
			a.keys[strings.TrimPrefix(name, keysMembers)] = text
		}
		digests[name] = hex.EncodeToString(digest.Sum(nil))
	}
	if wanted == nil {
		return archive{}, unreadable(io.ErrUnexpectedEOF)
	}
	if err := compareDigests(string(wanted), digests); err != nil {
		return archive{}, err
	}
	if a.dump == nil || a.manifest.Format == 0 || len(a.keys) == 0 {
		return archive{}, errors.New("it is not a holdfast backup")
	}
	return a, nil
}

// isSparse reports whether a member is in one of tar's sparse formats, which backups never use.
func isSparse(header *tar.Header) bool {
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return true
		}
	}
	return header.Typeflag == tar.TypeGNUSparse
}

// interruptible is a reader that fails once ctx has ended.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// passOver reads a member to its end and returns its section of the file. The tar reader reads no further than it must, so
// the content begins at the file's current offset.
func passOver(file backupFile, size int64, content io.Reader) (*io.SectionReader, error) {
	begin, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, content)
	return io.NewSectionReader(file, begin, size), err
}

func readManifest(text []byte) (m manifest, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return manifest{}, fmt.Errorf("%s: %w", manifestMember, err)
	}
	if m.Format != archiveFormat {
		return manifest{}, fmt.Errorf("its format is %d, this program knows %d: it was written by holdfast %s", m.Format, archiveFormat, m.Program)
	}
	return m, nil
}

// compareDigests refuses members whose digests differ from the written ones, one per line.
func compareDigests(wanted string, digests map[string]string) error {
	for line := range strings.Lines(wanted) {
		digest, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if digests[name] != digest {
			return fmt.Errorf("it is damaged: %s is not what was written", name)
		}
		delete(digests, name)
	}
	for name := range digests {
		return fmt.Errorf("it is damaged: %s was not written by the backup", name)
	}
	return nil
}

func unreadable(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is not a holdfast backup, or it was cut short")
	case errors.Is(err, tar.ErrHeader):
		return errors.New("it is not a holdfast backup, or it is damaged")
	default:
		return err
	}
}

// readKeyFiles reads a whole keys folder for a backup, except names that begin with a dot: files that are being written,
// and the links through which some systems mount secrets.
func readKeyFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, folder := range []string{"", "signing", "withdrawn"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if errors.Is(err, fs.ErrNotExist) && folder != "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			name := filepath.ToSlash(filepath.Join(folder, entry.Name()))
			path := filepath.Join(dir, name)
			info, err := os.Stat(path) // follows links
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			if !keyMember.MatchString(keysMembers+name) || info.Size() > maxKeyFile {
				return nil, fmt.Errorf("%s does not belong into a keys folder: put it elsewhere", path)
			}
			if files[name], err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// spool returns a file without a name, which disappears when it is closed or the program ends.
func spool(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, ".holdfast-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
