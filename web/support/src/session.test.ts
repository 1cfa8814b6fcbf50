import type { AdminSession, SignedIn } from '@holdfast/api';
import { HoldfastError } from '@holdfast/client';
import { beforeEach, expect, test, vi } from 'vitest';
import { autofill, signIn } from './ceremony.ts';
import { call } from './server.ts';
import { askWho, confirmed, confirming, may, me, notices, read } from './session.ts';

vi.mock('./ceremony.ts', () => ({ signIn: vi.fn(), autofill: vi.fn(), redeem: vi.fn() }));
vi.mock('./server.ts', () => ({ call: vi.fn() }));

const grace: AdminSession = {
  actor: 'staff:grace',
  user: { id: 'grace', name: 'Grace' },
  role: 'support',
  scopes: ['support:read', 'support:write'],
  authenticated_at: '2026-11-26T14:00:00Z',
  keyset_ends_at: '2027-11-26T14:00:00Z',
};
const refused = (code: ConstructorParameters<typeof HoldfastError>[0]) => new HoldfastError(code);
const asked = () => vi.mocked(call);

beforeEach(() => {
  vi.resetAllMocks();
  asked().mockResolvedValue(grace);
  me.value = grace;
  notices.value = [];
  confirming.value = null;
});

test.each([
  ['unauthenticated', 'nobody'],
  ['reauthentication_required', 'nobody'],
  ['forbidden', 'stranger'],
] as const)('%s: %s', async (code, present) => {
  asked().mockRejectedValue(refused(code));
  await askWho();
  expect(me.value).toBe(present);
});

test('keeps the known user while the server is not reached', async () => {
  asked().mockRejectedValue(refused('no_contact'));
  await askWho();
  expect(me.value).toBe(grace);
  me.value = 'not asked';
  await askWho();
  expect(me.value).toBe('out of reach');
});

test('allows what the scopes allow', () => {
  expect([may('support:write'), may('admin')]).toEqual([true, false]);
  me.value = 'nobody';
  expect(may('support:read')).toBe(false);
});

function as(id: string): SignedIn {
  const used = '2026-11-26T14:00:00Z';
  const passkey = { id: 'AAAA', name: 'Phone', provider: '', created_at: used, last_used_at: used, synced: true };
  return { user: { id, name: id }, passkey, notices: [] };
}

test('continues a change after one tap', async () => {
  vi.mocked(signIn).mockResolvedValue(as('grace'));
  const work = vi.fn().mockRejectedValueOnce(refused('reauthentication_required')).mockResolvedValue('done');
  const outcome = confirmed(work);
  await vi.waitFor(() => expect(confirming.value).not.toBeNull());
  confirming.value?.(true);
  expect(await outcome).toBe('done');
  expect(work).toHaveBeenCalledTimes(2);
  expect(confirming.value).toBeNull();
});

test('does nothing after a refusal, or after another user signs in', async () => {
  const work = vi.fn().mockRejectedValue(refused('unauthenticated'));
  let outcome = confirmed(work);
  await vi.waitFor(() => expect(confirming.value).not.toBeNull());
  confirming.value?.(false);
  await expect(outcome).rejects.toMatchObject({ code: 'cancelled' });
  expect(signIn).not.toHaveBeenCalled();

  vi.mocked(signIn).mockResolvedValue(as('eve'));
  outcome = confirmed(work);
  await vi.waitFor(() => expect(confirming.value).not.toBeNull());
  confirming.value?.(true);
  await expect(outcome).rejects.toMatchObject({ code: 'cancelled' });
  expect(work).toHaveBeenCalledTimes(2);
});

test('notices a removed role at the next refusal', async () => {
  asked().mockRejectedValue(refused('forbidden'));
  await expect(confirmed(() => Promise.reject(refused('forbidden')))).rejects.toMatchObject({ code: 'forbidden' });
  await vi.waitFor(() => expect(me.value).toBe('stranger'));
});

test('an ended session leads to the sign-in', async () => {
  asked().mockRejectedValue(refused('reauthentication_required'));
  await expect(read('/admin/v1/users/x')).rejects.toBeInstanceOf(HoldfastError);
  expect(me.value).toBe('nobody');
  expect(autofill).not.toHaveBeenCalled();
});
