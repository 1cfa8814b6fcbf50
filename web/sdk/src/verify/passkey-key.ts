import { decodeBase64url } from '../base/base64url.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { p1363FromDer } from './der.ts';
import { isSafeEd25519 } from './ed25519.ts';

/** A passkey's public key, as a function that verifies. Never throws: a malformed signature does not verify. */
export type PasskeyKey = (signature: Uint8Array<ArrayBuffer>, signed: Uint8Array<ArrayBuffer>) => Promise<boolean>;

/** The WebCrypto form of one algorithm's keys and signatures. */
interface Form {
  /**
   * The members that make the key. Nothing else of the JWK is imported; that kty and crv are the algorithm's, the
   * import sees to.
   */
  readonly members: readonly (keyof JsonWebKey)[];
  readonly isSafe: (jwk: JsonObject) => boolean;
  readonly algorithm: { readonly name: string; readonly hash?: string; readonly namedCurve?: string };
  /** Null for a malformed signature. */
  readonly signature: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | null;
}

/** The forms in passkeys documents, by `alg`. */
const forms: Readonly<Record<string, Form>> = {
  ES256: ecdsa('P-256', 'SHA-256', 32),
  ES384: ecdsa('P-384', 'SHA-384', 48),
  ES512: ecdsa('P-521', 'SHA-512', 66),
  EdDSA: {
    members: ['kty', 'crv', 'x'],
    isSafe: ({ x }) => isSafeEd25519(bytes(x)),
    algorithm: { name: 'Ed25519' },
    signature: (given) => given,
  },
  RS256: {
    members: ['kty', 'n', 'e'],
    isSafe: ({ n, e }) => isModulus(bytes(n)) && isExponent(bytes(e)),
    algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    signature: (given) => given,
  },
};

/** Imports a key; null if it is unsafe or this browser cannot use it. */
export async function importPasskeyKey(jwk: JsonObject): Promise<PasskeyKey | null> {
  const form = typeof jwk.alg === 'string' && Object.hasOwn(forms, jwk.alg) ? forms[jwk.alg] : undefined;
  if (!form?.isSafe(jwk)) return null;
  const picked: JsonWebKey = Object.fromEntries(form.members.map((name) => [name, jwk[name]]));
  try {
    const key = await crypto.subtle.importKey('jwk', picked, form.algorithm, false, ['verify']);
    return async (given, signed) => {
      const signature = form.signature(given);
      return signature !== null && crypto.subtle.verify(form.algorithm, key, signature, signed).catch(() => false);
    };
  } catch {
    // Not a point on the curve, or not supported by the browser.
    return null;
  }
}

/** WebAuthn L3 §5.8.5 ties each algorithm to its curve. Coordinates have their full length (RFC 7518 §6.2.1.2). */
function ecdsa(namedCurve: string, hash: string, size: number): Form {
  return {
    members: ['kty', 'crv', 'x', 'y'],
    isSafe: ({ x, y }) => bytes(x).length === size && bytes(y).length === size,
    algorithm: { name: 'ECDSA', hash, namedCurve },
    signature: (der) => p1363FromDer(der, size),
  };
}

/** 2048 to 4096 bits (RFC 7518 §3.3; larger keys only make verifying slow), odd, without leading zeros (§6.3.1.1). */
function isModulus(n: Uint8Array): boolean {
  const bits = n.length * 8 - Math.clz32(n[0] ?? 0) + 24;
  return n[0] !== 0 && bits >= 2048 && bits <= 4096 && (n.at(-1) ?? 0) % 2 === 1;
}

/** 3 or 65537, which authenticators use, without leading zeros. */
function isExponent(e: Uint8Array): boolean {
  return ['3', '1,0,1'].includes(e.join());
}

/** Decodes canonical base64url. Anything else is empty, which no key is. */
function bytes(value: unknown): Uint8Array {
  return (typeof value === 'string' && decodeBase64url(value)) || new Uint8Array();
}
