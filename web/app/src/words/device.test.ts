import type { LinkedDevice } from '@holdfast/client';
import { expect, test } from 'vitest';
import { aboutDevice, deviceNames } from './device.ts';

const now = new Date(2026, 0, 10, 15, 0);
const device = (id: string, name: string, day: number): LinkedDevice => ({
  id,
  name,
  linkedAt: new Date(2026, 0, day, 9, 0),
  lastReconciledAt: now,
  freesUpAt: null,
  replaceable: true,
});

test('numbers devices of one name by linking time, whatever the list order', () => {
  const chrome = [3, 1, 2].map((day) => device(`c${day}`, 'Chrome on Linux', day));
  const names = deviceNames([...chrome, device('f', 'Firefox on Linux', 4)]);
  expect([...names].sort()).toEqual([
    ['c1', 'Chrome on Linux (1 of 3)'],
    ['c2', 'Chrome on Linux (2 of 3)'],
    ['c3', 'Chrome on Linux (3 of 3)'],
    ['f', 'Firefox on Linux'],
  ]);
});

test('says when a device was linked and last seen', () => {
  expect(aboutDevice(device('c', 'Chrome', 9), now, 'en-GB')).toBe('Linked yesterday, 09:00, last seen today, 15:00');
  expect(aboutDevice({ ...device('c', 'Chrome', 9), lastReconciledAt: null }, now, 'en-GB')).toBe(
    'Linked yesterday, 09:00, not seen since',
  );
});

test('says when the place of a removed device frees up', () => {
  const removed = { ...device('c', 'Chrome', 9), freesUpAt: new Date(2026, 0, 14, 9, 0) };
  expect(aboutDevice(removed, now, 'en-GB')).toBe(
    'Linked yesterday, 09:00, last seen today, 15:00. Its place frees up Wednesday 14 January, 09:00',
  );
});
