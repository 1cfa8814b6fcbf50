// Package passkey answers one question: who is this?
//
// Users authenticate with passkeys only: discoverable WebAuthn credentials that verify their user. Registering one
// creates the account; presenting one opens a session. There is no password, no second factor and no lookup of a user
// before the authenticator has answered, so the answers reveal to nobody who has an account.
//
// Registration and authentication are ceremonies of two steps. The first step gives the client the options that a
// browser's parseCreationOptionsFromJSON and parseRequestOptionsFromJSON take, and the sealed state of the ceremony:
// encrypted and authenticated under a secret that replicas share. It stores nothing. The second step opens the state
// that the client returns within five minutes, first stores its id as spent and commits that, and only then examines the
// answer.
//
// The package promises:
//
//   - A ceremony is finished at most once, even under races, and only by its own kind, for its own user, in its time.
//     Every attempt spends it, including a failed one.
//   - A session starts only with a signature by a registered passkey, made for this relying party, from one of its
//     origins, with the user verified in that very ceremony. Its token is new each time, stored only as a hash, and the
//     session that it replaces ends in the same transaction.
//   - A credential id belongs to one user of a relying party, for as long as the passkey exists.
//   - A sign count that does not rise (both zero aside), a backup eligibility that changes and a missing user verification
//     are refused, written to the audit trail if the signature is valid, and reported to the user at the next sign-in. The
//     passkey stays: only the user deletes it.
//   - A user never falls to zero passkeys unless recovery codes are left, and adds no more than MaxPasskeys.
//   - A one-time code adds one passkey and does nothing else. It is spent in the transaction that stores the passkey. If it
//     recovers the account, all other sessions end in that transaction too, and the user gets a notice.
//   - A session keeps the origin of its ceremony, as signed. Staff have their role only in a session of the server's own
//     origin, and only there can passkeys be added to their accounts.
//   - No attestation is verified, and no key is used in arithmetic before its kind and size have been checked.
//   - A user is staff from the start, by invitation, or never: a link or action for a user's account never becomes one for
//     a staff member's. Sessions carry the user's current role; losing it signs the user out. Only an Agent who is an
//     admin can enter such an account from outside, or shut its owner out.
//   - Every failed verification is ErrCredentialRejected, in one shape and, for a known and an unknown credential, with
//     the same work. The reason is in the error chain, for the log.
//   - Results of the prf extension are secrets of the client: they are neither read nor stored.
//
// A Store persists the results; each of its methods is atomic. Config supplies time and randomness. The package also
// holds the admin API's bearer tokens, which answer the same question for machines.
package passkey
