import { expect, test, vi } from 'vitest';
import { inFull, inShort, inWords, lasting } from './when.ts';
import { variant } from './words.ts';

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

test.each([
  [11, '11 minutes'],
  [60, '1 hour'],
  [119, '119 minutes'],
  [120, '2 hours'],
  [6 * 60 - 1, '6 hours'],
  [47 * 60, '47 hours'],
  [365 * 1_440, '365 days'],
])('%d minutes last %s', (minutes, words) => {
  expect(lasting(minutes * 60_000)).toBe(words);
});

test('short forms keep the year', () => {
  expect(inShort(new Date(2025, 2, 29, 8, 0), now, 'en-GB')).toBe('08:00');
  expect(inShort(new Date(2025, 0, 2), now, 'en-GB')).toBe('2 Jan');
  expect(inShort(new Date(2024, 0, 2), now, 'en-GB')).toBe('2 Jan 2024');
});

test.each([
  ['en', ['de-DE', 'en-US', 'en-GB'], 'en-US'],
  ['en', ['en-AU'], 'en-AU'],
  ['en', ['en'], 'en'],
  ['en', ['de-DE', 'fr'], 'en-GB'],
  ['en', ['enm'], 'en-GB'],
  ['en', [], 'en-GB'],
  ['de', ['en-GB', 'de-AT'], 'de-AT'],
  ['de', ['en-GB'], 'de-DE'],
] as const)('dates in %s for readers of %o are those of %s', (language, languages, expected) => {
  expect(variant(language, languages)).toBe(expected);
});

test('German', () => {
  expect(inWords(new Date(2025, 2, 29, 0, 5), now, 'de-DE')).toBe('heute, 00:05');
  expect(inWords(new Date(2025, 2, 30, 0, 5), now, 'de-DE')).toBe('morgen, 00:05');
  expect(inWords(new Date(2025, 3, 4, 14, 5), now, 'de-DE')).toBe('Freitag, 4. April, 14:05');
  expect(lasting(3 * 86_400_000, 'de-DE')).toBe('3 Tage');
});

test('dates are in the language of the page, whatever the browser’s', () => {
  vi.stubGlobal('navigator', { languages: ['de-DE'] });
  const time = new Date(2025, 3, 4, 14, 5);
  expect(inWords(time, now)).toMatch(/^Friday,? 4 April, 14:05$/);
  expect(inShort(time, now)).toBe('4 Apr');
  expect(inFull(time)).toMatch(/Friday,? 4 April 2025/);
  vi.unstubAllGlobals();
});
