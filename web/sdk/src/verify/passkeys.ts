import { digest } from '../base/digest.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { Claims, require } from './claims.ts';
import { type Authority, authenticate, checkBinding } from './verify.ts';

/** The server's signed list of the user's passkeys. */
export interface PasskeysDocument {
  /** In unix seconds. */
  readonly exp: number;
  readonly rpId: string;
  readonly passkeys: readonly { readonly id: string; readonly jwk: JsonObject }[];
}

/** The user and device that the passkeys document must name. */
export interface PasskeysExpectations extends Authority {
  readonly sub: string;
  readonly device: string;
  readonly rpId: string | undefined;
}

/** Verifies the document with the keys for verifying passkeys offline, in every respect but the time. */
export async function verifyPasskeys(jws: string, expected: PasskeysExpectations): Promise<PasskeysDocument> {
  const { sub, device, rpId } = expected;
  const document = await authenticate(jws, 'passkeys+jwt', expected, readPasskeys);
  checkBinding(document, { sub, device });
  require(rpId === undefined || document.rpId === rpId, 'rp_id');
  return document;
}

/**
 * The digest by which the server recognises the held document: of everything but its signature. Undefined if it does not
 * verify.
 */
export async function passkeysDigest(jws: string, expected: PasskeysExpectations): Promise<string | undefined> {
  const verified = await verifyPasskeys(jws, expected).catch(() => null);
  return verified ? digest(jws.slice(0, jws.lastIndexOf('.'))) : undefined;
}

function readPasskeys(claims: Claims) {
  const passkeys = claims.list('passkeys') as PasskeysDocument['passkeys'];
  for (const passkey of passkeys) {
    const entry = new Claims(passkey, 'passkeys');
    entry.text('id');
    entry.object('jwk').text('kty');
  }
  return {
    sub: claims.text('sub'),
    device: claims.text('device'),
    iat: claims.time('iat'),
    exp: claims.time('exp'),
    rpId: claims.text('rp_id'),
    passkeys,
  };
}
