import { createPrivateKey, sign } from 'node:crypto';

export interface Claims {
  [name: string]: unknown;
  exp: number;
  rev: number;
  proof: string;
  device: string;
  features: Record<string, { limit?: number }>;
}

export function claimsOf(jws: string): Claims {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

/** The same message with other claims under the old signature. */
export function withClaims(jws: string, change: Partial<Claims>): string {
  const [header, , signature] = jws.split('.');
  return `${header}.${encode({ ...claimsOf(jws), ...change })}.${signature}`;
}

/** Claims signed by a key of the test's choice, in the shape of an entitlement document. */
export function signed(claims: Claims, { jwk, kid }: { jwk: JsonWebKey; kid: string }): string {
  const input = `${encode({ alg: 'ES256', kid, typ: 'entitlement+jwt' })}.${encode(claims)}`;
  const key = createPrivateKey({ key: { ...jwk }, format: 'jwk' });
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
