/** Why a signed document or keyset was refused, in the order of the checks. */
const verifierCodes = [
  'malformed',
  'header_invalid',
  'algorithm_invalid',
  'type_invalid',
  'root_unknown',
  'key_unknown',
  'signature_invalid',
  'claims_invalid',
  'issuer_mismatch',
  'audience_mismatch',
  'key_outside_validity',
  'keyset_expired',
  'expired',
  'subject_mismatch',
  'device_mismatch',
  'proof_mismatch',
  'revision_rollback',
  'keyset_rollback',
  'clock_behind',
] as const;

/** The codes of the server's problem documents (RFC 9457). Later servers may send others. */
const problemCodes = [
  'invalid_request',
  'unsupported_media_type',
  'payload_too_large',
  'method_not_allowed',
  'not_found',
  'unauthenticated',
  'reauthentication_required',
  'forbidden',
  'cross_origin',
  'ceremony_invalid',
  'credential_rejected',
  'last_passkey',
  'use_dpop_nonce',
  'invalid_dpop_proof',
  'device_unknown',
  'device_limit',
  'device_forked',
  'lineage_invalid',
  'ledger_invalid',
  'conflict',
  'rate_limited',
  'unavailable',
  'internal',
] as const;

/** Failures on this device, before or instead of an answer. */
const clientCodes = [
  /** The server was not reached, or something else answered. */
  'no_contact',
  /** IndexedDB is blocked, broken or full; {@link Holdfast.storage} says which. */
  'storage_unavailable',
  /** The roots could not be loaded or are not two P-256 public keys. */
  'roots_unavailable',
  /** The browser cannot keep a device key, or cannot sign with it. */
  'device_key_unavailable',
  /** Nobody is signed in on this device. */
  'signed_out',
  /** The user, the platform or the caller's signal ended the passkey prompt. */
  'cancelled',
  /** The passkey prompt took too long. */
  'timeout',
  /** This browser has no WebAuthn, or no authenticator that fits; or there is no browser, as in server-side rendering. */
  'not_supported',
  /** The passkey prompt failed: the browser or an extension returned an error, or something other than a passkey. */
  'prompt_failed',
  /** The authenticator already holds a passkey of this account. */
  'already_registered',
  /** The page's origin may not use this relying party's passkeys. */
  'origin_refused',
  /** As far as this device knows, the passkey is not one of the signed-in user's. */
  'passkey_unknown',
  /** The authenticator's answer does not verify: it belongs to another prompt, page or key, or the user was not verified. */
  'assertion_invalid',
  /** This device has no verified passkey to open a locked page with: only an online sign-in can. */
  'passkeys_unavailable',
  /** The page is locked, so no act is recorded. */
  'locked',
  /** The held document does not grant the act's feature. */
  'not_granted',
  /** The feature's limit is used up, as far as this device knows. */
  'over_limit',
  /** The payload is no JSON value that all parsers read alike. */
  'payload_invalid',
  /** The payload is nested too deep. */
  'payload_too_deep',
  /** There is no room to store the act. */
  'storage_full',
  /** The app's own write failed (`cause`), so the act was not recorded either. */
  'write_failed',
  /** The authenticator or browser has no PRF extension (WebAuthn L3 §10.1.4), so it can open no vault. */
  'prf_unavailable',
  /** The vault is locked: `unlock()` opens it. */
  'vault_locked',
  /** This device holds no key that this passkey opens, and the server could not be asked (`cause`). */
  'vault_keys_missing',
  /** The server's answer is no hand-over of content keys to this device. */
  'vault_keys_invalid',
  /** The stored keys do not open with this passkey: they were changed, or the passkey was. */
  'vault_wrap_invalid',
  /** The sealed data is that of another id. */
  'vault_id_mismatch',
  /** The sealed data, or a record of the vault, was changed. */
  'vault_tampered',
  /** The end of the sealed data is missing. */
  'vault_truncated',
  /** The chunks of the sealed data are in another order. */
  'vault_reordered',
  /** This device has no content key of the epoch that the data is sealed under. */
  'vault_epoch_unknown',
  /** The key or the data is of an earlier epoch than this device has seen. */
  'vault_epoch_rollback',
  /** The sealed data is older than what this device has seen of the same id. */
  'vault_replayed',
  /** The client's `close()` was called before. */
  'closed',
  /** `fetch` and `proof` send the document only to https or to this machine. */
  'url_insecure',
  /** The option `origin` is not an origin such as https://app.example.org. */
  'origin_invalid',
] as const;

/**
 * Every code a {@link HoldfastError} or an entitlement can carry. Codes are stable; messages are not.
 *
 * @example
 * const silent: ErrorCode[] = ["cancelled", "no_contact"];
 */
export type ErrorCode = (typeof verifierCodes)[number] | (typeof problemCodes)[number] | (typeof clientCodes)[number];
