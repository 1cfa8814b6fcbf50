import { expect, test } from 'vitest';
import { inShort, inWords } from './when.ts';

const now = new Date(2025, 2, 29, 23, 30);

// Releases of the Unicode data differ in the comma after the weekday.
test.each([
  [new Date(2025, 2, 29, 0, 5), /^today, 00:05$/],
  [new Date(2025, 2, 30, 0, 10), /^tomorrow, 00:10$/],
  [new Date(2025, 2, 28, 23, 59), /^yesterday, 23:59$/],
  [new Date(2025, 3, 4, 14, 5), /^Friday,? 4 April, 14:05$/],
  [new Date(2026, 3, 4, 14, 5), /^Saturday,? 4 April 2026, 14:05$/],
])('%s', (time, words) => {
  expect(inWords(time, now, 'en-GB')).toMatch(words);
});

test('short forms lose no year', () => {
  expect(inShort(new Date(2025, 2, 29, 8, 0), now, 'en-GB')).toBe('08:00');
  expect(inShort(new Date(2025, 0, 2), now, 'en-GB')).toBe('2 Jan');
  expect(inShort(new Date(2024, 0, 2), now, 'en-GB')).toBe('2 Jan 2024');
});
