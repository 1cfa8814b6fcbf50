/**
 * The same signature as WebCrypto takes it, or null: an authenticator gives Ecdsa-Sig-Value in DER (RFC 3279 §2.2.3),
 * WebCrypto wants r and s as `size` bytes each, as IEEE P1363 puts them.
 *
 * Exactly one encoding is taken (X.690 §10.1): SEQUENCE { INTEGER r, INTEGER s }, positive, with no byte more than
 * needed and nothing after it. A signature that could be spelt in two ways could be altered without its key.
 */
export function p1363FromDer(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> | null {
  const outer = readElement(der, 0x30);
  const r = outer && readElement(outer.content, 0x02);
  const s = r && readElement(r.rest, 0x02);
  if (!outer || !r || !s || outer.rest.length > 0 || s.rest.length > 0) return null;

  const p1363 = new Uint8Array(2 * size);
  for (const [index, { content }] of [r, s].entries()) {
    const magnitude = readPositive(content);
    if (!magnitude || magnitude.length > size) return null;
    p1363.set(magnitude, (index + 1) * size - magnitude.length);
  }
  return p1363;
}

/** One element of the wanted tag, and what follows it. Only P-521 makes sequences of 128 bytes and more, none of 256. */
function readElement(bytes: Uint8Array, tag: number): { content: Uint8Array; rest: Uint8Array } | null {
  if (bytes[0] !== tag) return null;
  const long = bytes[1] === 0x81;
  const length = bytes[long ? 2 : 1] ?? Number.POSITIVE_INFINITY;
  if (length >= 0x80 !== long) return null;
  const start = long ? 3 : 2;
  const content = bytes.subarray(start, start + length);
  return content.length === length ? { content, rest: bytes.subarray(start + length) } : null;
}

/**
 * The magnitude of a minimal, positive INTEGER: a leading zero only where the sign bit needs it (X.690 §8.3.2), so
 * never 0.
 */
function readPositive(integer: Uint8Array): Uint8Array | null {
  const [first = 0x80, second = 0] = integer;
  if (first >= 0x80 || (first === 0 && second < 0x80)) return null;
  return first === 0 ? integer.subarray(1) : integer;
}
