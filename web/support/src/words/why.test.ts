import { expect, test } from 'vitest';
import type { Account, Dispute, Plan, Subscription } from '../shapes.ts';
import { because, decisive, featureWords, headline, kept, worth } from './why.ts';

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

function subscription(of: Partial<Subscription> = {}): Subscription {
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
    created_at: '2026-11-01T00:00:00Z',
    updated_at: '2026-11-01T00:00:00Z',
    ...of,
  };
}
function dispute(status: Dispute['status'], withholds: Dispute['withholds']): Dispute {
  return { id: 'du_1', status, since: '2026-11-20T00:00:00Z', withholds };
}
const yesterday = { paid_through: '2026-11-25T14:00:00Z' };
const lastMonth = { paid_through: '2026-10-25T14:00:00Z' };

test.each([
  [{}, 'grants', 'Paid until 10 Dec 2026, 14:00 UTC (in 14 days). Grace then lasts until 13 Dec 2026, 14:00 UTC.'],
  [{ state: 'trialing' }, 'grants', /^A trial runs until 10 Dec/],
  [{ state: 'cancelled', ends: true }, 'grants', /^Cancelled, and does not renew: paid until [^.]*\.$/],
  [{ ...yesterday, ends: true }, 'over', /^The paid time ended 25 Nov 2026, 14:00 UTC \(1 day ago\)\.$/],
  [{ disputes: [dispute('open', 'for_now')] }, 'disputed', /^A payment is disputed\./],
  [{ disputes: [dispute('won', 'nothing'), dispute('lost', 'for_good')] }, 'disputed', /was lost/],
  [{ disputes: [dispute('lost', 'waived')] }, 'grants', /^Paid until/],
  [{ revoked: true, disputes: [dispute('open', 'for_now')] }, 'revoked', /^Support has revoked it/],
  [{ state: 'past_due' }, 'grace', 'A payment is missing. Without it, it ends 13 Dec 2026, 14:00 UTC (in 17 days).'],
  [yesterday, 'grace', /^The paid time ended .* \(1 day ago\); grace lasts until 28 Nov 2026/],
  [lastMonth, 'over', /^The paid time ended 25 Oct 2026, 14:00 UTC, and its grace 28 Oct/],
  [{ revoked: true }, 'revoked', /^Support has revoked it\. Only reinstating/],
  [{ suspended: true }, 'suspended', /^Support has suspended it/],
  [{ suspended: true, revoked: true, ...lastMonth }, 'revoked', /revoked/],
] as const)('%o is worth %s', (of, what, words) => {
  expect(worth(subscription(of), premium, now)).toBe(what);
  expect(because(subscription(of), premium, now)).toMatch(words);
});

test('without a plan there is no grace', () => {
  expect(worth(subscription(yesterday), undefined, now)).toBe('over');
  expect(because(subscription(yesterday), undefined, now)).toBe(
    'The paid time ended 25 Nov 2026, 14:00 UTC (1 day ago).',
  );
});

function account(...subscriptions: Subscription[]): Account {
  const basic = { ...premium, id: 'basic', features: { notes: { offline: true } }, rank: 1 };
  return { subscriptions, plans: [premium, basic] } as unknown as Account;
}

test('the best one decides, as the server judges', () => {
  const [paid, over, revoked] = [
    subscription({ id: 'b' }),
    subscription({ id: 'a', ...lastMonth }),
    subscription({ id: 'c', revoked: true }),
  ];
  expect(decisive(account(revoked, over, paid), now)).toBe('b');
  expect(decisive(account(revoked, over), now)).toBe('a');
  expect(decisive(account(subscription({ id: 'x', plan: 'basic' }), paid), now)).toBe('b');
  expect(
    decisive(account(subscription({ id: 'x' }), subscription({ id: 'y', paid_through: '2027-01-01T00:00:00Z' })), now),
  ).toBe('y');
  expect(decisive(account(), now)).toBeUndefined();
});

test('what another subscription goes on giving is named', () => {
  const basic = subscription({ id: 'x', plan: 'basic' });
  expect(kept(account(subscription(), basic), 'sub-1', now)).toEqual(['notes']);
  expect(kept(account(subscription(), { ...basic, suspended: true }), 'sub-1', now)).toEqual([]);
});

test('features by their names', () => {
  expect(featureWords(premium.features)).toBe('export, notes up to 5,000, support (online only)');
  expect(featureWords({})).toBe('none');
});

test('one sentence says what a user has', () => {
  const decision = {
    state: 'active',
    reason: null,
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
