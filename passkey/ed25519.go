package passkey

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
)

// smallOrder are the y coordinates of the eight points of Ed25519 whose order divides 8, little-endian: 0, 1, −1 and the
// two of order 8. Listed in Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020).
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

// isSafeEd25519 tells whether the key is none of small order, under which anybody can make a signature that verifies
// (RFC 8032 §5.1.7 lets them pass), and no second spelling of a point, with y of 2^255 − 19 or more (§5.1.3). The page's
// offline verifier refuses the same keys.
func isSafeEd25519(key []byte) bool {
	if len(key) != ed25519.PublicKeySize {
		return false
	}
	y := slices.Clone(key)
	y[31] &= 0x7f // the sign of x
	notFull := func(b byte) bool { return b != 0xff }
	reduced := y[0] < 0xed || slices.ContainsFunc(y[1:31], notFull) || y[31] != 0x7f
	return reduced && !slices.Contains(smallOrder, hex.EncodeToString(y))
}
