package passkey

import (
	"bytes"

	"filippo.io/edwards25519"
)

// isSafeEd25519 reports whether the key is a point of the curve in its canonical encoding (RFC 8032 §5.1.3) and not of
// small order. Anybody can make signatures that verify under a key of small order (§5.1.7 lets them pass). The page's
// offline verifier refuses the same keys.
func isSafeEd25519(key []byte) bool {
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil || !bytes.Equal(point.Bytes(), key) {
		return false
	}
	return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 0
}
