import { HoldfastError } from '../base/error.ts';
import { isObject } from '../base/strict-json.ts';
import { type Bytes, hkdf, listed, random } from './bytes.ts';
import { type ContentKey, keyLength } from './content-key.ts';
import type { Wrap } from './store.ts';

/** What a wrapping key is for: it opens nothing at another origin, for another user or with another passkey. */
export interface Binding {
  readonly origin: string;
  readonly user: string;
  readonly credential: string;
}

/** The PRF input (WebAuthn L3 §10.1.4), the same for all of a user's passkeys. */
export async function prfInput(origin: string, user: string): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', listed('holdfast vault prf', origin, user)));
}

/** Derives the key that wraps content keys from a passkey's PRF output. */
export async function wrappingKey(output: Bytes, { origin, user, credential }: Binding): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey('raw', output, 'HKDF', false, ['deriveKey']);
  const how = hkdf(new Uint8Array(), listed('holdfast vault wrap', origin, user, credential));
  return crypto.subtle.deriveKey(how, secret, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** Encrypts a feature's keys of all epochs. */
export async function wrap(
  key: CryptoKey,
  binding: Binding,
  feature: string,
  keys: readonly ContentKey[],
): Promise<Wrap> {
  const sorted = keys.toSorted((a, b) => a.epoch - b.epoch);
  const epochs = sorted.map(({ epoch }) => epoch);
  const plain = new Uint8Array(sorted.flatMap(({ bytes }) => [...bytes]));
  const iv = random(12);
  const data = new Uint8Array(await crypto.subtle.encrypt(parameters(binding, feature, epochs, iv), key, plain));
  plain.fill(0);
  return { epochs, iv, data };
}

/** Decrypts a feature's keys. Throws `vault_wrap_invalid`. */
export async function unwrap(
  key: CryptoKey,
  binding: Binding,
  feature: string,
  stored: unknown,
): Promise<ContentKey[]> {
  try {
    const { epochs, iv, data } = stored as Wrap;
    if (!isObject(stored) || epochs.length === 0) throw new TypeError('no wrap');
    const how = parameters(binding, feature, epochs, iv);
    const plain = new Uint8Array(await crypto.subtle.decrypt(how, key, data));
    const keys = epochs.map((epoch, index) => ({
      feature,
      epoch,
      bytes: plain.slice(index * keyLength, (index + 1) * keyLength),
    }));
    plain.fill(0);
    return keys;
  } catch (cause) {
    throw new HoldfastError('vault_wrap_invalid', undefined, { cause });
  }
}

function parameters({ origin, user, credential }: Binding, feature: string, epochs: readonly number[], iv: Bytes) {
  const additionalData = listed('holdfast vault keys', origin, user, credential, feature, epochs);
  return { name: 'AES-GCM', iv, additionalData };
}
