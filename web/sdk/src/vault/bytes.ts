/** Bytes that WebCrypto takes, in words that TypeScript 5.4 knows too. */
export type Bytes = ReturnType<Uint8ArrayConstructor['from']>;

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** The JSON of a list, as bytes: an unambiguous encoding of several texts. */
export const listed = (...values: readonly unknown[]): Bytes => utf8(JSON.stringify(values));

export const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));

export function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** HKDF-SHA-256 (RFC 5869) with these inputs, for `deriveKey` and `deriveBits`. */
export const hkdf = (salt: Bytes, info: Bytes): { name: string; hash: string; salt: Bytes; info: Bytes } => ({
  name: 'HKDF',
  hash: 'SHA-256',
  salt,
  info,
});
