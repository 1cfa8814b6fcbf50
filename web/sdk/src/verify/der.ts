/**
 * Converts an ECDSA signature to the form that WebCrypto expects, or returns null. Authenticators return Ecdsa-Sig-Value in
 * DER (RFC 3279 §2.2.3); WebCrypto takes r and s as `size` bytes each (IEEE P1363).
 *
 * Accepts exactly one encoding (X.690 §10.1): SEQUENCE { INTEGER r, INTEGER s }, positive, minimal, with nothing after it. A
 * signature with two valid encodings could be altered without its key.
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

/** One element of the given tag, and the bytes after it. Only P-521 makes sequences of 128 bytes and more, none of 256. */
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
 * The magnitude of a minimal, positive INTEGER: with a leading zero only where the sign bit needs it (X.690 §8.3.2), and
 * never 0.
 */
function readPositive(integer: Uint8Array): Uint8Array | null {
  const [first = 0x80, second = 0] = integer;
  if (first >= 0x80 || (first === 0 && second < 0x80)) return null;
  return first === 0 ? integer.subarray(1) : integer;
}
