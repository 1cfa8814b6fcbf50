import type { Entitlement } from '@holdfast/client';
import { expect, test } from 'vitest';
import { timeline } from './timeline.ts';

const day = (date: number, hour = 12) => new Date(2025, 11, date, hour);
const premium: Entitlement = {
  state: 'active',
  reason: null,
  signInNeeded: false,
  until: day(11),
  refreshAfter: day(2),
  paidThrough: day(20),
  ending: null,
  plans: ['premium'],
  features: { notes: {} },
  revision: 1,
  error: null,
  clockBehind: null,
  lastContact: day(1),
};
const drawn = (entitlement: Entitlement, now: Date) => {
  const line = timeline(entitlement, now, 'en-GB');
  return line && { now: line.now, marks: line.marks.map(({ event, at }) => [event, at]) };
};

test('runs from issue to end, with now in between', () => {
  expect(drawn(premium, day(6))).toEqual({
    now: 0.5,
    marks: [
      ['issued', 0],
      ['refresh', 0.1],
      ['end', 1],
    ],
  });
});

test('shows paid time that ends before the document', () => {
  const line = drawn({ ...premium, state: 'grace', paidThrough: day(6) }, day(7));
  expect(line?.marks).toContainEqual(['paid', 0.5]);
});

test('extends to now after the end', () => {
  const line = drawn({ ...premium, state: 'expired', error: 'expired', features: {} }, day(21));
  expect(line).toEqual({ now: 1, marks: expect.arrayContaining([['end', 0.5]]) });
});

test('does not show now if the clock is not trusted', () => {
  const line = drawn({ ...premium, state: 'clock_behind', error: 'clock_behind', features: {} }, day(1, 1));
  expect(line?.now).toBeNull();
});

test.each([
  ['no document', { ...premium, state: 'none', until: null, lastContact: null }],
  ['a revocation', { ...premium, state: 'revoked', reason: 'revoked' }],
  ['a subscription that is over according to the server', { ...premium, state: 'expired', error: null }],
  ['times that make no sense', { ...premium, until: day(1) }],
] as const)('%s is not drawn', (_, entitlement) => {
  expect(timeline(entitlement as Entitlement, day(6))).toBeNull();
});

test('has the same content for screen readers', () => {
  expect(timeline(premium, day(6), 'en-GB')?.text).toBe(
    'Issued Monday 1 December, 12:00, due for renewal since Tuesday 2 December, 12:00, works offline until Thursday 11 December, 12:00. The subscription runs until Saturday 20 December, 12:00.',
  );
});
