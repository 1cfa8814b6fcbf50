import { encodeBase64url } from '../../src/base/base64url.ts';
import type { JsonObject } from '../../src/base/strict-json.ts';

/** The COSE algorithms of keys in passkeys documents, with their WebCrypto parameters. */
const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
} as const;

export type Algorithm = keyof typeof algorithms;

export const allAlgorithms = Object.keys(algorithms) as Algorithm[];

/** A prompt's request, and the alterations of its answer. */
export interface Ceremony {
  readonly challenge: Uint8Array;
  readonly origin: string;
  readonly rpId: string;
  readonly flags?: number;
  /** Bytes after the counter. */
  readonly extra?: readonly number[];
  /** Members of the client data, replacing or adding to the usual ones. Undefined omits one. */
  readonly clientData?: Record<string, unknown>;
  /** Changes the client data's text before it is signed. */
  readonly respell?: (json: string) => string;
  /** Changes the signature: DER for ECDSA. */
  readonly resign?: (signature: Uint8Array) => Uint8Array;
  readonly userHandle?: string | null;
}

/** A software passkey: makes real assertions, and on demand wrong ones with a valid signature. */
export class SoftPasskey {
  /** The key as in the passkeys document. */
  readonly entry: { readonly id: string; readonly jwk: JsonObject };
  readonly #algorithm: Algorithm;
  readonly #privateKey: CryptoKey;
  #secret: Uint8Array<ArrayBuffer> | undefined;

  private constructor(algorithm: Algorithm, jwk: JsonObject, privateKey: CryptoKey) {
    this.entry = { id: encodeBase64url(crypto.getRandomValues(new Uint8Array(16))), jwk };
    this.#algorithm = algorithm;
    this.#privateKey = privateKey;
  }

  /** The PRF output for an input, as an authenticator with hmac-secret would give it. */
  async evaluate(input: BufferSource): Promise<ArrayBuffer> {
    this.#secret ??= crypto.getRandomValues(new Uint8Array(32));
    const key = await crypto.subtle.importKey('raw', this.#secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return crypto.subtle.sign('HMAC', key, input);
  }

  static async create(algorithm: Algorithm = 'ES256'): Promise<SoftPasskey> {
    const pair = (await crypto.subtle.generateKey(algorithms[algorithm], true, ['sign', 'verify'])) as CryptoKeyPair;
    const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey('jwk', pair.publicKey);
    const jwk = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, alg: algorithm }));
    return new SoftPasskey(algorithm, jwk, pair.privateKey);
  }

  /** AuthenticationResponseJSON (WebAuthn L3 §5.1.8). */
  async assert(ceremony: Ceremony): Promise<JsonObject> {
    const { challenge, origin, rpId, flags = 0x1d, extra = [], resign = (signature) => signature } = ceremony;
    const usual = { type: 'webauthn.get', challenge: encodeBase64url(challenge), origin, crossOrigin: false };
    const json = JSON.stringify({ ...usual, ...ceremony.clientData });
    const clientData = new TextEncoder().encode(ceremony.respell?.(json) ?? json);
    const rpIdHash = await sha256(new TextEncoder().encode(rpId));
    const authenticatorData = new Uint8Array([...rpIdHash, flags, 0, 0, 0, 7, ...extra]);
    const signature = await this.#sign(new Uint8Array([...authenticatorData, ...(await sha256(clientData))]));
    return {
      id: this.entry.id,
      rawId: this.entry.id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: encodeBase64url(clientData),
        authenticatorData: encodeBase64url(authenticatorData),
        signature: encodeBase64url(resign(signature)),
        ...(ceremony.userHandle !== undefined && { userHandle: ceremony.userHandle }),
      },
    };
  }

  async #sign(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const signature = new Uint8Array(await crypto.subtle.sign(algorithms[this.#algorithm], this.#privateKey, data));
    return this.#algorithm.startsWith('ES') ? derFromP1363(signature) : signature;
  }
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3) of concatenated r and s. */
export function derFromP1363(p1363: Uint8Array): Uint8Array {
  const half = p1363.length / 2;
  return sequence(integer(p1363.subarray(0, half)), integer(p1363.subarray(half)));
}

export function sequence(...elements: readonly Uint8Array[]): Uint8Array {
  const content = elements.flatMap((element) => [...element]);
  return new Uint8Array([0x30, ...(content.length < 0x80 ? [] : [0x81]), content.length, ...content]);
}

/** A minimal, positive INTEGER. */
export function integer(magnitude: Uint8Array): Uint8Array {
  const digits = [...magnitude.subarray(magnitude.findIndex((byte) => byte !== 0))];
  const content = (digits[0] ?? 0) >= 0x80 ? [0, ...digits] : digits;
  return new Uint8Array([0x02, content.length, ...content]);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}
