import type { Holder } from '@holdfast/api';
import { expect, test } from 'vitest';
import { deadline, follow, progress, promise, standing } from './revocation.ts';
import { zone } from './time.ts';

zone.value = 'UTC';

const now = new Date('2026-11-26T14:00:00Z');
const later = '2026-12-03T14:00:00Z';

function holder(of: Partial<Holder> = {}): Holder {
  return {
    id: crypto.randomUUID(),
    name: 'Firefox on Linux',
    document_expires_at: later,
    last_reconciled_at: '2026-11-26T13:59:00Z',
    document_revision: 4,
    removed: false,
    quarantined: false,
    ...of,
  };
}
const away = { last_reconciled_at: '2026-11-20T14:00:00Z' };
const over = { document_expires_at: '2026-11-26T14:00:00Z' };

test('before a revoke: the end, and which devices are told', () => {
  const by = 'Ends everywhere by 3 Dec 2026, 14:00 UTC at the latest (in 7 days)';
  expect(promise('revoke', [holder(), holder(), holder(away)], now)).toBe(
    `${by}; 2 of 3 devices should hear of it now.`,
  );
  expect(promise('revoke', [holder(), holder(over)], now)).toBe(`${by}; its one device should hear of it now.`);
  expect(promise('revoke', [holder(away)], now)).toBe(`${by}; its one device was not in contact lately.`);
  expect(promise('revoke', [holder(away), holder({ last_reconciled_at: null })], now)).toBe(
    `${by}; none of 2 devices was in contact lately.`,
  );
  const atOnce = 'Ends everywhere at once: no device holds a document that works offline.';
  expect(promise('revoke', [], now)).toBe(atOnce);
  expect(promise('revoke', [holder(over), holder({ document_expires_at: null })], now)).toBe(atOnce);
});

test('a suspension is not called an end', () => {
  expect(promise('suspend', [], now)).toMatch(/^Paused everywhere at once/);
  expect(standing('suspend', [holder()], 5, now)).toMatch(
    /^Paused everywhere by .*; its one device has not been told yet\.$/,
  );
});

test('the latest end of all devices counts', () => {
  const last = holder({ document_expires_at: '2026-12-09T00:00:00Z', removed: true });
  expect(deadline([holder(), last, holder()], now)).toEqual(new Date('2026-12-09T00:00:00Z'));
});

test('after a revoke: which devices have been told; only the end is certain', () => {
  expect(progress(holder(), 5, now)).toBe('live');
  expect(progress(holder({ document_revision: 5 }), 5, now)).toBe('told');
  expect(progress(holder({ document_revision: 6 }), 5, now)).toBe('told');
  expect(progress(holder({ document_revision: null }), 5, now)).toBe('live');
  expect(progress(holder(over), 5, now)).toBe('ended');
  const told = { document_revision: 5 };
  const by = 'Ends everywhere by 3 Dec 2026, 14:00 UTC at the latest (in 7 days)';
  expect(standing('revoke', [holder(told), holder(), holder()], 5, now)).toBe(`${by}; 1 of 3 devices has been told.`);
  expect(standing('revoke', [holder(told), holder(told)], 5, now)).toBe(`${by}; all 2 devices have been told.`);
  expect(standing('revoke', [holder(told)], 5, now)).toBe(`${by}; its one device has been told.`);
  expect(standing('revoke', [holder(over)], 5, now)).toBe('Ended everywhere: no device can use it any more.');
});

test('keeps showing a device whose document has ended', () => {
  const [a, b] = [holder({ id: 'a' }), holder({ id: 'b' })];
  const answer = {
    subscription: undefined as never,
    revision: 5,
    offline_until: null,
    devices: [{ ...b, document_revision: 5 }],
    kept: {},
  };
  expect(follow([a, b], answer)).toEqual([{ ...b, document_revision: 5 }, a]);
});
