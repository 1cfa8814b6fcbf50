import { beforeEach, expect, test } from 'vitest';
import { atLatest, inUtc, moment, relative, span, stamp, startOfDay, utc, zone } from './time.ts';

const now = new Date('2026-11-26T14:00:00Z');
const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);

beforeEach(() => {
  zone.value = 'UTC';
});

test('moments are in the reader’s zone, as that was on that day, and in UTC on demand', () => {
  zone.value = 'Europe/Berlin';
  const [winter, summer] = [new Date('2026-12-03T23:30:00Z'), new Date('2026-07-03T14:00:00Z')];
  expect(stamp(winter)).toBe('4 Dec 2026, 00:30 CET');
  expect(stamp(summer)).toBe('3 Jul 2026, 16:00 CEST');
  expect(inUtc(() => `until ${stamp(winter)}`)).toBe('until 3 Dec 2026, 23:30 UTC');
  expect(() => inUtc(() => JSON.parse(''))).toThrow();
  expect(stamp(winter)).toBe('4 Dec 2026, 00:30 CET');
  expect(atLatest(after(75.2), now)).toBe('26 Nov 2026, 15:01:16 CET');
});

test('days begin in the reader’s zone', () => {
  expect(startOfDay('2026-11-30', 1)).toBe('2026-12-01T00:00:00.000Z');
  zone.value = undefined;
  expect(startOfDay('2026-11-30', 1)).toBe(new Date(2026, 11, 1).toISOString());
  expect(startOfDay('', 1)).toBe('');
});

test('a moment is the same for every reader', () => {
  expect(utc(new Date('2026-12-03T14:00:59.999Z'))).toBe('3 Dec 2026, 14:00 UTC');
  expect(utc(new Date('2026-01-01T00:05:00+01:00'))).toBe('31 Dec 2025, 23:05 UTC');
});

test('a promised latest moment is never early', () => {
  expect(atLatest(new Date('2026-12-03T14:00:00Z'), now)).toBe('3 Dec 2026, 14:00 UTC');
  expect(atLatest(new Date('2026-12-03T14:00:00.001Z'), now)).toBe('3 Dec 2026, 14:01 UTC');
  expect(atLatest(new Date('2026-12-31T23:59:01Z'), now)).toBe('1 Jan 2027, 00:00 UTC');
  expect(atLatest(after(75), now)).toBe('26 Nov 2026, 14:01:15 UTC');
  expect(atLatest(after(75.2), now)).toBe('26 Nov 2026, 14:01:16 UTC');
});

test.each([
  [0, 'now'],
  [0.9, 'now'],
  [59.999, 'in 59 s'],
  [45, 'in 45 s'],
  [-45, '45 s ago'],
  [90, 'in 1 min 30 s'],
  [660, 'in 11 min'],
  [3_600, 'in 1 h'],
  [3_600 * 2 + 13 * 60 + 59, 'in 2 h 13 min'],
  [86_400 + 4 * 3_600, 'in 1 day 4 h'],
  [7 * 86_400 - 1, 'in 6 days 23 h'],
  [15 * 86_400 - 1, 'in 14 days'],
  [-7 * 86_400, '7 days ago'],
  [800 * 86_400, 'in 2 years'],
])('%d s from now is %s', (seconds, words) => {
  expect(relative(after(seconds), now)).toBe(words);
});

test('moments with relative times, and configured durations', () => {
  expect(moment(new Date('2026-12-03T14:00:00Z'), now)).toBe('3 Dec 2026, 14:00 UTC (in 7 days)');
  expect([0, 604_800, 86_400, 129_600, 90, 600].map(span)).toEqual([
    'none',
    '7 days',
    '1 day',
    '36 h',
    '90 s',
    '10 min',
  ]);
});
