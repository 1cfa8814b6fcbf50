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
  expect(refusal(9, 10, free)).toBeNull();
  expect(refusal(10, 10, free)).toContain('the free plan allows 10');
  expect(refusal(40, 10, free)).toContain('You can read and change them all');
  expect(refusal(500, 500, granted)).not.toContain('free plan');
});

test('names only ways to a further note that exist', () => {
  expect(refusal(10, 10, { ...free, trial: true })).toMatch(/start the free trial or delete one\.$/);
  expect(refusal(40, 10, { ...free, trial: true })).toMatch(/For another one, start the free trial\.$/);
  expect(refusal(10, 10, free)).toMatch(/For another one, delete one\.$/);
  expect(refusal(40, 10, free)).toMatch(/You can read and change them all\.$/);
  expect(refusal(500, 500, granted)).toMatch(/For another one, delete one\.$/);
});

const free = { free: true, trial: false };
const granted = { free: false, trial: false };
