import { describe, expectTypeOf, it } from 'vitest';
import {
  type Entitlement,
  type ErrorCode,
  type Holdfast,
  HoldfastError,
  type LinkedDevice,
  openHoldfast,
  type ReconcileResult,
  type Roots,
} from '../src/index.ts';

describe('the public types', () => {
  it('open with an origin and roots, given or to be loaded', () => {
    expectTypeOf(openHoldfast).returns.resolves.toEqualTypeOf<Holdfast>();
    const roots: Roots = { current: {}, next: null };
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test', roots });
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test', roots: async () => roots });
    // @ts-expect-error without roots nothing can be trusted
    expectTypeOf(openHoldfast).toBeCallableWith({ origin: 'https://holdfast.test' });
  });

  it('answer about features at once', () => {
    expectTypeOf<Holdfast['has']>().returns.toEqualTypeOf<boolean>();
    expectTypeOf<Holdfast['limit']>().returns.toEqualTypeOf<number | undefined>();
    expectTypeOf<Entitlement['until']>().toEqualTypeOf<Date | null>();
  });

  it('carry a code where there is one', () => {
    expectTypeOf<Extract<ReconcileResult, { outcome: 'refused' }>['code']>().toEqualTypeOf<ErrorCode>();
    expectTypeOf(new HoldfastError('device_limit').devices).toEqualTypeOf<readonly LinkedDevice[]>();
    // @ts-expect-error not a code
    new HoldfastError('whatever');
  });

  it('lock, and open by a promise', () => {
    expectTypeOf<Holdfast['locked']>().toEqualTypeOf<boolean>();
    expectTypeOf<Holdfast['unlock']>().toBeCallableWith({ signal: new AbortController().signal });
    expectTypeOf<Holdfast['setLock']>().toBeCallableWith({ onStart: true, idle: 60_000 });
    // @ts-expect-error a limit is a number of milliseconds
    expectTypeOf<Holdfast['setLock']>().toBeCallableWith({ idle: '5m' });
  });

  it('cannot be written to', () => {
    // @ts-expect-error a snapshot is read-only
    const write = (entitlement: Entitlement) => (entitlement.state = 'active');
    expectTypeOf(write).toBeFunction();
  });
});
