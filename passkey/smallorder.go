package passkey

import (
	"encoding/hex"
	"slices"
)

// smallOrder are the y coordinates of the points on edwards25519 whose order is 1, 2, 4 or 8, in every encoding that
// implementations read, without the sign bit: 0, 1, the two of order 8, and −1, p, p + 1 modulo 2²⁵⁵. Under such a public
// key, signatures verify that nobody had to make: RFC 8032 does not exclude it, and crypto/ed25519 takes it.
//
// Source: the figures are those that libsodium refuses (ge25519_has_small_order)
var smallOrder = [][]byte{
	fromHex("0000000000000000000000000000000000000000000000000000000000000000"),
	fromHex("0100000000000000000000000000000000000000000000000000000000000000"),
	fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	fromHex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	fromHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	fromHex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}

// isSmallOrder tells whether an encoded point, which has 32 bytes, is of small order.
func isSmallOrder(point []byte) bool {
	y := slices.Clone(point)
	y[len(y)-1] &= 0x7f // the sign of x
	return slices.ContainsFunc(smallOrder, func(small []byte) bool { return slices.Equal(small, y) })
}

func fromHex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}
