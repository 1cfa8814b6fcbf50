// Package jose reads and writes the one shape of signed message that Holdfast uses: a JWS in compact serialization
// (RFC 7515 §7.1), signed with ECDSA on P-256 (ES256, RFC 7518 §3.4), its key named by an RFC 7638 thumbprint.
//
// Parsing is strict. A message that [Parse] accepts has three parts of canonical base64url without padding, a header
// that is one JSON object without duplicate members, and nothing else; its content is untrusted until [Message.Verify]
// has returned nil. A key that is not a P-256 point is refused.
//
// Every use of the JOSE library is in this package, so that moving to another one changes nothing outside.
package jose
