import { deleteDB, openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Holdfast, StorageHealth } from '../src/index.ts';
import { Healing } from '../src/reconcile/healing.ts';
import { makeContext } from '../src/state/context.ts';
import { State } from '../src/state/state.ts';
import { type Records, Store, schemaVersion } from '../src/storage/store.ts';
import { Profile, reload, stubPasskeys } from './support/device.ts';
import { FakeServer, origin } from './support/fake-server.ts';

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

/** A closed page with premium in storage. */
async function heldPremium(): Promise<string> {
  const hf = await profile.openPremium();
  const device = String(hf.device);
  await vi.waitFor(() => expect(localStorage.getItem(`${profile.database}:kept`)).not.toBeNull());
  profile.close();
  return device;
}

/** Premium returns with one tap; the device replaces the previous one. */
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
    'ledger',
  ];
  const damages = [undefined, null, '', 'rubbish', {}, [null], { id: 'x', pair: { privateKey: null } }];
  const cases = records.flatMap((record) => damages.map((damage) => [record, JSON.stringify(damage), damage] as const));

  it.each(cases)('%s: %s', async (record, _, damage) => {
    await heldPremium();
    await profile.tamper({ [record]: damage });
    const hf = await profile.open();
    // Whatever the damage, the run ends, with few refusals by the server.
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

describe('lost storage', () => {
  const emptied = async () => {
    const database = await openDB(profile.database);
    await database.clear('state');
    database.close();
  };
  const withoutStore = async () => {
    const database = await openDB(profile.database, 3, { upgrade: (db) => db.deleteObjectStore('state') });
    database.close();
  };

  it.each([
    ['the database is gone', () => deleteDB(profile.database)],
    ['its records are gone', emptied],
    ['its object store is gone', withoutStore],
  ])('%s: the loss is reported, and one tap restores everything', async (_, lose) => {
    const before = await heldPremium();
    await lose();
    const hf = await profile.open();
    await becomes(hf, 'reset');
    expect(hf.user).toBeNull();
    await comesBack(hf);
    expect(server.devices.has(before)).toBe(false);
  });

  it('together with the cookies: the user picks the device to replace', async () => {
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

  it('is not reported before any use, nor after a sign-out', async () => {
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
  it('an upgrade keeps the data, and takes over from a page of the previous version', async () => {
    const old = new Store(profile.database, schemaVersion);
    await old.update(() => ({ lineage: 'kept' }));
    const next = new Store(profile.database, schemaVersion + 1);
    expect(await next.read()).toEqual({ lineage: 'kept' });
    await expect(old.read()).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(old.failure).toMatchObject({ name: 'VersionError' });
    await next.close();
  });

  it('the upgrade from version 1 adds the stores of the ledger, and keeps the data', async () => {
    const first = await openDB(profile.database, 1, { upgrade: (db) => void db.createObjectStore('state') });
    await first.put('state', 'kept', 'lineage');
    first.close();
    const store = new Store(profile.database);
    expect(await store.read()).toEqual({ lineage: 'kept' });
    await store.close();
    const upgraded = await openDB(profile.database);
    expect([...upgraded.objectStoreNames]).toEqual(['app', 'ledger', 'state']);
    upgraded.close();
  });

  it('data of a newer version is used and reported', async () => {
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

  it('an open page of the previous version makes way for the newer one, and keeps its state', async () => {
    const hf = await profile.openPremium();
    (await openDB(profile.database, 7)).close();
    expect(hf.has('export')).toBe(true);
    await hf.reconcile();
    await becomes(hf, 'newer');
    expect(hf.has('export')).toBe(true);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
  });

  it('a blocked database is reported, retried, and opened once the blocking page is gone', async () => {
    const stubborn = await openDB(profile.database, 1, { upgrade: (db) => void db.createObjectStore('state') });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const store = new Store(profile.database, 2);
    const { roots } = server;
    const state = new State({ ...makeContext({ origin, roots, database: profile.database }), store });
    const healing = new Healing(state);
    state.loaded = () => void healing.look();

    const loading = state.load();
    await until(() => store.blocked);
    await vi.advanceTimersByTimeAsync(5_000);
    await loading;
    await until(() => state.storage === 'blocked');

    stubborn.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await until(() => state.storage === 'well');
    expect(await store.read()).toEqual({});
    healing.close();
    state.close();
  });
});

describe('storage that fails', () => {
  it('is retried at growing intervals, and its data is shown once it works', async () => {
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
    // In steps: an opening has its own timeout, and proceeds in event loop turns that fake time does not run.
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

  it('permanently is replaced when the user signs in', async () => {
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
    // A pending autofill is not a user action.
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

  it('is reported; the data stays, the answer is refused, and the next one accepted once there is room', async () => {
    const hf = await profile.openPremium();
    const before = await profile.held();
    const put = fill();
    server.revision++;
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    await becomes(hf, 'full');
    // Reading succeeds, which proves no room to write.
    await reload(hf);
    await vi.waitFor(() => expect(put.mock.calls.length).toBeGreaterThan(1));
    expect(hf.storage).toBe('full');
    expect(hf.has('export')).toBe(true);
    expect(await profile.held()).toEqual(before);

    put.mockRestore();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    await becomes(hf, 'well');
    expect(hf.entitlement.revision).toBe(server.revision);
  });

  it('is reported although storage was read since', async () => {
    const hf = await profile.openPremium();
    const put = fill();
    const reconciling = hf.reconcile();
    // Another tab's changes make this one read repeatedly.
    const channel = new BroadcastChannel('holdfast');
    for (let n = 0; n < 20; n++) channel.postMessage(null);
    expect(await reconciling).toEqual({ outcome: 'storage_unavailable' });
    await reload(hf);
    await becomes(hf, 'full');
    put.mockRestore();
    channel.close();
  });

  it('refuses a sign-in with its code', async () => {
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
    ['because storage loses it', false],
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

function stubLocalStorage() {
  const items = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
  });
}

/** For faked timers, which waitFor would advance. The test's own timeout ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => realTimeout(resolve, 1));
}

describe('temporarily unreadable storage', () => {
  const offline = async () => Promise.reject(new TypeError('offline'));
  const refuse = async () => Promise.reject(new DOMException('', 'NotAllowedError'));

  it.each<[string, string, () => unknown]>([
    ['offline', 'no_contact', () => Object.assign(server, { interfere: offline })],
    ['with a cancelled prompt', 'cancelled', () => stubPasskeys(refuse)],
  ])('loses nothing in a failed sign-in: %s', async (_, code, hinder) => {
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
    await reload(hf);
    expect(hf.has('export')).toBe(true);
  });
});
