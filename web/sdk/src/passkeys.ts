import { Claims, require } from './claims.ts';
import { isObject } from './strict-json.ts';
import { type Authority, authenticate, checkBinding } from './verify.ts';

/** What the passkeys document must belong to. */
export interface PasskeysExpectations extends Authority {
  readonly subject: string;
  readonly device: string;
  /** The end of the entitlement document that it came with, unix seconds. */
  readonly exp: number;
  readonly rpId: string | undefined;
}

/** Verifies the document that lists the keys a passkey can be verified against offline. */
export async function verifyPasskeys(jws: string, expected: PasskeysExpectations): Promise<void> {
  const { sub, device, exp, rpId } = await authenticate(jws, 'passkeys+jwt', expected, readPasskeys);
  checkBinding({ sub, device }, { subject: expected.subject, device: expected.device });
  require(exp === expected.exp, 'exp');
  require(expected.rpId === undefined || rpId === expected.rpId, 'rp_id');
}

function readPasskeys(claims: Claims) {
  for (const passkey of claims.list('passkeys')) {
    require(isObject(passkey), 'passkeys');
    new Claims(passkey).text('id');
    new Claims(passkey).object('jwk').text('kty');
  }
  return {
    sub: claims.text('sub'),
    device: claims.text('device'),
    iat: claims.time('iat'),
    exp: claims.time('exp'),
    rpId: claims.text('rp_id'),
  };
}
