import jsQR from 'jsqr';
import { expect, test } from 'vitest';
import { qr } from './qr.ts';

test.each([
  'https://holdfast.example/support#invite=3q2-7wABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefgh',
  `https://${'a-long-name.'.repeat(15)}example/#recover=${'A'.repeat(43)}`,
  'AAAA-BBBB',
])('a reader finds the text in the picture: %s', (text) => {
  const { size, path } = qr(text);
  const scale = 4;
  const side = size * scale;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, left, top] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let y = Number(top) * scale; y < (Number(top) + 1) * scale; y++) {
      for (let x = Number(left) * scale; x < (Number(left) + 1) * scale; x++) {
        pixels.set([0, 0, 0], (y * side + x) * 4);
      }
    }
  }
  expect(jsQR(pixels, side, side)?.data).toBe(text);
});
