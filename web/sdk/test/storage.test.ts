import { deleteDB, openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Context } from '../src/context.ts';
import { Healing, type Subject } from '../src/healing.ts';
import type { Holdfast, StorageHealth } from '../src/index.ts';
import { type Records, Store } from '../src/store.ts';
import { Profile, stubPasskeys } from './support/device.ts';
import { FakeServer } from './support/fake-server.ts';

const realTimeout = setTimeout;

let server: FakeServer;
let profile: Profile;

beforeEach(async () => {
  stubPasskeys();
  stubLocalStorage();
  server = await FakeServer.create();
  profile = new Profile(server);
});

afterEach(() => {
  profile.close();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const becomes = (hf: Holdfast, health: StorageHealth) => vi.waitFor(() => expect(hf.storage).toBe(health));

/** Premium was held here, and the page is closed. */
async function heldPremium(): Promise<string> {
  const hf = await profile.openPremium();
  const device = String(hf.device);
  await vi.waitFor(() => expect(localStorage.getItem(`${profile.database}:kept`)).not.toBeNull());
  profile.close();
  return device;
}

/** Premium again with one tap; the device takes the place of the one before. */
async function comesBack(hf: Holdfast): Promise<void> {
  await hf.signIn();
  expect(hf.has('export')).toBe(true);
  expect([...server.devices.keys()]).toEqual([hf.device]);
  await becomes(hf, 'well');
  profile.close();
  expect((await profile.open()).has('export')).toBe(true);
}

describe('records that are damaged, one at a time', () => {
  const records: (keyof Records)[] = [
    'user',
    'device',
    'former',
    'pending',
    'lineage',
    'document',
    'passkeys',
    'keyset',
    'marks',
    'time',
    'farewell',
    'here',
  ];
  const damages = [undefined, null, '', 'rubbish', {}, [null], { id: 'x', pair: { privateKey: null } }];
  const cases = records.flatMap((record) => damages.map((damage) => [record, JSON.stringify(damage), damage] as const));

  it.each(cases)('%s: %s', async (record, _, damage) => {
    await heldPremium();
    await profile.tamper({ [record]: damage });
    const hf = await profile.open();
    // Whatever it does, it ends; and the server's refusals are few.
    server.requests.length = 0;
    const { outcome } = await hf.reconcile();
    expect(server.requests.length).toBeLessThan(5);
    if (outcome === 'reconciled') expect(hf.has('export')).toBe(true);
    else
      expect([outcome, hf.user && hf.entitlement.signInNeeded]).toEqual(
        hf.user ? ['sign_in_needed', true] : [outcome, null],
      );
    await hf.signIn();
    expect(hf.has('export')).toBe(true);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    await becomes(hf, 'well');
  });

  it.each<unknown>([{ odd: true }, 42, 'rubbish', undefined])(
    'a document of %o is mended without being asked',
    async (document) => {
      await heldPremium();
      await profile.tamper({ document: document as string });
      const hf = await profile.open({ autoReconcile: true });
      await vi.waitFor(() => expect(hf.has('export')).toBe(true));
    },
  );
});

describe('what is lost', () => {
  const emptied = async () => {
    const database = await openDB(profile.database);
    await database.clear('state');
    database.close();
  };
  const withoutStore = async () => {
    const database = await openDB(profile.database, 2, { upgrade: (db) => db.deleteObjectStore('state') });
    database.close();
  };

  it.each([
    ['the database is gone', () => deleteDB(profile.database)],
    ['its records are gone', emptied],
    ['its object store is gone', withoutStore],
  ])('%s: it is told, and one tap brings all back', async (_, lose) => {
    const before = await heldPremium();
    await lose();
    const hf = await profile.open();
    await becomes(hf, 'reset');
    expect(hf.user).toBeNull();
    await comesBack(hf);
    expect(server.devices.has(before)).toBe(false);
  });

  it('with all else of the browser: the user picks which device is replaced', async () => {
    const before = await heldPremium();
    await deleteDB(profile.database);
    stubLocalStorage();
    server.deviceCookie = null;
    server.deviceLimit = 1;
    const hf = await profile.open();
    const refusal = await hf.signIn().catch((error) => error);
    expect(refusal).toMatchObject({ code: 'device_limit', devices: [{ id: before }] });
    expect(hf.user).toEqual(server.user);
    await hf.link({ replaces: before });
    expect(hf.has('export')).toBe(true);
    expect([...server.devices.keys()]).toEqual([hf.device]);
  });

  it('is not said where nothing was ever held, nor after a sign-out', async () => {
    const hf = await profile.open();
    await hf.reconcile();
    expect(hf.storage).toBe('well');
    await hf.signIn();
    await hf.signOut();
    profile.close();
    const again = await profile.open();
    await again.reconcile();
    expect(again.storage).toBe('well');
  });
});

describe('versions', () => {
  it('an upgrade keeps what is held, and takes over from the page of the version before', async () => {
    const old = new Store(profile.database, 1);
    await old.update(() => ({ lineage: 'kept' }));
    const next = new Store(profile.database, 2);
    expect(await next.read()).toEqual({ lineage: 'kept' });
    await expect(old.read()).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(old.failure).toMatchObject({ name: 'VersionError' });
    await next.close();
  });

  it('what a newer version has written is used, and told', async () => {
    await heldPremium();
    (await openDB(profile.database, 7)).close();
    const hf = await profile.open();
    const told = vi.fn();
    hf.subscribe(told);
    await becomes(hf, 'newer');
    await vi.waitFor(() => expect(hf.has('export')).toBe(true));
    expect(told).toHaveBeenCalled();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.storage).toBe('newer');
  });

  it('an open page of the version before lets the newer one through, and keeps what it shows', async () => {
    const hf = await profile.openPremium();
    (await openDB(profile.database, 7)).close();
    expect(hf.has('export')).toBe(true);
    await hf.reconcile();
    await becomes(hf, 'newer');
    expect(hf.has('export')).toBe(true);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
  });

  it('blocked by a page that does not let go: told, tried again, and opened once it is gone', async () => {
    const stubborn = await openDB(profile.database, 1, { upgrade: (db) => void db.createObjectStore('state') });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const store = new Store(profile.database, 2);
    const client = subject(store);
    const healing = new Healing({ name: profile.database, store } as Context, client);
    client.load.mockImplementation(async () => {
      await store.read().catch(() => {});
      await healing.look();
    });

    const loading = client.load();
    await until(() => store.blocked);
    await vi.advanceTimersByTimeAsync(5_000);
    await loading;
    expect(client.storage).toBe('blocked');

    stubborn.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await until(() => client.storage === 'well');
    expect(await store.read()).toEqual({});
    await store.close();
  });
});

describe('storage that fails', () => {
  it('is tried again by itself, ever less often, and shows what it holds once it works', async () => {
    await heldPremium();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const open = vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('Internal error opening backing store', 'UnknownError');
    });
    const hf = await profile.open();
    await until(() => hf.storage === 'unavailable');
    open.mockClear();
    await vi.advanceTimersByTimeAsync(600_000);
    await until(() => open.mock.calls.length > 0);
    // Each try opens twice.
    expect(open.mock.calls.length).toBeLessThan(40);
    open.mockRestore();
    // In steps: an opening has its own timeout, and goes on in turns that fake time does not give.
    for (let second = 0; second < 60 && !hf.has('export'); second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await new Promise((resolve) => realTimeout(resolve, 5));
    }
    await until(() => hf.has('export') && hf.storage === 'well');
  });

  it('takes nothing away from an open page', async () => {
    const hf = await profile.openPremium();
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(() => {
      throw new DOMException('Connection to Indexed Database server lost', 'UnknownError');
    });
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    await becomes(hf, 'unavailable');
    expect(hf.has('export')).toBe(true);
    expect(hf.entitlement).toMatchObject({ state: 'active', error: null });
  });

  it('for good is given up when the user signs in', async () => {
    await heldPremium();
    const getAll = vi.spyOn(IDBObjectStore.prototype, 'getAll').mockImplementation(() => {
      throw new DOMException('Failed to read large IndexedDB value', 'DataError');
    });
    vi.spyOn(indexedDB, 'deleteDatabase').mockImplementationOnce((name) => {
      getAll.mockRestore();
      return indexedDB.deleteDatabase(name);
    });
    const hf = await profile.open();
    await becomes(hf, 'unavailable');
    // An autofill that waits in a form is not the user.
    const signal = AbortSignal.abort();
    await expect(hf.signIn({ mediation: 'conditional', signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(indexedDB.deleteDatabase).not.toHaveBeenCalled();
    await comesBack(hf);
  });
});

describe('no room', () => {
  const fill = () =>
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('', 'QuotaExceededError');
    });

  it('is told; what is held stays, the answer is not taken, and the next one is once there is room', async () => {
    const hf = await profile.openPremium();
    const before = await profile.held();
    const put = fill();
    server.revision++;
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    await becomes(hf, 'full');
    // Reading goes well, and is no sign of room.
    await (hf as unknown as { load(): Promise<void> }).load();
    await vi.waitFor(() => expect(put.mock.calls.length).toBeGreaterThan(1));
    expect(hf.storage).toBe('full');
    expect(hf.has('export')).toBe(true);
    expect(await profile.held()).toEqual(before);

    put.mockRestore();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    await becomes(hf, 'well');
    expect(hf.entitlement.revision).toBe(server.revision);
  });

  it('is told although storage was read since', async () => {
    const hf = await profile.openPremium();
    const put = fill();
    const reconciling = hf.reconcile();
    // Another tab's change makes this one read, time and again.
    const channel = new BroadcastChannel('holdfast');
    for (let n = 0; n < 20; n++) channel.postMessage(null);
    expect(await reconciling).toEqual({ outcome: 'storage_unavailable' });
    await (hf as unknown as { load(): Promise<void> }).load();
    await becomes(hf, 'full');
    put.mockRestore();
    channel.close();
  });

  it('refuses a sign-in, by its code', async () => {
    const hf = await profile.open();
    fill();
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(hf.user).toBeNull();
  });
});

describe('a browser that cannot keep a key', () => {
  const put = IDBObjectStore.prototype.put;
  it.each([
    ['because it cannot clone it', true],
    ['because it loses it on the way', false],
  ])('%s', async (_, uncloneable) => {
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value, key) {
      if (key !== 'pending') return put.call(this, value, key);
      if (uncloneable) throw new DOMException('', 'DataCloneError');
      return put.call(this, { ...value, pair: { privateKey: null, publicKey: null } }, key);
    });
    const hf = await profile.open();
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'device_key_unavailable' });
    expect(hf.user).toEqual(server.user);
    expect(hf.entitlement).toMatchObject({ state: 'none', signInNeeded: true });
    server.requests.length = 0;
    expect(await hf.reconcile()).toEqual({ outcome: 'sign_in_needed' });
    expect(server.requests.length).toBeLessThan(3);
    await becomes(hf, 'well');
  });
});

function subject(store: Store) {
  return {
    standing: { user: null } as Subject['standing'],
    storage: 'well' as StorageHealth,
    load: vi.fn(async () => {}),
    tell: vi.fn(),
    store,
  };
}

function stubLocalStorage() {
  const items = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
  });
}

/** Where timers are faked, which waitFor would move on. The test's own timeout ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => realTimeout(resolve, 1));
}

describe('storage that cannot be read for a while', () => {
  const offline = async () => Promise.reject(new TypeError('offline'));
  const refuse = async () => Promise.reject(new DOMException('', 'NotAllowedError'));

  it.each<[string, string, () => unknown]>([
    ['offline', 'no_contact', () => Object.assign(server, { interfere: offline })],
    ['with a prompt that is ended', 'cancelled', () => stubPasskeys(refuse)],
  ])('loses nothing to a sign-in that fails: %s', async (_, code, hinder) => {
    const hf = await profile.openPremium();
    const before = await profile.held();
    const getAll = vi.spyOn(IDBObjectStore.prototype, 'getAll').mockImplementation(() => {
      throw new DOMException('Internal error', 'UnknownError');
    });
    hinder();
    await expect(hf.signIn()).rejects.toMatchObject({ code });
    await expect(hf.register('Ada')).rejects.toMatchObject({ code });
    getAll.mockRestore();
    expect(await profile.held()).toEqual(before);
    await (hf as unknown as { load(): Promise<void> }).load();
    expect(hf.has('export')).toBe(true);
  });
});
