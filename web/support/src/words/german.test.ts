import { speak } from '@holdfast/kit/words.ts';
import { beforeAll, expect, test, vi } from 'vitest';
import german from '../locales/de.ts';
import { parseSpan } from './span.ts';
import { moment, relative, span, zone } from './time.ts';
import { featureWords } from './why.ts';

const now = new Date('2026-11-26T14:00:00Z');

beforeAll(async () => {
  vi.stubGlobal('navigator', { languages: ['de-DE'] });
  vi.stubGlobal('document', { documentElement: {} });
  await speak(async () => german);
  zone.value = 'UTC';
  return () => void vi.unstubAllGlobals();
});

test.each([
  [45, 'in 45 s'],
  [-3_600, 'vor 1 h'],
  [7 * 86_400, 'in 7 Tagen'],
  [-86_400, 'vor 1 Tag'],
  [6 * 86_400 + 4 * 3_600, 'in 6 Tagen 4 h'],
  [-86_400 - 3_600, 'vor 1 Tag 1 h'],
])('%d s from now is %s', (seconds, words) => {
  expect(relative(new Date(now.getTime() + seconds * 1_000), now)).toBe(words);
});

test('dates and numbers are German, too', () => {
  expect(moment(new Date('2026-12-03T14:00:00Z'), now)).toBe('3. Dez. 2026, 14:00 UTC (in 7 Tagen)');
  expect(featureWords({ notes: { offline: true, limit: 5000 } })).toBe('notes bis 5.000');
});

test('durations are read as they are written', () => {
  for (const seconds of [0, 90, 600, 129_600, 86_400, 604_800]) expect(parseSpan(span(seconds))).toBe(seconds);
  expect(span(604_800)).toBe('7 Tage');
});
