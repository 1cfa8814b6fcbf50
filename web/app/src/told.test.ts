import type { Entitlement } from '@holdfast/client';
import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let stored: Map<string, string>;
let page: typeof import('./told.ts');
let stop = () => {};
const entitlement = signal({} as Entitlement);
const user = signal<{ id: string } | null>(null);
const reached = signal<boolean | null>(null);
const ask = vi.fn<(options: object) => Promise<unknown>>();
vi.mock('./client.ts', () => ({ entitlement, user }));
vi.mock('./reached.ts', () => ({ reached }));
vi.mock('@holdfast/client/explanation', () => ({ explain: ask }));

const revoked = { state: 'revoked', reason: 'revoked', revision: 7, error: null } as unknown as Entitlement;
const answer = {
  state: 'revoked',
  reason: 'revoked',
  revision: 7,
  since: new Date('2026-03-01T12:00:00Z'),
  helpUrl: 'mailto:help@example.org',
};
const words = { since: answer.since, help: answer.helpUrl };

beforeEach(async () => {
  stored = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
  vi.stubGlobal('location', { origin: 'https://holdfast.test' });
  [entitlement.value, user.value, reached.value] = [revoked, { id: 'ada' }, true];
  ask.mockReset().mockResolvedValue(answer);
  await open();
});

afterEach(() => {
  stop();
  vi.unstubAllGlobals();
});

/** The page just after opening, before its request. */
async function open() {
  vi.resetModules();
  page = await import('./told.ts');
}

function follow() {
  stop = page.followStanding();
}

test('keeps the explanation after a reload without the server', async () => {
  follow();
  await expect.poll(() => page.told.value).toEqual(words);
  expect(ask).toHaveBeenCalledExactlyOnceWith({ origin: 'https://holdfast.test' });
  stop();
  reached.value = null;
  await open();
  expect(page.told.value).toEqual(words);
});

test('asks at the next contact if there is none now', async () => {
  ask.mockImplementationOnce(async () => {
    await Promise.resolve();
    reached.value = false;
    throw new Error('no contact');
  });
  follow();
  await expect.poll(() => reached.value).toBe(false);
  expect(page.told.value).toBeNull();
  await new Promise((resolve) => setTimeout(resolve));
  reached.value = true;
  await expect.poll(() => page.told.value).toEqual(words);
});

test('does not repeat a refused request', async () => {
  ask.mockRejectedValue(new Error('device_unknown'));
  follow();
  for (const next of [null, true, null, true]) {
    await new Promise((resolve) => setTimeout(resolve));
    reached.value = next;
  }
  expect(ask).toHaveBeenCalledTimes(1);
});

test.each([
  ['another state', { ...answer, reason: 'suspended' }],
  ['a later revision', { ...answer, revision: 8 }],
  ['no device', null],
])('an answer about %s explains nothing', async (_, other) => {
  ask.mockResolvedValue(other);
  follow();
  await expect.poll(() => ask.mock.settledResults.length).toBe(1);
  expect(page.told.value).toBeNull();
});

test.each([
  ['active', { ...revoked, state: 'active', reason: null }],
  ['none', { ...revoked, state: 'none', reason: null }],
  ['a device that was removed', { ...revoked, reason: 'device_removed' }],
  ['a document that does not verify', { ...revoked, error: 'signature_invalid' }],
])('asks nothing: %s', (_, other) => {
  entitlement.value = other as Entitlement;
  follow();
  expect(ask).not.toHaveBeenCalled();
});

test('deletes the explanation with its user', async () => {
  follow();
  await expect.poll(() => page.told.value).toEqual(words);
  user.value = null;
  expect(stored.size).toBe(0);
  user.value = { id: 'grace' };
  expect(page.told.value).toBeNull();
});

test.each([
  'rubbish',
  'null',
  '7',
  '{"about":"ada 7 revoked revoked","since":{},"help":"javascript:alert(1)"}',
  '{"about":"ada 7 revoked revoked","since":"soon","help":["https://help.example.org"]}',
])('tolerates any stored value: %s', async (text) => {
  stored.set('fieldbook-told', text);
  await open();
  expect(page.told.value ?? { since: null, help: null }).toEqual({ since: null, help: null });
});
