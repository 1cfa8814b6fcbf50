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

// A keys folder is changed file by file, each put in its place whole: first private keys, then what names them. So at
// any moment, and after a crash at any moment, every key that roots.json or keyset.jws names is there. No private key is
// ever overwritten or removed; what is over is moved to withdrawn/.

// proposalFile is a keyset that waits for its root's signature.
const proposalFile = "keyset-proposal.json"

// locked runs a change of a keys folder while no other process changes it. It waits for one that does.
func locked(dir string, change func() error) (err error) {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return noKeys(dir)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer folder.Close() // which unlocks
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

// loadKeys reads a keys folder for a server. It refuses a keyset that has ended; its errors tell what to do.
func loadKeys(dir, origin string, now time.Time) (entitlements.Keys, error) {
	if err := checkFolder(dir); err != nil {
		return entitlements.Keys{}, err
	}
	keys, err := entitlements.LoadKeys(os.DirFS(dir), origin, now)
	if errors.Is(err, entitlements.KeysetExpired) {
		return keys, fmt.Errorf("the keyset in %s has ended: no device would take a document (%w): 'holdfast keys renew'", dir, err)
	}
	if err != nil {
		return keys, fmt.Errorf("keys in %s: %w", dir, err)
	}
	return keys, nil
}

// readKeys reads a keys folder for an operator, who may have to mend it.
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
		if errors.Is(err, fs.ErrNotExist) && folder == entitlements.WithdrawnDir { // nothing was withdrawn yet
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
			if err := checkOwn(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // it was moved since
				return err
			}
			if filepath.Ext(path) == ".jwk" {
				if err := checkPrivate(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	return nil
}

// noKeys says what to do where a keys folder is missing or empty.
func noKeys(dir string) error {
	return fmt.Errorf("there are no keys in %s: name their folder with --keys or --data, or make them with 'holdfast keys init'", dir)
}

// checkOwn refuses a file or folder that belongs to, or can be changed by, another user.
func checkOwn(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (id %d, and this is %d): run as that user, or chown it, and think about who has changed it",
			path, owner.Uid, os.Geteuid())
	}
	if info.Mode()&0o022 != 0 {
		mode := "600"
		if info.IsDir() {
			mode = "700"
		}
		return fmt.Errorf("%s can be changed by others (mode %04o): chmod %s it, and think about who has changed it", path, info.Mode().Perm(), mode)
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
		return fmt.Errorf("the private key %s can be read by others (mode %04o): chmod 600 it, and think about who has read it",
			path, info.Mode().Perm())
	}
	return nil
}

// makeKeys makes a keys folder, whole or not at all. It overwrites nothing. With rootOut, the root's private key goes
// there and never into the folder.
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
			if err != nil { // it has signed nothing that anybody has
				err = errors.Join(err, os.Remove(rootOut))
			}
		}()
		keys.Root = jose.PrivateKey{}
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
	if err := syncDir(unfinished); err != nil {
		return entitlements.Keys{}, err
	}
	return keys, renameFolder(unfinished, dir)
}

// renameFolder puts a folder in the place of none, or of an empty one, for good. It fails if there are keys by now.
func renameFolder(from, to string) error {
	// The system call takes the place of an empty folder, which os.Rename refuses.
	if err := syscall.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return syncDir(filepath.Dir(to))
}

// tidyRoots puts a root's private key aside that is in no slot any more, and gives that of a promoted root its name. It
// says whether there was anything to do.
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

// withdraw moves a private key out of the way, if it is there.
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

// isEmpty says that nothing has the path's name, or an empty folder.
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

// createFile is [writeFile] where nothing has the name. It makes no folders.
func createFile(path string, content []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists: it is not overwritten", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(path, content)
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
