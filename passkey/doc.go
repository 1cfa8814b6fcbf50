// Package passkey answers one question: who is this?
//
// A user is known by passkeys alone: discoverable WebAuthn credentials that verify their user. Registering one makes
// the account; presenting one opens a session. There is no password, no second kind of factor and nothing to look a
// user up by before the authenticator has spoken, so the answers tell nobody who has an account.
//
// Both acts are ceremonies of two steps. The first step gives the client the options that a browser's
// parseCreationOptionsFromJSON and parseRequestOptionsFromJSON take, and what was asked of the authenticator, sealed:
// encrypted and authenticated under a secret that replicas share. It stores nothing. The second step opens what the client
// brings back within five minutes, first stores its id as spent and commits that, and only then looks at the answer.
//
// What the package promises:
//
//   - A ceremony is finished at most once, whoever races, and only by its own kind, for its own user, in its time.
//     Every try spends it, a failed one too.
//   - A session starts only with a signature by a registered passkey, made for this relying party, from one of its
//     origins, with the user verified in that very act. Its token is new each time, kept only as a hash, and the
//     session that it replaces ends in the same transaction.
//   - A credential id belongs to one user of a relying party, for as long as the passkey exists.
//   - A sign count that does not rise (both zero aside), a backup eligibility that changes and a missing user verification
//     are refused, written to the audit trail where the signature is good, and told to the user at the next sign-in. The
//     passkey stays: it is for the user to delete it.
//   - A user never falls to zero passkeys unless recovery codes are left, and adds no more than MaxPasskeys.
//   - A one-time code adds one passkey and does nothing else. It is spent in the transaction that stores the passkey; if it
//     recovers the account, all other sessions end there too, and the user is told.
//   - A session keeps the origin of its ceremony, as signed. Staff have their role only in a session of the server's own
//     origin, and only there can passkeys be added to their accounts.
//   - No attestation is verified, and no key is used in arithmetic before its kind and size have been checked.
//   - A user is staff from the first, by invitation, or never: nothing that was done with a user's account becomes something
//     done with a staff member's. Sessions carry the user's current role; losing it signs the user out. Only an Agent who is
//     an admin can enter such an account from outside, or shut its owner out.
//   - Whatever fails to verify is ErrCredentialRejected, in one shape and, for a known and an unknown credential, with
//     the same work. The reason is in the error chain, for the log.
//   - Results of the prf extension are secrets of the client: they are neither read nor kept.
//
// Persistence is behind Store, whose methods are each atomic. Time and randomness come in through Config. The admin
// API's bearer tokens live here as well: they answer the same question for machines.
package passkey
