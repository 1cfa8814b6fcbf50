import { expect, test } from 'vitest';
import { fillDays, peak, share, total } from './overview.ts';

test('fills in days without any, and goes on to the last day', () => {
  const days = fillDays([{ day: '2026-03-02', count: 3 }], new Date('2026-03-01T14:00:00Z'), 3);
  expect(days.counts).toEqual([0, 3, 0]);
  expect(days.starts[0]).toBe(Date.parse('2026-03-01') / 1000);
  const longer = fillDays([{ day: '2026-03-05', count: 1 }], new Date('2026-03-01T00:00:00Z'), 2);
  expect(longer.counts).toEqual([0, 0, 0, 0, 1]);
  expect(fillDays([], new Date('2026-03-01T00:00:00Z'), 2).counts).toEqual([0, 0]);
});

test('says how many there are, and when most', () => {
  const days = fillDays([{ day: '2026-03-02', count: 1440 }], new Date('2026-03-01T00:00:00Z'), 3);
  expect(total(days)).toBe(1440);
  expect(peak(days)).toBe('Most on 2 Mar: 1,440.');
  expect(peak(fillDays([], new Date('2026-03-01T00:00:00Z'), 3))).toBe('');
});

test('a share says when it is small, or of nothing', () => {
  expect(share(0, 40)).toBe('0% of 40 devices');
  expect(share(1, 400)).toBe('less than 1% of 400 devices');
  expect(share(1, 2)).toBe('50% of 2 devices');
  expect(share(0, 0)).toBe('no device is linked');
});
