import { expect, test } from 'vitest';
import { noteLimit, refusal } from './allowance.ts';

test.each([
  [{}, 10],
  [{ export: {} }, 10],
  [{ notes: {} }, Number.POSITIVE_INFINITY],
  [{ notes: { limit: 500 } }, 500],
])('%o', (features, limit) => {
  expect(noteLimit(features)).toBe(limit);
});

test('allows the last free note, refuses the next one, and keeps existing notes', () => {
  expect(refusal(9, 10, true)).toBeNull();
  expect(refusal(10, 10, true)).toContain('get premium or delete one');
  expect(refusal(40, 10, true)).toContain('You can read and change them all');
  expect(refusal(500, 500, false)).not.toContain('free plan');
});
