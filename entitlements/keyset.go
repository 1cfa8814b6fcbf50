package entitlements

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements/jose"
)

const (
	keysetType = "keyset+jwt"
	// KeysetLife is how long a keyset is valid, unless an operator says otherwise.
	KeysetLife = 400 * 24 * time.Hour
	// KeysetWarning is how long before its end a keyset should urgently be renewed.
	KeysetWarning = 60 * 24 * time.Hour
)

// Roots are the public keys that may sign a keyset; clients embed them. Next is zero if there is no next root.
type Roots struct{ Current, Next jose.PublicKey }

// ParseRoots reads roots.json: {"current": JWK, "next": JWK or null}.
func ParseRoots(data []byte) (Roots, error) {
	var file struct {
		Current jsontext.Value `json:"current"`
		Next    jsontext.Value `json:"next"`
	}
	if err := json.Unmarshal(data, &file, json.RejectUnknownMembers(true)); err != nil {
		return Roots{}, fmt.Errorf("roots: %w", err)
	}
	var (
		roots Roots
		err   error
	)
	if roots.Current, err = jose.ParsePublicKey(file.Current); err != nil {
		return Roots{}, fmt.Errorf("roots: current: %w", err)
	}
	if len(file.Next) > 0 && file.Next.Kind() != 'n' {
		if roots.Next, err = jose.ParsePublicKey(file.Next); err != nil {
			return Roots{}, fmt.Errorf("roots: next: %w", err)
		}
	}
	return roots, nil
}

// Marshal writes roots.json.
func (r Roots) Marshal() ([]byte, error) {
	var file struct {
		Current jose.JWK  `json:"current"`
		Next    *jose.JWK `json:"next"`
	}
	file.Current = r.Current.JWK()
	if !r.Next.IsZero() {
		file.Next = new(r.Next.JWK())
	}
	return json.Marshal(file)
}

// Keyset is the list of keys that sign documents, itself signed by a root.
type Keyset struct {
	Issuer    string      `json:"iss"`
	IssuedAt  int64       `json:"iat"` // unix seconds, like all times here
	ExpiresAt int64       `json:"exp"`
	Version   int64       `json:"version"` // only grows
	Keys      []KeysetKey `json:"keys"`

	mark KeysetMark // set where the signature was verified
}

// Mark returns the mark to store once the keyset is taken; it includes the root that signed. Only a keyset whose
// signature was verified has one.
func (k Keyset) Mark() KeysetMark { return k.mark }

// KeysetKey is a signing key with the time in which documents under it may be issued: from NotBefore, and before
// ExpiresAt.
type KeysetKey struct {
	jose.JWK
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	NotBefore int64  `json:"nbf"`
	ExpiresAt int64  `json:"exp"`
}

func newKeysetKey(key jose.PrivateKey, notBefore, end int64) KeysetKey {
	return KeysetKey{JWK: key.JWK(), KeyID: key.ID(), Algorithm: jose.Algorithm, Use: "sig", NotBefore: notBefore, ExpiresAt: end}
}

// sign signs the keyset with a root's private key.
func (k Keyset) sign(root jose.PrivateKey) (string, error) { return jose.Sign(root, keysetType, k) }

// End returns when the keyset ends.
func (k Keyset) End() time.Time { return time.Unix(k.ExpiresAt, 0).UTC() }

// covers reports whether a document may have been issued under the key at that time.
func (k KeysetKey) covers(at time.Time) bool {
	return k.NotBefore <= at.Unix() && at.Unix() < k.ExpiresAt
}

// VerifyKeyset checks a keyset against the roots at now. It fails with a [VerificationError].
func (r Roots) VerifyKeyset(compact, issuer string, now time.Time) (Keyset, error) {
	keyset, err := r.open(compact)
	if err == nil {
		err = keyset.validFor(issuer, now)
	}
	if err != nil {
		return Keyset{}, err
	}
	return keyset, nil
}

// open makes the checks that depend on neither issuer nor time.
func (r Roots) open(compact string) (Keyset, error) {
	message, err := parseTyped(compact, keysetType)
	if err != nil {
		return Keyset{}, err
	}
	root, ok := map[string]jose.PublicKey{r.Current.ID(): r.Current, r.Next.ID(): r.Next}[message.kid]
	if !ok || root.IsZero() {
		return Keyset{}, RootUnknown
	}
	if err := message.Verify(root); err != nil {
		return Keyset{}, SignatureInvalid
	}
	keyset, err := readKeyset(message.Payload)
	if err != nil {
		return Keyset{}, err
	}
	keyset.mark = KeysetMark{Root: root.ID(), Version: keyset.Version, Digest: digest(compact)}
	return keyset, nil
}

func (k Keyset) validFor(issuer string, now time.Time) error {
	if k.Issuer != issuer {
		return IssuerMismatch
	}
	if now.Unix() >= k.ExpiresAt {
		return KeysetExpired
	}
	return nil
}

// check reads the keyset as every verifier will.
func (k Keyset) check() error {
	payload, err := json.Marshal(k)
	if err != nil {
		return err
	}
	_, err = readKeyset(payload)
	return err
}

// jwks returns the keys as a JWK Set (RFC 7517 §5), which any JWT library can read.
func (k Keyset) jwks() ([]byte, error) {
	type key struct {
		jose.JWK
		KeyID     string `json:"kid"`
		Algorithm string `json:"alg"`
		Use       string `json:"use"`
	}
	set := struct {
		Keys []key `json:"keys"`
	}{Keys: make([]key, len(k.Keys))}
	for i, entry := range k.Keys {
		set.Keys[i] = key{JWK: entry.JWK, KeyID: entry.KeyID, Algorithm: entry.Algorithm, Use: entry.Use}
	}
	return json.Marshal(set)
}

// ReadJWKS reads a JWK Set as a keyset of issuer, for a verifier that trusts the connection it came by instead of a root.
// It says nothing of when the keys may be used, and keys of other kinds are skipped. It fails with [ClaimsInvalid].
func ReadJWKS(data []byte, issuer string) (Keyset, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return Keyset{}, ClaimsInvalid
	}
	k := Keyset{Issuer: issuer, ExpiresAt: lastSecond}
	for _, value := range set.Keys {
		if key, err := jose.ParsePublicKey(value); err == nil {
			k.Keys = append(k.Keys, KeysetKey{JWK: key.JWK(), KeyID: key.ID(), Algorithm: jose.Algorithm, Use: "sig", ExpiresAt: lastSecond})
		}
	}
	if len(k.Keys) == 0 {
		return Keyset{}, ClaimsInvalid
	}
	return k, nil
}
