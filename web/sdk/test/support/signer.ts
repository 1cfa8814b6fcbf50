import { decodeBase64url, encodeBase64url } from '../../src/base/base64url.ts';
import { type PublicJwk, publicJwk, thumbprint } from '../../src/verify/key.ts';

/** A key that signs messages in the test: a root, or the server's signing key. */
export interface Signer {
  readonly jwk: PublicJwk;
  readonly kid: string;
  sign(header: unknown, payload: unknown): Promise<string>;
}

export async function newSigner(): Promise<Signer> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const jwk = publicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey));
  if (!jwk) throw new Error('no key');
  return {
    jwk,
    kid: await thumbprint(jwk),
    async sign(header, payload) {
      const text = `${encode(header)}.${encode(payload)}`;
      const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
      const signature = await crypto.subtle.sign(algorithm, pair.privateKey, new TextEncoder().encode(text));
      return `${text}.${encodeBase64url(new Uint8Array(signature))}`;
    },
  };
}

/** Text is used unchanged, so that a test can write JSON that no encoder would. */
export function encode(value: unknown): string {
  return encodeBase64url(new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)));
}

export function decode(part: string | undefined): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(decodeBase64url(part ?? '') ?? undefined));
}
