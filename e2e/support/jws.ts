import { createPrivateKey, sign } from 'node:crypto';

export interface Claims {
  [name: string]: unknown;
  exp: number;
  skew: number;
  rev: number;
  proof: string;
  device: string;
  features: Record<string, { limit?: number }>;
}

export function claimsOf(jws: string): Claims {
  return parse(jws, 1) as Claims;
}

export interface KeysetClaims {
  exp: number;
  version: number;
  keys: { kid: string }[];
}

export function keysetOf(jws: string): KeysetClaims {
  return parse(jws, 1) as KeysetClaims;
}

/** The kid in a message's header. */
export function signerOf(jws: string): string {
  return (parse(jws, 0) as { kid: string }).kid;
}

/** The same message with other claims under the old signature. */
export function withClaims(jws: string, change: Partial<Claims>): string {
  const [header, , signature] = jws.split('.');
  return `${header}.${encode({ ...claimsOf(jws), ...change })}.${signature}`;
}

/** A private key with its thumbprint. */
export interface SigningKey {
  jwk: JsonWebKey;
  kid: string;
}

/** Signs claims with any key, as an entitlement document or another message. */
export function signed(claims: object, { jwk, kid }: SigningKey, typ = 'entitlement+jwt'): string {
  const input = `${encode({ alg: 'ES256', kid, typ })}.${encode(claims)}`;
  const key = createPrivateKey({ key: { ...jwk }, format: 'jwk' });
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function parse(jws: string, part: 0 | 1): unknown {
  return JSON.parse(Buffer.from(jws.split('.')[part] ?? '', 'base64url').toString('utf8'));
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
