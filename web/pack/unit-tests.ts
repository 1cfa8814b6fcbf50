// Unit tests of an app with @holdfast/testing. testing.test.js compiles them against the packed packages.
import type { Holdfast } from '@holdfast/client';
import { type FakeHoldfast, type FakeState, fakeHoldfast } from '@holdfast/testing';

const initial: FakeState<'export' | 'notes'> = { plan: { export: {}, notes: { limit: 10 } } };
const fake: FakeHoldfast<'export' | 'notes'> = fakeHoldfast(initial);
const real: Holdfast<'export' | 'notes'> = fake;
const may: boolean = real.has('export');
fake.set({ entitlement: { state: 'revoked', reason: 'revoked' }, reached: false, user: null });
fake.fail('signIn', 'cancelled');

// @ts-expect-error no such feature
fakeHoldfast<'export'>({ plan: { exprot: {} } });
// @ts-expect-error only methods that return a promise can fail
fake.fail('has', 'cancelled');
// @ts-expect-error types are found, so that this is not any
fake.set(1);

export { may };
