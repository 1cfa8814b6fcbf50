package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"holdfast/entitlements"
	"holdfast/entitlements/vault"
	"holdfast/sql"
	"holdfast/sql/local"
)

// vaultFile, in the keys folder, is the keyring that wraps content keys.
const vaultFile = "vault.jwks"

func readKeyring(dir string) (vault.Keyring, error) {
	path := filepath.Join(dir, vaultFile)
	if err := checkPrivate(path); err != nil {
		return vault.Keyring{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return vault.Keyring{}, err
	}
	ring, err := vault.ParseKeyring(text)
	if err != nil {
		return vault.Keyring{}, fmt.Errorf("%s: %w", path, err)
	}
	return ring, nil
}

func writeKeyring(dir string, ring vault.Keyring) error {
	text, err := ring.Marshal()
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, vaultFile), text)
}

// newKeyring adds the first keyring to the files of a new keys folder.
func newKeyring() ([]byte, error) {
	ring, err := vault.Keyring{}.Add(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ring.Marshal()
}

// vaultKeys is the [vault.Wrapper] of a server. It reads the keys folder again when a content key was wrapped with a key that
// it does not know: another replica may have been given a newer one first.
type vaultKeys struct {
	dir string

	mu   sync.Mutex
	ring vault.Keyring
}

// newVaultKeys returns nil if the folder has no keyring.
func newVaultKeys(dir string) (vault.Wrapper, error) {
	ring, err := readKeyring(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a server without a vault is no failure
	}
	if err != nil {
		return nil, err
	}
	return &vaultKeys{dir: dir, ring: ring}, nil
}

func (k *vaultKeys) present() vault.Keyring {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring
}

// Wrap implements [vault.Wrapper].
func (k *vaultKeys) Wrap(ctx context.Context, key []byte, purpose string) (vault.Wrapped, error) {
	return k.present().Wrap(ctx, key, purpose)
}

// Unwrap implements [vault.Wrapper].
func (k *vaultKeys) Unwrap(ctx context.Context, wrapped vault.Wrapped, purpose string) ([]byte, error) {
	key, err := k.present().Unwrap(ctx, wrapped, purpose)
	if unknown := (*vault.UnknownKeyError)(nil); !errors.As(err, &unknown) {
		return key, err
	}
	ring, err := readKeyring(k.dir)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.ring = ring
	k.mu.Unlock()
	return ring.Unwrap(ctx, wrapped, purpose)
}

type keysVaultRotateCommand struct {
	keysLocation `embed:""`
}

func (c keysVaultRotateCommand) Run(con console) error {
	return locked(c.dir(), func() error {
		ring, err := readKeyring(c.dir())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if ring, err = ring.Add(rand.Reader); err != nil {
			return err
		}
		if err := writeKeyring(c.dir(), ring); err != nil {
			return err
		}
		_, err = fmt.Fprintf(con.out, "Made wrapping key %s. Give %s to every server, and restart them; then 'holdfast keys vault rewrap' wraps the content keys with it.\n",
			ring.IDs()[0], filepath.Join(c.dir(), vaultFile))
		return err
	})
}

type keysVaultRewrapCommand struct {
	Database
	keysLocation `embed:""`
}

func (c keysVaultRewrapCommand) Run(ctx context.Context, con console) error {
	return c.withKeys(ctx, con, func(store entitlements.WrappedKeys) error {
		ring, err := readKeyring(c.dir())
		if err != nil {
			return err
		}
		changed, err := entitlements.Rewrap(ctx, store, ring)
		if err != nil {
			return fmt.Errorf("after %d content keys: %w", changed, err)
		}
		_, err = fmt.Fprintf(con.out, "Wrapped %d content keys with %s.\n", changed, ring.IDs()[0])
		return err
	})
}

func (c keysVaultRewrapCommand) withKeys(ctx context.Context, con console, do func(entitlements.WrappedKeys) error) (err error) {
	url, stop, err := c.address(ctx, c.DataFolder, local.Runtime, newLogger(con.err, slog.LevelInfo))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	db, err := sql.OpenDatabase(ctx, url, minPool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db.Entitlements)
}

type keysVaultRetireCommand struct {
	keysVaultRewrapCommand `embed:""`
	Key                    string `arg:"" name:"kid" help:"The wrapping key."`
}

func (c keysVaultRetireCommand) Run(ctx context.Context, con console) error {
	return c.withKeys(ctx, con, func(store entitlements.WrappedKeys) error {
		return locked(c.dir(), func() error {
			ring, err := readKeyring(c.dir())
			if err != nil {
				return err
			}
			if !slices.Contains(ring.IDs(), c.Key) {
				return fmt.Errorf("%s has no key %q: it has %q", vaultFile, c.Key, ring.IDs())
			}
			ring, ok := ring.Without(c.Key)
			if !ok {
				return fmt.Errorf("%s is the key that wraps: 'holdfast keys vault rotate' makes another one", c.Key)
			}
			n, err := store.WrappedBy(ctx, c.Key)
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%s still wraps %d content keys: 'holdfast keys vault rewrap' first, once every server has been restarted with the newer key", c.Key, n)
			}
			if err := writeKeyring(c.dir(), ring); err != nil {
				return err
			}
			_, err = fmt.Fprintf(con.out, "Removed wrapping key %s. Backups made before the rewrap still need it: keep a copy as long as those.\n", c.Key)
			return err
		})
	})
}
