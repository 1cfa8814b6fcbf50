import type { Dispute, JudgedSubscription, Plan, Worth } from '@holdfast/api';
import { expect, test } from 'vitest';
import { zone } from './time.ts';
import { because, featureWords, headline } from './why.ts';

zone.value = 'UTC';

const now = new Date('2026-11-26T14:00:00Z');
const premium: Plan = {
  id: 'premium',
  features: { export: { offline: true }, notes: { offline: true, limit: 5000 }, support: { offline: false } },
  window: null,
  grace: 3 * 86_400,
  device_limit: 5,
  rank: 10,
  version: 'v',
};

const active: Worth = { state: 'active', reason: null, ends_at: '2026-12-13T14:00:00Z', decides: true };

function subscription(of: Partial<JudgedSubscription> = {}, worth: Partial<Worth> = {}): JudgedSubscription {
  return {
    id: 'sub-1',
    user: 'ada',
    plan: 'premium',
    state: 'active',
    paid_through: '2026-12-10T14:00:00Z',
    revoked: false,
    suspended: false,
    ends: false,
    disputes: [],
    withdrawn_at: null,
    created_at: '2026-11-01T00:00:00Z',
    updated_at: '2026-11-01T00:00:00Z',
    worth: { ...active, ...worth },
    ...of,
  };
}
function dispute(status: Dispute['status'], withholds: Dispute['withholds']): Dispute {
  return { id: 'du_1', status, since: '2026-11-20T00:00:00Z', withholds };
}
const yesterday = { paid_through: '2026-11-25T14:00:00Z' };
const lastMonth = { paid_through: '2026-10-25T14:00:00Z' };
const revoked = (reason: Worth['reason']) => ({ state: 'revoked', reason }) as const;
const expired = (ends_at: string) => ({ state: 'expired', reason: 'lapsed', ends_at }) as const;

test.each([
  [{}, {}, 'Paid until 10 Dec 2026, 14:00 UTC (in 14 days). Grace then lasts until 13 Dec 2026, 14:00 UTC.'],
  [{ state: 'trialing' }, {}, /^A trial runs until 10 Dec/],
  [{ state: 'cancelled' }, { ends_at: '2026-12-10T14:00:00Z' }, /^Cancelled, and does not renew: paid until [^.]*\.$/],
  [yesterday, expired('2026-11-25T14:00:00Z'), /^The paid time ended 25 Nov 2026, 14:00 UTC \(1 day ago\)\.$/],
  [{ disputes: [dispute('open', 'for_now')] }, revoked('disputed'), /^A payment is disputed\./],
  [{ disputes: [dispute('won', 'nothing'), dispute('lost', 'for_good')] }, revoked('disputed'), /was lost/],
  [{ disputes: [dispute('open', 'for_now')] }, revoked('revoked'), /^Support has revoked it\. Only reinstating/],
  [{}, revoked('suspended'), /^Support has suspended it/],
  [
    { state: 'past_due' },
    { state: 'grace' },
    'A payment is missing. Without it, it ends 13 Dec 2026, 14:00 UTC (in 17 days).',
  ],
  [
    yesterday,
    { state: 'grace', ends_at: '2026-11-28T14:00:00Z' },
    /^The paid time ended .* \(1 day ago\); grace lasts until 28 Nov 2026/,
  ],
  [lastMonth, expired('2026-10-28T14:00:00Z'), /^The paid time ended 25 Oct 2026, 14:00 UTC, and its grace 28 Oct/],
] as const)('%o, worth %o, is explained', (of, worth, words) => {
  expect(because(subscription(of, worth), now)).toMatch(words);
});

test('lists features by name', () => {
  expect(featureWords(premium.features)).toBe('export, notes up to 5,000, support (online only)');
  expect(featureWords({})).toBe('none');
});

test('describes a user’s rights in one sentence', () => {
  const decision = {
    state: 'active',
    reason: null,
    since: null,
    paid_through: '2026-12-10T14:00:00Z',
    plans: [],
    features: {},
  } as const;
  expect(headline(decision, now).text).toBe('Has paid features, until 10 Dec 2026, 14:00 UTC (in 14 days).');
  expect(headline({ ...decision, state: 'revoked', reason: 'suspended' }, now).badge).toBe('Suspended');
  expect(headline({ ...decision, state: 'revoked', reason: 'disputed' }, now).badge).toBe('Disputed');
  expect(
    headline({ ...decision, state: 'revoked', reason: 'revoked', since: '2026-11-26T13:58:00Z' }, now),
  ).toMatchObject({
    badge: 'Revoked',
    text: 'Has no paid features: support has revoked the subscription, 26 Nov 2026, 13:58 UTC (2 min ago).',
  });
  expect(headline({ ...decision, state: 'none', paid_through: null }, now).text).toContain('never');
});
