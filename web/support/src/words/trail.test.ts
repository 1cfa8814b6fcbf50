import { expect, test } from 'vitest';
import { zone } from './time.ts';
import { actionWords, actorWords, changes, objectOf } from './trail.ts';

zone.value = 'UTC';

test('known actions have words, others stay readable', () => {
  expect(actionWords('subscription.revoke')).toBe('Revoked');
  expect(actionWords('vault.key_rotated')).toBe('Vault key rotated');
});

test('known actors are named', () => {
  const names = new Map([['5f0c8f8e-0000-4000-8000-000000000001', 'Grace']]);
  expect(actorWords('user:ada', 'ada', names)).toBe('the customer');
  expect(actorWords('user:bob', 'ada', names)).toBe('a deleted account');
  const grace = '5f0c8f8e-0000-4000-8000-000000000001';
  expect(actorWords(`user:${grace}`, grace, names)).toBe('Grace');
  expect(actorWords('staff:5f0c8f8e-0000-4000-8000-000000000001', 'ada', names)).toBe('Grace');
  expect(actorWords('staff:0d1c8f8e-0000-4000-8000-000000000002', 'ada', names)).toBe('staff 0d1c8f8e…');
  expect(actorWords(`token:${grace}`, null, new Map([[grace, 'billing script']]))).toBe('API token billing script');
  expect(actorWords('token:bootstrap', 'ada', names)).toBe('the first API token');
  expect(actorWords('billing:stripe', null, names)).toBe('billing (stripe)');
  expect(actorWords('operator', null, names)).toBe('whoever runs the server');
  expect(actorWords('cron', null, names)).toBe('cron');
});

test('changes are listed member by member', () => {
  const before = { plan: 'premium', state: 'active', paid_through: 1764770400, revoked: false };
  expect(changes({ before, after: { ...before, revoked: true } })).toEqual(['revoked: no → yes']);
  expect(changes({ before, after: { ...before, paid_through: 1765375200 } })).toEqual([
    'paid through: 3 Dec 2025, 14:00 UTC → 10 Dec 2025, 14:00 UTC',
  ]);
  expect(changes({ before: null, after: { plan: 'premium', limit: null, revoked: false } })).toEqual(['plan: premium']);
  expect(changes({ before: null, after: null })).toEqual([]);
  expect(changes({ before: null, after: { scopes: ['support:read', 'support:write'] } })).toEqual([
    'scopes: support:read, support:write',
  ]);
  expect(changes({ before: { export: { offline: true } }, after: {} })).toEqual(['export: {"offline":true} → none']);
});

test('an object is named unless it is the user whose trail this is', () => {
  const entry = { object: 'user:ada', user: 'ada' } as never;
  expect(objectOf(entry)).toBeNull();
  expect(objectOf({ object: 'subscription:a:b', user: 'ada' } as never)).toEqual({ kind: 'subscription', id: 'a:b' });
});
