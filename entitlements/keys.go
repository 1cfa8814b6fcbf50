package entitlements

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"holdfast/entitlements/jose"
)

// Keys is what a keys folder holds:
//
//	roots.json          public: the root keys that clients embed
//	keyset.jws          public: the signed keyset
//	signing/<kid>.jwk   private: the keys that sign documents
//	root.jwk            private: the current root; may be carried away
type Keys struct {
	Roots   Roots
	Keyset  Keyset
	Compact string // the keyset as it was signed
	Signing []jose.PrivateKey
	Root    jose.PrivateKey // zero where it was carried away
}

const (
	rootsFile  = "roots.json"
	keysetFile = "keyset.jws"
	rootFile   = "root.jwk"
	signingDir = "signing"
)

// GenerateKeys makes a root, a first signing key, and a keyset of [KeysetLife] that names it.
func GenerateKeys(rand io.Reader, issuer string, now time.Time) (Keys, error) {
	root, err := jose.GenerateKey(rand)
	if err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	signing, err := jose.GenerateKey(rand)
	if err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	keys := Keys{Roots: Roots{Current: root.PublicKey}, Root: root, Signing: []jose.PrivateKey{signing}}
	keys.Keyset = Keyset{
		Issuer: issuer, IssuedAt: now.Unix(), ExpiresAt: now.Add(KeysetLife).Unix(), Version: 1,
		Keys: []KeysetKey{{
			JWK: signing.JWK(), KeyID: signing.ID(), Algorithm: jose.Algorithm, Use: "sig",
			NotBefore: now.Unix(), ExpiresAt: now.Add(KeysetLife).Unix(),
		}},
	}
	if keys.Compact, err = keys.Keyset.sign(root); err != nil {
		return Keys{}, fmt.Errorf("generate keys: %w", err)
	}
	return keys, nil
}

// ForIssuer is the same keys with a keyset of the next version for another issuer. It needs the root's private key.
func (k Keys) ForIssuer(issuer string, now time.Time) (Keys, error) {
	if k.Root.IsZero() {
		return Keys{}, errors.New("the keyset is another issuer's, and the root key that could sign a new one is not here")
	}
	k.Keyset.Issuer, k.Keyset.IssuedAt, k.Keyset.Version = issuer, now.Unix(), k.Keyset.Version+1
	var err error
	if k.Compact, err = k.Keyset.sign(k.Root); err != nil {
		return Keys{}, fmt.Errorf("keyset for %s: %w", issuer, err)
	}
	return k, nil
}

// Files is the folder's content by path.
func (k Keys) Files() (map[string][]byte, error) {
	roots, err := k.Roots.Marshal()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{rootsFile: roots, keysetFile: []byte(k.Compact)}
	for _, key := range k.Signing {
		if files[path.Join(signingDir, key.ID()+".jwk")], err = key.Marshal(); err != nil {
			return nil, err
		}
	}
	if !k.Root.IsZero() {
		if files[rootFile], err = k.Root.Marshal(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// LoadKeys reads a keys folder and checks its keyset against its roots at now. A keyset that was signed for another
// issuer fails with [IssuerMismatch], one that has ended with [KeysetExpired]; the keys come back with both.
func LoadKeys(folder fs.FS, issuer string, now time.Time) (Keys, error) {
	var keys Keys
	text, err := fs.ReadFile(folder, rootsFile)
	if err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	if keys.Roots, err = ParseRoots(text); err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	if text, err = fs.ReadFile(folder, rootFile); err == nil {
		if keys.Root, err = jose.ParsePrivateKey(text); err != nil {
			return Keys{}, fmt.Errorf("load keys: %s: %w", rootFile, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	names, err := fs.Glob(folder, path.Join(signingDir, "*.jwk"))
	if err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	for _, name := range names {
		if text, err = fs.ReadFile(folder, name); err != nil {
			return Keys{}, fmt.Errorf("load keys: %w", err)
		}
		key, err := jose.ParsePrivateKey(text)
		if err != nil {
			return Keys{}, fmt.Errorf("load keys: %s: %w", name, err)
		}
		keys.Signing = append(keys.Signing, key)
	}
	if text, err = fs.ReadFile(folder, keysetFile); err != nil {
		return Keys{}, fmt.Errorf("load keys: %w", err)
	}
	keys.Compact = strings.TrimSpace(string(text))
	if keys.Keyset, err = keys.Roots.VerifyKeyset(keys.Compact, issuer, now); err != nil {
		return keys, fmt.Errorf("load keys: %s: %w", keysetFile, err)
	}
	if _, ok := keys.signer(now); !ok {
		return Keys{}, errors.New("load keys: no private key of a signing key that the keyset names and allows now")
	}
	return keys, nil
}

// signer is the newest key that may sign at now.
func (k Keys) signer(now time.Time) (jose.PrivateKey, bool) {
	var (
		newest jose.PrivateKey
		since  int64
	)
	for _, entry := range k.Keyset.Keys {
		if !entry.covers(now) || !newest.IsZero() && entry.NotBefore < since {
			continue
		}
		for _, key := range k.Signing {
			if key.ID() == entry.KeyID {
				newest, since = key, entry.NotBefore
			}
		}
	}
	return newest, !newest.IsZero()
}
