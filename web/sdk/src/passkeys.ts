import { Claims, require } from './claims.ts';
import { digest } from './digest.ts';
import type { JsonObject } from './strict-json.ts';
import { type Authority, authenticate, checkBinding } from './verify.ts';

/** The user's passkeys, as the server knows them. */
export interface PasskeysDocument {
  /** Unix seconds. */
  readonly exp: number;
  readonly rpId: string;
  readonly passkeys: readonly { readonly id: string; readonly jwk: JsonObject }[];
}

/** What the passkeys document must belong to. */
export interface PasskeysExpectations extends Authority {
  readonly sub: string;
  readonly device: string;
  readonly rpId: string | undefined;
}

/** Verifies the document that lists the keys a passkey can be verified against offline, in every respect but the time. */
export async function verifyPasskeys(jws: string, expected: PasskeysExpectations): Promise<PasskeysDocument> {
  const { sub, device, rpId } = expected;
  const document = await authenticate(jws, 'passkeys+jwt', expected, readPasskeys);
  checkBinding(document, { sub, device });
  require(rpId === undefined || document.rpId === rpId, 'rp_id');
  return document;
}

/** What the server recognises the held document by: the digest of all but its signature. Undefined where it does not verify. */
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
