package entitlements

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/entitlements/jose"
)

// Keys is the content of a keys folder:
//
//	roots.json            public: the root keys that clients embed
//	keyset.jws            public: the signed keyset
//	signing/<kid>.jwk     private: the keys that sign documents
//	root.jwk              private: the current root; may be moved offline
//	root-next.jwk         private: the next root; may be moved offline
//	withdrawn/<kid>.jwk   private: keys that no keyset names any more; nothing reads them
//
// Private keys are matched by thumbprint, so a root may be in either of the two files.
type Keys struct {
	Roots    Roots
	Keyset   Keyset
	Compact  string // the keyset as it was signed
	Signing  []jose.PrivateKey
	Root     jose.PrivateKey // of Roots.Current; zero if it was moved offline
	NextRoot jose.PrivateKey // of Roots.Next; likewise
}

// The names in a keys folder.
const (
	RootsFile    = "roots.json"
	KeysetFile   = "keyset.jws"
	RootFile     = "root.jwk"
	NextRootFile = "root-next.jwk"
	SigningDir   = "signing"
	WithdrawnDir = "withdrawn"
)

// GenerateKeys makes a root, a first signing key, and a keyset valid for [KeysetLife] that names the key.
func GenerateKeys(rand io.Reader, issuer string, now time.Time) (Keys, error) {
	root, err := jose.GenerateKey(rand)
	if err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	signing, err := newSigningKey(rand)
	if err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	end := now.Add(KeysetLife).Unix()
	keys := Keys{Roots: Roots{Current: root.PublicKey}, Root: root, Signing: []jose.PrivateKey{signing}}
	keyset := Keyset{
		Issuer: issuer, IssuedAt: now.Unix(), ExpiresAt: end, Version: 1,
		Keys: []KeysetKey{newKeysetKey(signing, now.Unix(), end)},
	}
	if err := keys.sign(keyset, root); err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	return keys, nil
}

// sign signs a keyset and makes it the present one, re-read as verifiers read it.
func (k *Keys) sign(keyset Keyset, root jose.PrivateKey) (err error) {
	if k.Compact, err = keyset.sign(root); err != nil {
		return err
	}
	k.Keyset, err = k.Roots.open(k.Compact)
	return err
}

// newSigningKey makes a key whose thumbprint can be given to 'keys retire'. A thumbprint that begins with a hyphen, as
// one in 64 does, would be taken for a flag.
func newSigningKey(rand io.Reader) (jose.PrivateKey, error) {
	for {
		key, err := jose.GenerateKey(rand)
		if err != nil || key.ID()[0] != '-' {
			return key, err
		}
	}
}

// ForIssuer returns the same keys with a keyset of the next version for another issuer. It needs the private key of the
// root that signed the present keyset.
func (k Keys) ForIssuer(issuer string, now time.Time) (Keys, error) {
	root, ok := k.RootKey(k.Keyset.mark.Root)
	if !ok {
		return Keys{}, errors.New("the keyset is another issuer's, and the root key that could sign a new one is not here")
	}
	keyset := k.next(now)
	keyset.Issuer = issuer
	if err := k.sign(keyset, root); err != nil {
		return Keys{}, fmt.Errorf("keyset for %s: %w", issuer, err)
	}
	return k, nil
}

// RootKey returns the private key of the root with that thumbprint, if the folder holds it.
func (k Keys) RootKey(id string) (jose.PrivateKey, bool) {
	for _, root := range []jose.PrivateKey{k.Root, k.NextRoot} {
		if !root.IsZero() && root.ID() == id {
			return root, true
		}
	}
	return jose.PrivateKey{}, false
}

// Files returns the folder's content by path.
func (k Keys) Files() (map[string][]byte, error) {
	roots, err := k.Roots.Marshal()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{RootsFile: roots, KeysetFile: []byte(k.Compact)}
	private := map[string]jose.PrivateKey{RootFile: k.Root, NextRootFile: k.NextRoot}
	for _, key := range k.Signing {
		private[path.Join(SigningDir, key.ID()+".jwk")] = key
	}
	for name, key := range private {
		if key.IsZero() {
			continue
		}
		if files[name], err = key.Marshal(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// LoadKeys reads a keys folder for a server: the keyset must be valid at now and for issuer, and the keys must suffice
// for it (see [Keys.Usable]). It fails with [IssuerMismatch] for a keyset of another issuer and with [KeysetExpired] for
// one that has ended; it returns the keys with both errors.
func LoadKeys(folder fs.FS, issuer string, now time.Time) (Keys, error) {
	keys, err := ReadKeys(folder)
	if err != nil {
		return Keys{}, err
	}
	if err := keys.Keyset.validFor(issuer, now); err != nil {
		return keys, fmt.Errorf("load keys: %s: %w", KeysetFile, err)
	}
	if err := keys.Usable(now); err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	return keys, nil
}

// ReadKeys reads a keys folder and verifies that one of its roots signed its keyset. The caller must judge the keyset's
// issuer and end, and whether the private keys suffice.
//
// ReadKeys reads the keyset before the private keys, because writers store a key before the keyset that names it.
func ReadKeys(folder fs.FS) (Keys, error) {
	var keys Keys
	text, err := fs.ReadFile(folder, RootsFile)
	if err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	if keys.Roots, err = ParseRoots(text); err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	if text, err = fs.ReadFile(folder, KeysetFile); err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	keys.Compact = strings.TrimSpace(string(text))
	if keys.Keyset, err = keys.Roots.open(keys.Compact); err != nil {
		return Keys{}, fmt.Errorf("load keys: %s: %w", KeysetFile, err)
	}
	for _, name := range []string{RootFile, NextRootFile} {
		key, err := readPrivateKey(folder, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return Keys{}, err
		case key.ID() == keys.Roots.Current.ID():
			keys.Root = key
		case key.ID() == keys.Roots.Next.ID():
			keys.NextRoot = key
		}
	}
	names, err := fs.Glob(folder, path.Join(SigningDir, "*.jwk"))
	if err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	for _, name := range names {
		key, err := readPrivateKey(folder, name)
		if err != nil {
			return Keys{}, err
		}
		keys.Signing = append(keys.Signing, key)
	}
	return keys, nil
}

func readPrivateKey(folder fs.FS, name string) (jose.PrivateKey, error) {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("load keys: %w", err)
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("load keys: %s: %w", name, err)
	}
	return key, nil
}

// Usable fails unless a key may sign at now and the folder holds the private half of every key that may sign at now or
// later: a missing half must be noticed when the key is published, not when its turn comes.
func (k Keys) Usable(now time.Time) error {
	for _, entry := range k.Keyset.Keys {
		if now.Unix() < entry.ExpiresAt && !k.has(entry.KeyID) {
			return fmt.Errorf("the private key of signing key %s, which the keyset names, is not here", entry.KeyID)
		}
	}
	if _, ok := k.Signer(now); !ok {
		return k.noSigner(now)
	}
	return nil
}

// noSigner returns the reason why no key can sign at now.
func (k Keys) noSigner(now time.Time) error {
	if slices.ContainsFunc(k.Keyset.Keys, func(entry KeysetKey) bool { return entry.covers(now) }) {
		return errors.New("the private half of the key that may sign now is not here")
	}
	for _, entry := range k.Keyset.Keys {
		if now.Unix() < entry.NotBefore {
			return fmt.Errorf("%w: it shows %s, a key may sign from %s", ErrBeforeKeys,
				now.UTC().Format(time.RFC3339), time.Unix(entry.NotBefore, 0).UTC().Format(time.RFC3339))
		}
	}
	return ErrKeysetEnded
}

func (k Keys) has(id string) bool {
	return slices.ContainsFunc(k.Signing, func(key jose.PrivateKey) bool { return key.ID() == id })
}

// SigningKey is a signing key with its entry in the keyset.
type SigningKey struct {
	jose.PrivateKey
	Entry KeysetKey
}

// Signer returns the key that signs at now: the newest one that may sign and whose private half is present.
func (k Keys) Signer(now time.Time) (signer SigningKey, ok bool) {
	for _, entry := range k.Keyset.Keys {
		if !entry.covers(now) || ok && entry.NotBefore < signer.Entry.NotBefore {
			continue
		}
		for _, key := range k.Signing {
			if key.ID() == entry.KeyID {
				signer, ok = SigningKey{key, entry}, true
			}
		}
	}
	return signer, ok
}
