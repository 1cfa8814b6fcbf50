import type { Bytes } from './bytes.ts';

/** A content key as it was handed over or unwrapped. Its bytes live only until they are imported. */
export interface ContentKey {
  readonly feature: string;
  readonly epoch: number;
  readonly bytes: Bytes;
}

/** The feature whose content keys are the user's own. */
export const vaultFeature = 'vault';

/** Bytes of a content key (AES-256, HKDF-SHA-256). */
export const keyLength = 32;

/** Imports the user's own content key: object keys are derived from it, and it cannot be read again. */
export function importSealingKey(bytes: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey', 'deriveBits']);
}

/** Imports a content pack's key, which decrypts directly. */
export function importPackKey(bytes: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['decrypt']);
}
