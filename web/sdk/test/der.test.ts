import { describe, expect, it } from 'vitest';
import { p1363FromDer } from '../src/verify/der.ts';
import { derFromP1363, integer, sequence } from './support/soft-passkey.ts';

const bytes = (...values: number[]) => new Uint8Array(values);
const fill = (length: number, value: number) => new Uint8Array(length).fill(value);

describe('an ECDSA signature in DER', () => {
  it.each([
    ['of full length', 32, [...fill(32, 0x7f), ...fill(32, 0x01)]],
    ['with their highest bit set', 32, [...fill(32, 0xff), ...fill(32, 0x80)]],
    ['short', 32, [...fill(31, 0), 5, ...fill(20, 0), 1, ...fill(11, 0)]],
    ['of P-384', 48, [...fill(48, 0xff), ...fill(48, 0x7f)]],
    ['of P-521, whose sequence has 128 bytes and more', 66, [1, ...fill(65, 0xff), 1, ...fill(65, 0)]],
    ['of P-521, but short', 66, [...fill(10, 0), ...fill(56, 9), ...fill(10, 0), ...fill(56, 9)]],
  ])('becomes r and s: %s', (_, size, p1363) => {
    expect(p1363FromDer(derFromP1363(bytes(...p1363)), size)).toEqual(bytes(...p1363));
  });

  const r = integer(fill(32, 0x11));
  const s = integer(fill(32, 0x22));
  const whole = sequence(r, s);
  const negative = bytes(0x02, 32, ...fill(32, 0x80));
  const padded = bytes(0x02, 33, 0, ...fill(32, 0x22));
  const zero = bytes(0x02, 1, 0);

  it.each([
    ['nothing', bytes()],
    ['a tag alone', bytes(0x30)],
    ['a tag and a length form alone', bytes(0x30, 0x81)],
    ['r and s side by side', bytes(...fill(32, 0x11), ...fill(32, 0x22))],
    ['that begins like a sequence', bytes(0x30, 62, ...fill(62, 0x11))],
    ['cut', whole.subarray(0, -1)],
    ['followed by a byte', bytes(...whole, 0)],
    ['with a third integer', sequence(r, s, s)],
    ['with a byte after s, inside', sequence(r, s, bytes(0))],
    ['without s', sequence(r)],
    ['empty', sequence()],
    ['another outer tag', bytes(0x31, ...whole.subarray(1))],
    ['another inner tag', sequence(bytes(0x03, ...r.subarray(1)), s)],
    ['a long-form length where the short form suffices', bytes(0x30, 0x81, ...whole.subarray(1))],
    ['two length bytes', bytes(0x30, 0x82, 0, ...whole.subarray(1))],
    ['an indefinite length', bytes(0x30, 0x80, ...whole.subarray(2), 0, 0)],
    ['an integer in long form', sequence(bytes(0x02, 0x81, ...r.subarray(1)), s)],
    ['a negative r', sequence(negative, s)],
    ['a negative s', sequence(r, negative)],
    ['a needless zero', sequence(r, padded)],
    ['r = 0', sequence(zero, s)],
    ['s = 0', sequence(r, zero)],
    ['an empty integer', sequence(r, bytes(0x02, 0))],
    ['an integer of 33 bytes', sequence(r, integer(fill(33, 0x22)))],
    ['an integer longer than the sequence', bytes(0x30, 34, ...r.subarray(0, 1), 60, ...r.subarray(2))],
  ])('is refused: %s', (_, der) => {
    expect(p1363FromDer(der, 32)).toBeNull();
  });

  it('is accepted only at its own size', () => {
    expect(p1363FromDer(whole, 32)).not.toBeNull();
    expect(p1363FromDer(whole, 31)).toBeNull();
  });
});
