import { createHash } from 'node:crypto';
import { decodeBase64url, type JsonObject, parseJsonObject, publicJwk, thumbprint } from '@holdfast/client/verifier';
import { compactVerify, importJWK } from 'jose';

/** The longest jti, in characters. */
const maxJti = 64;

/** The longest proof, in characters. */
const maxProof = 8192;

/** A proof whose form, signature, method, URL and document have been checked. */
export interface Proof {
  /** RFC 7638 thumbprint of the device's key. */
  readonly jkt: string;
  readonly jti: string;
  /** '' if the proof has none. */
  readonly nonce: string;
  /** SHA-256 of the request's body (base64url), if the proof was made for it. */
  readonly body: string | undefined;
}

/**
 * Checks a DPoP proof (RFC 9449 §4.3) for a request of `method` to `target`, which presents `document`. Null if it is not
 * valid. The header is exactly typ, alg and jwk. The iat may be any number: the nonce is what makes the proof fresh.
 */
export async function readProof(jws: string, method: string, target: string, document: string): Promise<Proof | null> {
  try {
    const [header, payload, signature] = jws.length > maxProof ? [] : jws.split('.').map(decodeBase64url);
    const head = header && parseJsonObject(header);
    const jwk = head && publicJwk(head.jwk);
    const exact = head?.typ === 'dpop+jwt' && head.alg === 'ES256' && Object.keys(head).length === 3;
    if (!exact || !jwk || !payload || !signature) return null;
    const claims = parseJsonObject(payload);
    if (!claims || !fits(claims, method, target, document)) return null;
    await compactVerify(jws, await importJWK({ ...jwk }, 'ES256'), { algorithms: ['ES256'] });
    return { jkt: await thumbprint(jwk), jti: claims.jti, nonce: claims.nonce ?? '', body: claims.body };
  } catch {
    return null;
  }
}

function fits(
  claims: JsonObject,
  method: string,
  target: string,
  document: string,
): claims is { jti: string; nonce?: string; body?: string } {
  const { jti, htm, htu, iat, nonce, ath, body } = claims;
  return (
    typeof jti === 'string' &&
    jti !== '' &&
    [...jti].length <= maxJti &&
    typeof iat === 'number' &&
    htm === method &&
    typeof htu === 'string' &&
    isTarget(htu, target) &&
    (nonce === undefined || typeof nonce === 'string') &&
    ath === createHash('sha256').update(document).digest('base64url') &&
    (body === undefined || (typeof body === 'string' && decodeBase64url(body)?.length === 32))
  );
}

/** Compares without query and fragment (RFC 9449 §4.3, number 9). */
function isTarget(htu: string, target: string): boolean {
  return htu.replace(/[?#].*$/s, '') === target;
}

/** Whether these are the bytes that the proof was made for; so if it names none. */
export function isBodyOf(proof: Proof, body: Uint8Array | string): boolean {
  return proof.body === undefined || proof.body === createHash('sha256').update(body).digest('base64url');
}
