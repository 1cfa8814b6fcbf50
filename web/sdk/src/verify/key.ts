import { decodeBase64url } from '../base/base64url.ts';
import { digest } from '../base/digest.ts';
import { isObject } from '../base/strict-json.ts';

/** The members that make a P-256 public key (RFC 7518 §6.2.1), and no others. */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** The WebCrypto parameters of ES256, for all keys here and their signatures. */
export const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * Picks the public members; null if `value` is not a P-256 key or contains the private one. Coordinates must be 32 bytes in
 * their canonical encoding (RFC 7518 §6.2.1.2): platforms accept others, which would give the key a second thumbprint.
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

/** Imports a JWK, with its thumbprint as kid. Rejects if it is not a P-256 public key. */
export async function readPublicKey(value: unknown): Promise<{ kid: string; key: CryptoKey }> {
  const jwk = publicJwk(value);
  if (!jwk) throw new TypeError('not a P-256 public key');
  return { kid: await thumbprint(jwk), key: await importPublicKey(jwk) };
}

/** Imports a key for verifying. Rejects if the coordinates are not a point on the curve. */
export function importPublicKey(jwk: PublicJwk): Promise<CryptoKey> {
  return crypto.subtle.importKey('jwk', { ...jwk }, algorithm, true, ['verify']);
}
