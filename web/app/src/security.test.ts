import { beforeEach, expect, test, vi } from 'vitest';

/** The answers to the next calls, which the test releases. */
let answer: (value: unknown) => void;
const later = () => new Promise((resolve) => (answer = resolve));

const session = {
  user: { id: 'ada', name: 'Ada' },
  notices: [],
  passkeys: vi.fn(async () => []),
  sessions: vi.fn(async () => []),
  devices: vi.fn(async (): Promise<unknown> => []),
  recoveryCodes: vi.fn(async () => ({ left: 0, createdAt: null })),
  createRecoveryCodes: vi.fn(later),
};
const holdfast = {
  user: session.user as { id: string; name: string } | null,
  entitlement: { state: 'none' },
  subscribe: vi.fn<(listener: () => void) => void>(),
  session: vi.fn(async () => session),
};
vi.mock('@holdfast/client', async (original) => ({
  ...(await original<object>()),
  openHoldfast: async () => holdfast,
}));

let page: typeof import('./security.ts') & typeof import('./devices.ts');

beforeEach(async () => {
  vi.stubGlobal('location', { origin: 'https://holdfast.test', hash: '' });
  vi.stubGlobal('document', new EventTarget());
  vi.resetModules();
  vi.useFakeTimers({ toFake: ['setInterval'] });
  holdfast.user = session.user;
  const app = await import('./client.ts');
  page = { ...(await import('./security.ts')), ...(await import('./devices.ts')) };
  await app.openClient();
});

/** Another user signs in at this browser. */
function next(): void {
  holdfast.user = { id: 'bob', name: 'Bob' };
  holdfast.subscribe.mock.lastCall?.[0]();
}

test('shows recovery codes only to their user, also if they arrive late', async () => {
  const made = page.makeRecoveryCodes();
  await vi.waitFor(() => expect(session.createRecoveryCodes).toHaveBeenCalledOnce());
  page.forgetSecurity(); // Ada opens another page
  answer(['AAAA']);
  expect(await made).toBe(true);
  expect(page.newCodes.value).toEqual(['AAAA']);
  next();
  expect(page.newCodes.value).toBeNull();
});

test('shows no codes that arrive after their user has left', async () => {
  session.createRecoveryCodes.mockClear();
  const made = page.makeRecoveryCodes();
  await vi.waitFor(() => expect(session.createRecoveryCodes).toHaveBeenCalledOnce());
  next();
  answer(['AAAA']);
  await made;
  expect(page.newCodes.value).toBeNull();
});

test('forgets one user’s data when another signs in', async () => {
  await page.askSecurity();
  await page.listDevices();
  expect([page.security.value, page.devices.value]).toEqual([expect.objectContaining({ passkeys: [] }), []]);
  session.devices.mockImplementationOnce(later);
  const listing = page.listDevices();
  await vi.waitFor(() => expect(session.devices).toHaveBeenCalledTimes(2));
  next();
  answer([{ id: 'hers', name: 'Hers', linkedAt: new Date(), lastReconciledAt: null }]);
  await listing;
  expect([page.security.value, page.devices.value]).toEqual(['not asked', 'not asked']);
});
