import { encodeBase64url } from '../base/base64url.ts';
import { digest } from '../base/digest.ts';
import type { DeviceKey } from './device-key.ts';

/** The POST that a proof is for. */
export interface ProofSubject {
  readonly url: string;
  /** The exact text of the request's body. */
  readonly body: string;
  /** The server's nonce; undefined: the server answers with one. */
  readonly nonce: string | undefined;
}

/** Makes a DPoP proof (RFC 9449 §4.2) and its jti, which the answering document must repeat. */
export async function makeProof(
  key: DeviceKey,
  { url, body, nonce }: ProofSubject,
  clock: () => number,
): Promise<{ proof: string; jti: string }> {
  const jti = encodeBase64url(crypto.getRandomValues(new Uint8Array(16)));
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk };
  const iat = Math.floor(clock() / 1000);
  const claims = { jti, htm: 'POST', htu: url, iat, nonce, body: await digest(body) };
  const text = `${encodeJson(header)}.${encodeJson(claims)}`;
  return { proof: `${text}.${await key.sign(text)}`, jti };
}

function encodeJson(value: unknown): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
}
