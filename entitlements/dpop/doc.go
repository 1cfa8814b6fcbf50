// Package dpop checks proofs of possession (RFC 9449) and makes the nonces that keep them fresh.
//
// A proof shows that whoever sends a request holds a private key, here and now. "Now" is the server's: a proof must
// carry a nonce that the server gave out in the last five minutes, so that a device with a wrong clock can prove its
// key as well as any other; the proof's own iat must be there and is not looked at. A nonce is stateless, a sealed
// point in time, and so is good on every replica that shares the secret, and after a restart.
//
// A nonce can be bound to some bytes of the caller's, which come back when it is used.
package dpop
