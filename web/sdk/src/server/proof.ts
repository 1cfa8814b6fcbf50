import { encodeBase64url } from '../base/base64url.ts';
import type { JsonObject } from '../base/strict-json.ts';
import type { DeviceKey } from './device-key.ts';

/** The request that a proof is for, as its claims name it (RFC 9449 §4.2). */
export interface ProofSubject {
  readonly htm: string;
  /** The URL without query and fragment. */
  readonly htu: string;
  /** The server's nonce; undefined: the server answers with one. */
  readonly nonce: string | undefined;
  /** The digest of the exact body. */
  readonly body?: string | undefined;
  /** The digest of the document that is sent along. */
  readonly ath?: string;
}

/** Makes a DPoP proof (RFC 9449 §4.2) and its jti, which the answering document must repeat. */
export async function makeProof(
  key: DeviceKey,
  subject: ProofSubject,
  clock: () => number,
): Promise<{ proof: string; jti: string }> {
  const jti = encodeBase64url(crypto.getRandomValues(new Uint8Array(16)));
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk };
  const claims = { jti, iat: Math.floor(clock() / 1000), ...subject };
  return { proof: await signJws(key, header, claims), jti };
}

/** Signs a compact JWS (RFC 7515 §7.1) with the device's key. */
export async function signJws(key: Pick<DeviceKey, 'sign'>, header: JsonObject, claims: JsonObject): Promise<string> {
  const text = `${encodeJson(header)}.${encodeJson(claims)}`;
  return `${text}.${await key.sign(text)}`;
}

function encodeJson(value: unknown): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)));
}
