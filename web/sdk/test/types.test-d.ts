import { describe, expectTypeOf, it } from 'vitest';
import {
  type Entitlement,
  type EntitlementState,
  type ErrorCode,
  type Holdfast,
  HoldfastError,
  type LinkedDevice,
  openHoldfast,
  type ReconcileResult,
  type Roots,
  type Session,
  type StorageHealth,
} from '../src/index.ts';

describe('the public types', () => {
  it('open with an origin and roots, given or loaded', () => {
    expectTypeOf(openHoldfast).returns.resolves.toEqualTypeOf<Holdfast>();
    const roots: Roots = { current: {}, next: null };
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test', roots });
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test', roots: async () => roots });
    // @ts-expect-error without roots nothing can be trusted
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test' });
  });

  it('report features synchronously', () => {
    expectTypeOf<Holdfast['has']>().returns.toEqualTypeOf<boolean>();
    expectTypeOf<Holdfast['limit']>().returns.toEqualTypeOf<number | undefined>();
    expectTypeOf<Entitlement['until']>().toEqualTypeOf<Date | null>();
  });

  it('know the names of the features, if they are given', async () => {
    const open = () =>
      openHoldfast<'export' | 'notes'>({ origin: 'https://holdfast.test', roots: { current: {}, next: null } });
    type Typed = Awaited<ReturnType<typeof open>>;
    expectTypeOf<Typed>().toEqualTypeOf<Holdfast<'export' | 'notes'>>();
    const ask = (hf: Typed, any: Holdfast) => [
      hf.has('export'),
      hf.limit('notes'),
      any.has('whatever'),
      hf.entitlement.features.notes?.limit,
      hf.snapshot().entitlement.features.export,
      // @ts-expect-error no such feature
      hf.has('exprot'),
      // @ts-expect-error no such feature
      hf.limit('note'),
      // @ts-expect-error no such feature
      hf.entitlement.features.exprot,
      // @ts-expect-error a plan may not have it
      hf.entitlement.features.notes.limit,
    ];
    expectTypeOf(ask).toBeFunction();
    // Helpers may take any client.
    expectTypeOf<Typed>().toExtend<Holdfast>();
  });

  it('name exactly the states of the two axes', () => {
    expectTypeOf<EntitlementState>().toEqualTypeOf<
      'none' | 'active' | 'grace' | 'expired' | 'revoked' | 'clock_behind'
    >();
    expectTypeOf<Entitlement['state']>().toEqualTypeOf<EntitlementState>();
    expectTypeOf<StorageHealth>().toEqualTypeOf<'well' | 'full' | 'blocked' | 'newer' | 'unavailable' | 'reset'>();
    expectTypeOf<Holdfast['storage']>().toEqualTypeOf<StorageHealth>();
    // @ts-expect-error storage is managed by the SDK
    const write = (hf: Holdfast) => (hf.storage = 'well');
    expectTypeOf(write).toBeFunction();
  });

  it('replace a device, and say whether the server heard of a sign-out', () => {
    expectTypeOf<Holdfast['link']>().toBeCallableWith({ replaces: 'id' });
    expectTypeOf<Holdfast['signOut']>().returns.resolves.toEqualTypeOf<boolean>();
    expectTypeOf<Holdfast['start']>().returns.toEqualTypeOf<() => void>();
  });

  it('carry a code if there is one', () => {
    expectTypeOf<Extract<ReconcileResult, { outcome: 'refused' }>['code']>().toEqualTypeOf<ErrorCode>();
    expectTypeOf(new HoldfastError('device_limit').devices).toEqualTypeOf<readonly LinkedDevice[]>();
    // @ts-expect-error not a code
    new HoldfastError('whatever');
  });

  it('lock and unlock with a promise', () => {
    expectTypeOf<Holdfast['locked']>().toEqualTypeOf<boolean>();
    expectTypeOf<Holdfast['unlock']>().toBeCallableWith({ signal: new AbortController().signal });
    expectTypeOf<Holdfast['setLock']>().toBeCallableWith({ onStart: true, idle: 60_000 });
    // @ts-expect-error a limit is a number of milliseconds
    expectTypeOf<Holdfast['setLock']>().toBeCallableWith({ idle: '5m' });
  });

  it('manage the account with the live session', () => {
    expectTypeOf<Holdfast['session']>().returns.resolves.toEqualTypeOf<Session | null>();
    expectTypeOf<Session['deletePasskey']>().toBeCallableWith('id', { endSessions: true });
    expectTypeOf<Session['createRecoveryCodes']>().returns.resolves.toEqualTypeOf<readonly string[]>();
  });

  it('cannot be written to', () => {
    // @ts-expect-error a snapshot is read-only
    const write = (entitlement: Entitlement) => (entitlement.state = 'active');
    expectTypeOf(write).toBeFunction();
  });
});
