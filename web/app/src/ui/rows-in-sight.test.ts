import { expect, test } from 'vitest';
import { rowsInSight } from './rows-in-sight.ts';

test.each([
  ['a short list', 3, 0, 620, 0, 3],
  ['the beginning of a long list', 5000, 0, 620, 0, 24],
  ['its middle', 5000, 62 * 2500, 620, 2488, 2528],
  ['its end', 5000, 62 * 4990, 620, 4976, 5000],
  ['a list shorter than the scroll position', 3, 62 * 4990, 620, 0, 3],
  ['nothing', 0, 0, 620, 0, 0],
])('%s', (_, count, top, height, from, to) => {
  const rows = rowsInSight(count, 62, top, height);
  expect(rows.to).toBe(to);
  expect(rows.from).toBe(from);
});

test('renders all visible rows and a few more on both sides', () => {
  for (let top = -200; top < 62 * 5000; top += 37) {
    const { from, to } = rowsInSight(5000, 62, top, 620);
    const first = Math.max(0, Math.floor(top / 62));
    expect(from).toBeLessThanOrEqual(Math.max(0, first - 12));
    expect(to).toBeGreaterThanOrEqual(Math.min(5000, Math.ceil((top + 620) / 62) + 12));
    expect(to - from).toBeLessThan(60);
  }
});
