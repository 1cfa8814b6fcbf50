import { decodeBase64url, encodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { isObject, type JsonObject, parseJsonObject } from '../base/strict-json.ts';
import { userHandle } from '../base/user-handle.ts';
import type { PasskeyKey } from './passkey-key.ts';

/** The values that an assertion must match: those of one prompt on this page, for its signed-in user. */
export interface AssertionExpectations {
  /** The random bytes of this prompt, never reused. */
  readonly challenge: Uint8Array;
  /** The page's origin. */
  readonly origin: string;
  readonly rpId: string;
  /** The signed-in user's id. */
  readonly user: string;
  /** The user's own passkeys, by credential id (base64url). */
  readonly keys: ReadonlyMap<string, PasskeyKey>;
}

/** Bits of the authenticator data's flags (WebAuthn L3 §6.1). */
const flag = {
  userPresent: 0x01,
  userVerified: 0x04,
  backupEligible: 0x08,
  backedUp: 0x10,
  attested: 0x40,
  extended: 0x80,
};

/** RP ID hash, flags and counter. */
const plainLength = 32 + 1 + 4;

/**
 * Verifies an assertion (AuthenticationResponseJSON, WebAuthn L3 §5.1.8) as §7.2 requires of a relying party, without a
 * server. Rejects with `passkey_unknown` if the passkey is not one of the user's, and with `assertion_invalid` for every
 * other failure.
 *
 * The signature counter (step 22) is not checked. A counter reveals a copied passkey only to a verifier that sees all of its
 * sign-ins. This device sees only its own, cannot store a number that its owner could not roll back, and could only lock
 * that owner out. The server checks the counter.
 */
export async function verifyAssertion(assertion: JsonObject, expected: AssertionExpectations): Promise<void> {
  const { id, rawId, type, response } = assertion;
  // Steps 5 and 6: the user was known before the prompt, so the handle may be missing but must not be another user's.
  require(typeof id === 'string' && id === rawId && type === 'public-key' && isObject(response), 'credential');
  const key = expected.keys.get(id);
  if (!key) throw new HoldfastError('passkey_unknown');
  const handle = response.userHandle ?? null;
  require(handle === null || handle === userHandle(expected.user), 'userHandle');

  const clientDataJson = readBytes(response, 'clientDataJSON');
  const authenticatorData = readBytes(response, 'authenticatorData');
  const signature = readBytes(response, 'signature');
  checkClientData(clientDataJson, expected);
  await checkAuthenticatorData(authenticatorData, expected);

  // Steps 20 and 21.
  const signed = new Uint8Array([...authenticatorData, ...(await sha256(clientDataJson))]);
  require(await key(signature, signed), 'signature');
}

/**
 * Steps 8 to 14, on the bytes that were signed (§5.8.1). The page never prompts while framed by another origin, so the
 * client data must not say so either.
 */
function checkClientData(json: Uint8Array<ArrayBuffer>, { challenge, origin }: AssertionExpectations): void {
  const data = parseJsonObject(json);
  require(data !== null, 'clientDataJSON');
  const own = (name: string) => (Object.hasOwn(data, name) ? data[name] : undefined);
  require(own('type') === 'webauthn.get', 'type');
  require(own('challenge') === encodeBase64url(challenge), 'challenge');
  require(own('origin') === origin, 'origin');
  require(own('crossOrigin') === undefined || own('crossOrigin') === false, 'crossOrigin');
  require(own('topOrigin') === undefined, 'topOrigin');
}

/** Steps 15 to 19. Extensions are covered by the signature; none was requested and none is read. */
async function checkAuthenticatorData(data: Uint8Array<ArrayBuffer>, { rpId }: AssertionExpectations): Promise<void> {
  require(data.length >= plainLength, 'authenticatorData');
  const rpIdHash = await sha256(new TextEncoder().encode(rpId));
  require(rpIdHash.every((byte, index) => byte === data[index]), 'rpIdHash');
  const flags = data[32] ?? 0;
  const has = (bit: number) => (flags & bit) !== 0;
  require(has(flag.userPresent), 'user presence');
  require(has(flag.userVerified), 'user verification');
  require(has(flag.backupEligible) || !has(flag.backedUp), 'backup state');
  // An assertion has no attested credential data (§6.1), and without extensions nothing follows the counter.
  require(!has(flag.attested) && has(flag.extended) === data.length > plainLength, 'authenticatorData');
}

function readBytes(response: JsonObject, name: string): Uint8Array<ArrayBuffer> {
  const value = response[name];
  const bytes = typeof value === 'string' ? decodeBase64url(value) : null;
  require(bytes !== null, name);
  return bytes;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new HoldfastError('assertion_invalid', `assertion_invalid: ${what}`);
}
