import { expect, test } from 'vitest';
import { parseSpan } from './span.ts';
import { span } from './time.ts';

test.each([
  ['7 days', 604_800],
  ['1day', 86_400],
  [' 36 H ', 129_600],
  ['90 s', 90],
  ['10 min', 600],
  ['none', 0],
  ['0', 0],
  ['', null],
  ['7', null],
  ['seven days', null],
  ['7 weeks', null],
  ['-1 day', null],
])('%s is %s', (text, seconds) => {
  expect(parseSpan(text)).toBe(seconds);
});

test('reads its own output', () => {
  for (const seconds of [0, 1, 90, 600, 3_600, 129_600, 86_400, 604_800])
    expect(parseSpan(span(seconds))).toBe(seconds);
});
