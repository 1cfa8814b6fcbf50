import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { reconcileInBackground, type WorkerOptions } from '../src/worker.ts';
import { type FakeWorker, stubBrowser } from './support/browser.ts';
import { Profile } from './support/device.ts';
import { day, epoch, FakeServer, origin } from './support/fake-server.ts';

let worker: FakeWorker;
let server: FakeServer;
let profile: Profile;

beforeEach(async () => {
  ({ worker } = stubBrowser());
  vi.spyOn(Math, 'random').mockReturnValue(0);
  server = await FakeServer.create();
  profile = new Profile(server);
  await profile.openPremium();
  server.requests.length = 0;
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
});

const offline = async () => Promise.reject(new TypeError('offline'));
const reconciles = () => server.requests.filter((request) => request === 'POST /v1/reconcile').length;

function install(options: Partial<WorkerOptions> = {}): () => void {
  return reconcileInBackground({
    origin,
    roots: server.roots,
    rpId: 'holdfast.test',
    database: profile.database,
    clock: () => profile.clock,
    fetch: server.fetch,
    ...options,
  });
}

it.each(['sync', 'periodicsync'] as const)('%s reconciles, and notifies the tabs', async (type) => {
  const tab = await profile.open();
  install();
  server.revision = 2;
  await worker.wake(type);
  expect(reconciles()).toBe(1);
  await vi.waitFor(() => expect(tab.entitlement.revision).toBe(2));
});

it('sends nothing for another tag, or if nobody is signed in', async () => {
  install();
  await worker.wake('sync', 'fieldbook-notes');
  const tab = await profile.open();
  await tab.signOut();
  server.requests.length = 0;
  await worker.wake('sync');
  await worker.wake('periodicsync');
  expect(server.requests).toEqual([]);
});

it('rejects while there is no contact, so that the browser wakes it again', async () => {
  install();
  server.interfere = offline;
  await expect(worker.wake('sync')).rejects.toMatchObject({ code: 'no_contact' });
  server.interfere = () => undefined;
  await worker.wake('sync');
  expect(reconciles()).toBe(1);
});

it('sends nothing if a page has made up for the owed run, once', async () => {
  install();
  const { lineage } = await profile.held();
  await profile.tamper({ owed: lineage });
  await (await profile.open()).reconcile();
  server.requests.length = 0;
  await worker.wake('sync');
  expect(server.requests).toEqual([]);
  expect(await profile.held()).not.toHaveProperty('owed');
  await worker.wake('sync');
  expect(reconciles()).toBe(1);
});

it('keeps the owed run until it is made up for', async () => {
  install();
  const { lineage } = await profile.held();
  await profile.tamper({ owed: lineage });
  server.interfere = offline;
  await expect(worker.wake('sync')).rejects.toMatchObject({ code: 'no_contact' });
  expect((await profile.held()).owed).toBe(lineage);
  server.interfere = () => undefined;
  await worker.wake('sync');
  expect(await profile.held()).not.toHaveProperty('owed');
});

it('finishes an offline sign-out', async () => {
  install();
  const tab = await profile.open();
  server.interfere = offline;
  expect(await tab.signOut()).toBe(false);
  await expect(worker.wake('sync')).rejects.toMatchObject({ code: 'no_contact' });
  server.interfere = () => undefined;
  await worker.wake('sync');
  expect(server.signedIn).toBe(false);
  expect(server.devices.size).toBe(0);
  expect(await profile.held()).not.toHaveProperty('farewell');
});

it('sets the time by its own clock', async () => {
  const [ahead, now] = [3 * 365 * day * 1000, (epoch + day) * 1000];
  server.now = now / 1000;
  install({ clock: () => now + ahead });
  await worker.wake('periodicsync');
  expect((await profile.held()).time).toEqual({ mark: now });
});

it.each<[string, number, () => void]>([
  ['waits for its moment', 0, () => vi.mocked(Math.random).mockReturnValue(0.9)],
  ['waits for an answer', 1, () => Object.assign(server, { interfere: () => new Promise(() => {}) })],
])('gives way at once while it %s, and the browser wakes the next worker', async (_, sent, hinder) => {
  const giveWay = install();
  hinder();
  const woken = worker.wake('sync');
  await vi.waitFor(() => expect(server.requests).toHaveLength(sent));
  giveWay();
  await expect(woken).rejects.toMatchObject({ code: 'no_contact' });
});

it('closes the database, so that it does not block a newer version', async () => {
  install();
  await worker.wake('sync');
  profile.close();
  const closing = indexedDB.deleteDatabase(profile.database);
  await new Promise<void>((resolve, reject) => {
    closing.onsuccess = () => resolve();
    closing.onblocked = () => reject(new Error('blocked'));
  });
});
