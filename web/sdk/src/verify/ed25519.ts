/**
 * The y coordinates of the eight points whose order divides 8, little-endian: 0, 1, −1 and the two of order 8. Listed
 * in Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020); they follow from the curve's equation.
 */
const smallOrder: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

/**
 * Whether the bytes may be an Ed25519 public key. Keys of small order are refused: anybody can make a signature that
 * verifies under them, and both RFC 8032 §5.1.7 and browsers accept them. A y of 2^255 − 19 or more is refused as a second
 * encoding of a smaller one (§5.1.3). The key import checks that the point is on the curve.
 */
export function isSafeEd25519(key: Uint8Array): boolean {
  const y = Uint8Array.from(key);
  y[31] = (y[31] ?? 0) & 0x7f; // the sign of x
  const canonical = (y[0] ?? 0) < 0xed || y.subarray(1, 31).some((byte) => byte !== 0xff) || y[31] !== 0x7f;
  return key.length === 32 && canonical && !smallOrder.includes(hex(y));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
