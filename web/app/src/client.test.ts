import type { HoldfastError } from '@holdfast/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const holdfast = {
  user: { id: 'ada', name: 'Ada' },
  entitlement: { state: 'none' },
  locked: false,
  subscribe: vi.fn<(listener: () => void) => void>(),
  register: vi.fn(async () => {}),
  signIn: vi.fn(async () => {}),
  startTrial: vi.fn(async () => {}),
  confirm: vi.fn(async () => {}),
  session: vi.fn(async () => ({ user: holdfast.user, confirm: holdfast.confirm })),
};
vi.mock('@holdfast/client', async (original) => ({
  ...(await original<object>()),
  openHoldfast: async () => holdfast,
}));

let app: typeof import('./client.ts') & typeof import('./account-actions.ts');
let trial: typeof import('./trial.ts');
const persist = vi.fn(async () => true);

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal('location', { origin: 'https://holdfast.test', hash: '' });
  vi.stubGlobal('history', { replaceState: vi.fn() });
  vi.stubGlobal('document', new EventTarget());
  vi.stubGlobal('navigator', { storage: { persist } });
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.resetModules();
  persist.mockClear();
  trial = await import('./trial.ts');
  app = { ...(await import('./client.ts')), ...(await import('./account-actions.ts')) };
  await app.openClient();
});

afterEach(() => {
  holdfast.entitlement = { state: 'none' };
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** The error class as imported by this page's modules. */
async function failWith(code: ConstructorParameters<typeof HoldfastError>[0]) {
  const client = await import('@holdfast/client');
  return new client.HoldfastError(code);
}

test('reports unexpected failures too', async () => {
  holdfast.signIn.mockRejectedValueOnce(new DOMException('', 'UnknownError'));
  expect(await app.signIn()).toBe(false);
  expect(app.outcome.value).toMatchObject({ good: false, text: expect.stringContaining('did not work') });
  expect(app.busy.value).toBeNull();
  expect(console.error).toHaveBeenCalled();
});

test.each([
  ['conflict', false],
  ['not_found', false],
  ['no_contact', true],
] as const)('after %s, the trial is offered: %s', async (code, offered) => {
  holdfast.startTrial.mockRejectedValueOnce(await failWith(code));
  await app.startTrial();
  expect(app.outcome.value).toMatchObject({ good: false });
  expect(trial.trialOffered('ada')).toBe(offered);
});

test('a trial that requires the passkey again continues after it', async () => {
  holdfast.startTrial.mockClear();
  holdfast.startTrial.mockRejectedValueOnce(await failWith('reauthentication_required'));
  const started = app.startTrial();
  await vi.waitFor(() => expect(app.confirming.value).not.toBeNull());
  app.confirming.value?.(true);
  expect(await started).toBe(true);
  expect(holdfast.confirm).toHaveBeenCalledOnce();
  expect(holdfast.startTrial).toHaveBeenCalledTimes(2);
});

test('does not offer the trial again after it was started', async () => {
  await app.startTrial();
  expect(app.outcome.value).toMatchObject({ good: true });
  expect(trial.trialOffered('ada')).toBe(false);
});

test('clears the trial message after a revoke', async () => {
  const change = holdfast.subscribe.mock.lastCall?.[0];
  holdfast.entitlement = { state: 'active' };
  await app.startTrial();
  change?.();
  expect(app.outcome.value?.text).toContain('Enjoy the trial');
  holdfast.entitlement = { state: 'revoked' };
  change?.();
  expect(app.outcome.value).toBeNull();
});

test('requests persistent storage once there is an account, without waiting', async () => {
  persist.mockReturnValueOnce(new Promise(() => {}));
  expect(persist).not.toHaveBeenCalled();
  expect(await app.createAccount('Ada')).toBe(true);
  expect(persist).toHaveBeenCalledOnce();
  persist.mockRejectedValueOnce(new TypeError('not now'));
  expect(await app.createAccount('Ada')).toBe(true);
});

test('does not request persistent storage without an account or browser support', async () => {
  holdfast.register.mockRejectedValueOnce(await failWith('cancelled'));
  expect(await app.createAccount('Ada')).toBe(false);
  expect(persist).not.toHaveBeenCalled();
  vi.stubGlobal('navigator', {});
  expect(await app.createAccount('Ada')).toBe(true);
});

test('a lock hides everything during a passkey prompt', async () => {
  const tell = holdfast.subscribe.mock.lastCall?.[0];
  let shown = () => {};
  holdfast.signIn.mockReturnValueOnce(new Promise<void>((resolve) => (shown = resolve)));
  const signingIn = app.signIn();
  holdfast.locked = true;
  tell?.();
  expect(app.locked.value).toBe(true);
  // It opens, like all other changes, once the whole sign-in is done.
  holdfast.locked = false;
  tell?.();
  expect(app.locked.value).toBe(true);
  shown();
  await signingIn;
  expect(app.locked.value).toBe(false);
});

test('reports a refused passkey from autofill, and offers another', async () => {
  holdfast.user = null as never;
  const ended = new AbortController();
  holdfast.signIn.mockRejectedValueOnce(await failWith('credential_rejected'));
  const offer = app.offerAutofill(ended.signal);
  await vi.waitFor(() => expect(app.outcome.value).toMatchObject({ good: false }));
  holdfast.signIn.mockClear();
  holdfast.signIn.mockRejectedValueOnce(await failWith('cancelled'));
  await vi.advanceTimersByTimeAsync(5_000);
  await offer;
  expect(holdfast.signIn).toHaveBeenCalledOnce();
  holdfast.user = { id: 'ada', name: 'Ada' };
});
