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

let app: typeof import('./client.ts');
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
  [app, trial] = await Promise.all([import('./client.ts'), import('./trial.ts')]);
  await app.openClient();
});

afterEach(() => {
  holdfast.entitlement = { state: 'none' };
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** The error as the modules of this page know it. */
async function failWith(code: ConstructorParameters<typeof HoldfastError>[0]) {
  const client = await import('@holdfast/client');
  return new client.HoldfastError(code);
}

test('a failure that nobody foresaw is told too', async () => {
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

test('a trial that wants the passkey once more goes on after it', async () => {
  holdfast.startTrial.mockClear();
  holdfast.startTrial.mockRejectedValueOnce(await failWith('reauthentication_required'));
  const started = app.startTrial();
  await vi.waitFor(() => expect(app.confirming.value).not.toBeNull());
  app.confirming.value?.(true);
  expect(await started).toBe(true);
  expect(holdfast.confirm).toHaveBeenCalledOnce();
  expect(holdfast.startTrial).toHaveBeenCalledTimes(2);
});

test('after the trial was started, it is not offered again', async () => {
  await app.startTrial();
  expect(app.outcome.value).toMatchObject({ good: true });
  expect(trial.trialOffered('ada')).toBe(false);
});

test('what was said of a trial is not left standing when support ends it', async () => {
  const change = holdfast.subscribe.mock.lastCall?.[0];
  holdfast.entitlement = { state: 'active' };
  await app.startTrial();
  change?.();
  expect(app.outcome.value?.text).toContain('Enjoy the trial');
  holdfast.entitlement = { state: 'revoked' };
  change?.();
  expect(app.outcome.value).toBeNull();
});

test('storage is asked to stay once there is an account, and nobody waits for the answer', async () => {
  persist.mockReturnValueOnce(new Promise(() => {}));
  expect(persist).not.toHaveBeenCalled();
  expect(await app.createAccount('Ada')).toBe(true);
  expect(persist).toHaveBeenCalledOnce();
  persist.mockRejectedValueOnce(new TypeError('not now'));
  expect(await app.createAccount('Ada')).toBe(true);
});

test('not where no account came of it, and not where the browser cannot', async () => {
  holdfast.register.mockRejectedValueOnce(await failWith('cancelled'));
  expect(await app.createAccount('Ada')).toBe(false);
  expect(persist).not.toHaveBeenCalled();
  vi.stubGlobal('navigator', {});
  expect(await app.createAccount('Ada')).toBe(true);
});

test('a lock hides everything while somebody is still being asked for a passkey', async () => {
  const tell = holdfast.subscribe.mock.lastCall?.[0];
  let shown = () => {};
  holdfast.signIn.mockReturnValueOnce(new Promise<void>((resolve) => (shown = resolve)));
  const signingIn = app.signIn();
  holdfast.locked = true;
  tell?.();
  expect(app.locked.value).toBe(true);
  // It opens, as everything else changes, once all of the sign-in is done.
  holdfast.locked = false;
  tell?.();
  expect(app.locked.value).toBe(true);
  shown();
  await signingIn;
  expect(app.locked.value).toBe(false);
});

test('a passkey from the autofill that is refused is told, and another one is offered', async () => {
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
