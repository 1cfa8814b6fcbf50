import { emptyHoldfast } from '@holdfast/client';
import { expect, test, vi } from 'vitest';
import { fakeHoldfast } from '../src/index.ts';

test('it has every member of the real client', () => {
  const members = (object: object) => Object.getOwnPropertyNames(object).sort();
  const { state: _, ...real } = Object.getOwnPropertyDescriptors(emptyHoldfast());
  expect(members(fakeHoldfast()).filter((name) => name !== 'set' && name !== 'fail')).toEqual(Object.keys(real).sort());
});

test('it grants what its plan has, until the test takes it away', () => {
  const hf = fakeHoldfast<'export' | 'notes'>({ plan: { export: {}, notes: { limit: 10 } } });
  const heard = vi.fn();
  hf.subscribe(heard);
  const { has, limit, snapshot } = hf;
  expect([has('export'), limit('notes'), hf.user?.name]).toEqual([true, 10, 'Ada']);
  expect(snapshot()).toBe(snapshot());
  hf.set({ entitlement: { state: 'revoked', reason: 'revoked' } });
  expect([has('export'), limit('notes'), hf.entitlement.reason]).toEqual([false, undefined, 'revoked']);
  expect(heard).toHaveBeenCalledTimes(1);
});

test('people sign in and out, and start a trial', async () => {
  const hf = fakeHoldfast({ user: null, plan: null });
  expect(await hf.reconcile()).toEqual({ outcome: 'signed_out' });
  expect((await hf.register('Grace')).name).toBe('Grace');
  expect(hf.entitlement.state).toBe('none');
  await hf.startTrial();
  expect([hf.entitlement.state, hf.entitlement.ending]).toEqual(['active', 'trial']);
  expect(await hf.signOut()).toBe(true);
  expect([hf.user, hf.device, hf.entitlement.state]).toEqual([null, null, 'none']);
});

test('calls fail as the test says, or offline', async () => {
  const hf = fakeHoldfast();
  hf.fail('signIn', 'cancelled');
  await expect(hf.signIn()).rejects.toMatchObject({ code: 'cancelled' });
  expect(await hf.signIn()).toMatchObject({ name: 'Ada' });
  hf.set({ reached: false });
  await expect(hf.session()).rejects.toMatchObject({ code: 'no_contact' });
  expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
  await hf.lock();
  expect(hf.locked).toBe(true);
});
