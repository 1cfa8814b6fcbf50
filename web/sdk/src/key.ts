import { decodeBase64url } from './base64url.ts';
import { digest } from './digest.ts';
import { isObject } from './strict-json.ts';

/** The members that make a P-256 public key (RFC 7518 §6.2.1), and no others. */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** Of all keys here, and of what they sign: ES256 in the words of WebCrypto. */
export const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * Picks the public members; null if `value` is no P-256 key or carries the private one. Coordinates are 32 bytes in their
 * one spelling (RFC 7518 §6.2.1.2): platforms read others too, and the key would have a second thumbprint.
 */
export function publicJwk(value: unknown): PublicJwk | null {
  if (!isObject(value) || 'd' in value) return null;
  const { kty, crv, x, y } = value;
  if (kty !== 'EC' || crv !== 'P-256' || !isCoordinate(x) || !isCoordinate(y)) return null;
  return { kty, crv, x, y };
}

function isCoordinate(value: unknown): value is string {
  return typeof value === 'string' && decodeBase64url(value)?.length === 32;
}

/** RFC 7638 thumbprint, SHA-256. */
export function thumbprint({ crv, kty, x, y }: PublicJwk): Promise<string> {
  return digest(JSON.stringify({ crv, kty, x, y }));
}

/** The key of a JWK, known by its thumbprint. Rejects if it is no P-256 public key. */
export async function readPublicKey(value: unknown): Promise<{ kid: string; key: CryptoKey }> {
  const jwk = publicJwk(value);
  if (!jwk) throw new TypeError('not a P-256 public key');
  return { kid: await thumbprint(jwk), key: await importPublicKey(jwk) };
}

/** For verifying only. Rejects if the coordinates are not a point on the curve. */
export function importPublicKey(jwk: PublicJwk): Promise<CryptoKey> {
  return crypto.subtle.importKey('jwk', { ...jwk }, algorithm, true, ['verify']);
}
