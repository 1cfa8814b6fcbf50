// Package dpop checks proofs of possession (RFC 9449) and makes the nonces that keep them fresh.
//
// A proof shows that the sender of a request holds a private key, here and now. "Now" is the server's: a proof must
// carry a nonce that the server issued in the last five minutes, so that a device with a wrong clock can prove its key
// as well as any other. The proof's own iat must be present but is not checked. A nonce is stateless, a sealed point in
// time, and so is valid on every replica that shares the secret, and after a restart.
//
// A nonce can be bound to bytes of the caller's choice, which Check returns.
package dpop
