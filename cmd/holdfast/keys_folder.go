package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

// A keys folder is changed one file at a time, each replaced atomically: private keys first, then the files that name them.
// So at any moment, even after a crash, every key that roots.json or keyset.jws names exists. Private keys are never
// overwritten or removed; those no longer needed move to withdrawn/.

// proposalFile is a keyset that awaits its root's signature.
const proposalFile = "keyset-proposal.json"

// locked runs a change of a keys folder while no other process changes it. It waits for a process that does.
func locked(dir string, change func() error) (err error) {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return noKeys(dir)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer folder.Close() // releases the lock
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "lock", Path: dir, Err: err}
		}
		return change()
	}
}

// loadKeys reads a keys folder for a server. It refuses an expired keyset; its errors say what to do.
func loadKeys(dir, origin string, now time.Time) (entitlements.Keys, error) {
	if err := checkFolder(dir); err != nil {
		return entitlements.Keys{}, err
	}
	keys, err := entitlements.LoadKeys(os.DirFS(dir), origin, now)
	if errors.Is(err, entitlements.KeysetExpired) {
		return keys, fmt.Errorf("the keyset in %s has ended: no device would accept a document (%w): 'holdfast keys renew'", dir, err)
	}
	if err != nil {
		return keys, fmt.Errorf("keys in %s: %w", dir, err)
	}
	return keys, nil
}

// readKeys reads a keys folder for an operator, who may have to repair it.
func readKeys(dir string) (entitlements.Keys, error) {
	if err := checkFolder(dir); err != nil {
		return entitlements.Keys{}, err
	}
	keys, err := entitlements.ReadKeys(os.DirFS(dir))
	if err != nil {
		return keys, fmt.Errorf("keys in %s: %w", dir, err)
	}
	return keys, nil
}

// checkFolder refuses a keys folder that anybody but its owner can change, or whose private keys anybody else can read. The
// owner must be this process's user or root.
func checkFolder(dir string) error {
	if isEmpty(dir) {
		return noKeys(dir)
	}
	for _, folder := range []string{"", entitlements.SigningDir, entitlements.WithdrawnDir} {
		path := filepath.Join(dir, folder)
		err := checkOwn(path)
		if errors.Is(err, fs.ErrNotExist) && folder == entitlements.WithdrawnDir { // nothing has been withdrawn yet
			continue
		}
		if err != nil {
			return err
		}
		files, err := os.ReadDir(path)
		if errors.Is(err, syscall.ENOTDIR) { // the code that needs the folder reports it
			continue
		}
		if err != nil {
			return err
		}
		for _, file := range files {
			path := filepath.Join(path, file.Name())
			if err := checkOwn(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // it was moved meanwhile
				return err
			}
			if filepath.Ext(path) == ".jwk" || file.Name() == vaultFile {
				if err := checkPrivate(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	return nil
}

// noKeys returns the error for a missing or empty keys folder, which says what to do.
func noKeys(dir string) error {
	return fmt.Errorf("there are no keys in %s: name their folder with --keys or --data, or make them with 'holdfast keys init'", dir)
}

// checkOwn refuses a file or folder that another user owns or can change.
func checkOwn(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (id %d, and this is %d): run as that user, or chown it, and find out whether anyone has changed it",
			path, owner.Uid, os.Geteuid())
	}
	if info.Mode()&0o022 != 0 {
		mode := "600"
		if info.IsDir() {
			mode = "700"
		}
		return fmt.Errorf("%s can be changed by others (mode %04o): chmod %s it, and find out whether anyone has changed it", path, info.Mode().Perm(), mode)
	}
	return nil
}

// checkPrivate refuses a private key that anybody but its owner can read or change.
func checkPrivate(path string) error {
	if err := checkOwn(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&0o077 != 0 {
		return fmt.Errorf("the private key %s can be read by others (mode %04o): chmod 600 it, and find out whether anyone has read it",
			path, info.Mode().Perm())
	}
	return nil
}

// makeKeys creates a keys folder, completely or not at all. It overwrites nothing. With rootOut, the root's private key is
// written there and never into the folder.
func makeKeys(dir, origin, rootOut string, now time.Time) (_ entitlements.Keys, err error) {
	if !isEmpty(dir) {
		return entitlements.Keys{}, fmt.Errorf("%s is not empty: keys are never overwritten", dir)
	}
	keys, err := entitlements.GenerateKeys(rand.Reader, origin, now)
	if err != nil {
		return entitlements.Keys{}, err
	}
	if rootOut != "" {
		if err := createPrivate(rootOut, keys.Root); err != nil {
			return entitlements.Keys{}, err
		}
		defer func() {
			if err != nil { // nobody has anything that it signed
				err = errors.Join(err, os.Remove(rootOut))
			}
		}()
		keys.Root = jose.PrivateKey{}
	}
	files, err := keys.Files()
	if err != nil {
		return entitlements.Keys{}, err
	}
	if files[vaultFile], err = newKeyring(); err != nil {
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
	if err := syncDir(unfinished); err != nil {
		return entitlements.Keys{}, err
	}
	return keys, renameFolder(unfinished, dir)
}

// renameFolder durably renames a folder. The new name must be free or an empty folder; it fails if there are keys by now.
func renameFolder(from, to string) error {
	// The system call can replace an empty folder; os.Rename refuses to.
	if err := syscall.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return syncDir(filepath.Dir(to))
}

// tidyRoots sets aside a root's private key that is in no slot any more, and gives a promoted root's key its name. It
// reports whether there was anything to do.
func tidyRoots(dir string, roots entitlements.Roots) (tidied bool, err error) {
	root := filepath.Join(dir, entitlements.RootFile)
	id, err := privateKeyID(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case id != roots.Current.ID():
		if err := withdraw(dir, entitlements.RootFile, id); err != nil {
			return false, err
		}
		tidied = true
	default:
		return false, nil
	}
	next := filepath.Join(dir, entitlements.NextRootFile)
	id, err = privateKeyID(next)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tidied, nil
	case err != nil:
		return tidied, err
	case id != roots.Current.ID():
		return tidied, nil
	}
	if err := os.Rename(next, root); err != nil {
		return tidied, err
	}
	return true, syncDir(dir)
}

func privateKeyID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return key.ID(), nil
}

// withdraw moves a private key to the withdrawn keys, if it exists.
func withdraw(dir, file, id string) error {
	aside := filepath.Join(dir, entitlements.WithdrawnDir)
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	from, to := filepath.Join(dir, file), filepath.Join(aside, id+".jwk")
	if err := os.Rename(from, to); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(syncDir(aside), syncDir(filepath.Dir(from)), syncDir(dir))
}

func lists(keyset entitlements.Keyset, id string) bool {
	return slices.ContainsFunc(keyset.Keys, func(entry entitlements.KeysetKey) bool { return entry.KeyID == id })
}

// isEmpty reports whether the path does not exist or is an empty folder.
func isEmpty(path string) bool {
	entries, err := os.ReadDir(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
}

func createPrivate(path string, key jose.PrivateKey) error {
	text, err := key.Marshal()
	if err != nil {
		return err
	}
	return createFile(path, text)
}

// createFile is [writeFile] for a name that must be free. It creates no folders.
func createFile(path string, content []byte) error {
	return placeFile(path, moveToFree, func(file *os.File) error { _, err := file.Write(content); return err })
}

// writeFile atomically and durably writes or replaces a file, readable only by its owner.
func writeFile(path string, content []byte) error {
	return placeFile(path, os.Rename, func(file *os.File) error { _, err := file.Write(content); return err })
}

// placeFile durably writes a file, readable only by its owner, and has place move it to path: completely or not at all.
func placeFile(path string, place func(from, to string) error, write func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".holdfast-") // 0600
	if err != nil {
		return err
	}
	if err = errors.Join(write(file), file.Sync(), file.Close()); err == nil {
		err = place(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// moveToFree renames a file. It fails if the new name exists.
func moveToFree(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists: it is not overwritten", to)
	}
	switch err := os.Link(from, to); { // a rename would replace a file made meanwhile
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s exists: it is not overwritten", to)
	case err != nil: // the file system has no hard links
		return os.Rename(from, to)
	}
	return os.Remove(from)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
