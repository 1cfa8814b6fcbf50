import { compactVerify } from 'jose/jws/compact/verify';
import { decodeBase64url } from './base64url.ts';
import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';
import { type JsonObject, parseJsonObject } from './strict-json.ts';

/**
 * Verifies a compact JWS (RFC 7515 §7.1) whose header is exactly alg ES256, kid and the given typ, and returns its claims.
 * The checks stand in the order of the codes, so that any verifier of these documents names the same failure.
 *
 * @param key finds the key by kid
 * @param unknown the code when there is none
 */
export async function verifyJws(
  jws: string,
  typ: string,
  key: (kid: string) => CryptoKey | undefined,
  unknown: ErrorCode,
): Promise<JsonObject> {
  const parts = jws.split('.').map(decodeBase64url);
  const [protectedHeader, payload, signature] = parts;
  if (parts.length !== 3 || !protectedHeader || !payload || !signature) throw new HoldfastError('malformed');
  const header = parseJsonObject(protectedHeader);
  if (!header) throw new HoldfastError('malformed');

  const { alg, kid, typ: type } = header;
  const exact = Object.keys(header).sort().join() === 'alg,kid,typ';
  if (!exact || typeof alg !== 'string' || typeof kid !== 'string' || typeof type !== 'string') {
    throw new HoldfastError('header_invalid');
  }
  if (alg !== 'ES256') throw new HoldfastError('algorithm_invalid');
  if (type !== typ) throw new HoldfastError('type_invalid');

  const signer = key(kid);
  if (!signer) throw new HoldfastError(unknown);
  try {
    await compactVerify(jws, signer, { algorithms: ['ES256'] });
  } catch (cause) {
    throw new HoldfastError('signature_invalid', undefined, { cause });
  }

  const claims = parseJsonObject(payload);
  if (!claims) throw new HoldfastError('claims_invalid');
  return claims;
}
