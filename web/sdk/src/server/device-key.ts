import { encodeBase64url } from '../base/base64url.ts';
import { failingWith } from '../base/failing-with.ts';
import { algorithm, type PublicJwk, publicJwk, thumbprint } from '../verify/key.ts';

/** The device's key, whose private half has been verified to be present. */
export interface DeviceKey {
  readonly jwk: PublicJwk;
  /** RFC 7638 thumbprint: a document's cnf.jkt must equal it. */
  readonly jkt: string;
  /**
   * An ES256 signature (r and s, 32 bytes each) over the text's UTF-8 bytes, base64url. Rejects as {@link openDeviceKey}
   * does.
   */
  sign(text: string): Promise<string>;
}

/** Generates a key pair whose private half cannot be exported. Rejects with `device_key_unavailable`. */
export function generateDeviceKey(): Promise<CryptoKeyPair> {
  return usingKey(() => crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']));
}

/**
 * Opens a key pair read from storage. Rejects with `device_key_unavailable` unless the private half signs for the public
 * one: some engines lose keys in storage, and a copied document comes without the private half.
 */
export async function openDeviceKey(pair: CryptoKeyPair): Promise<DeviceKey> {
  return usingKey(async () => {
    const jwk = publicJwk(await crypto.subtle.exportKey('jwk', pair.publicKey));
    const challenge = crypto.getRandomValues(new Uint8Array(32));
    const signature = await crypto.subtle.sign(algorithm, pair.privateKey, challenge);
    const belongs = await crypto.subtle.verify(algorithm, pair.publicKey, signature, challenge);
    if (!jwk || pair.privateKey.extractable || !belongs) throw new TypeError();
    return { jwk, jkt: await thumbprint(jwk), sign: (text) => sign(pair.privateKey, text) };
  });
}

function sign(key: CryptoKey, text: string): Promise<string> {
  return usingKey(async () => {
    const signature = await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(text));
    return encodeBase64url(new Uint8Array(signature));
  });
}

const usingKey = <T>(work: () => Promise<T>) => failingWith('device_key_unavailable', work);
