import { decodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { parseJsonObject } from '../base/strict-json.ts';
import { Claims } from './claims.ts';
import { algorithm } from './key.ts';

/**
 * Verifies a compact JWS (RFC 7515 §7.1) whose header is exactly alg ES256, kid and the given typ, and returns its claims
 * and the signer. The checks follow the order of the codes, so that every verifier of these documents reports the same
 * failure.
 *
 * @param find finds the signer by kid
 * @param unknown the code when there is none
 */
export async function verifyJws<T extends { readonly key: CryptoKey }>(
  jws: string,
  typ: string,
  find: (kid: string) => T | undefined,
  unknown: ErrorCode,
): Promise<{ claims: Claims; signer: T }> {
  const parts = jws.split('.').map(decodeBase64url);
  const [protectedHeader, payload, signature] = parts;
  const header = protectedHeader && parseJsonObject(protectedHeader);
  if (parts.length !== 3 || !header || !payload || !signature) throw new HoldfastError('malformed');

  const exact =
    Object.keys(header).length === 3 && ['alg', 'kid', 'typ'].every((name) => typeof header[name] === 'string');
  if (!exact) throw new HoldfastError('header_invalid');
  if (header.alg !== 'ES256') throw new HoldfastError('algorithm_invalid');
  if (header.typ !== typ) throw new HoldfastError('type_invalid');

  const signer = find(header.kid as string);
  if (!signer) throw new HoldfastError(unknown);
  const signed = new TextEncoder().encode(jws.slice(0, jws.lastIndexOf('.')));
  const verified = await crypto.subtle.verify(algorithm, signer.key, signature, signed);
  if (!verified) throw new HoldfastError('signature_invalid');

  return { claims: new Claims(parseJsonObject(payload), 'payload'), signer };
}
