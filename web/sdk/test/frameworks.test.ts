import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { emptyHoldfast, type Holdfast, openHoldfast } from '../src/index.ts';
import { Profile, reload, stubPasskeys } from './support/device.ts';
import { FakeServer } from './support/fake-server.ts';
import { SoftPasskey } from './support/soft-passkey.ts';

let server: FakeServer;
let profile: Profile;

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('methods', () => {
  it('work destructured', async () => {
    const { signIn, has, limit, reconcile, subscribe, snapshot, signOut } = await profile.open();
    const listener = vi.fn();
    subscribe(listener);
    await signIn();
    expect(listener).toHaveBeenCalled();
    expect([has('export'), limit('notes')]).toEqual([true, 500]);
    expect(await reconcile()).toEqual({ outcome: 'reconciled' });
    expect(snapshot().user).toEqual(server.user);
    expect(await signOut()).toBe(true);
  });

  it('and members work behind a proxy, as in a reactive object', async () => {
    const hf = new Proxy(await profile.open(), {});
    await hf.signIn();
    expect(hf.user).toEqual(server.user);
    expect(hf.entitlement.state).toBe('active');
    expect([hf.has('export'), hf.locked, hf.storage, hf.reached]).toEqual([true, false, 'well', true]);
    expect(hf.snapshot()).toBe(hf.snapshot());
    const inherits: Holdfast = Object.create(hf);
    expect(inherits.user).toEqual(server.user);
  });
});

describe('the snapshot', () => {
  it('is frozen, and equals the members', async () => {
    const hf = await profile.openPremium();
    const { user, device, entitlement, storage, reached, locked, lockOptions, ledger } = hf;
    expect(hf.snapshot()).toEqual({ user, device, entitlement, storage, reached, locked, lockOptions, ledger });
    expect(Object.isFrozen(hf.snapshot())).toBe(true);
  });

  it('stays the same while nothing changes, also when storage is read again, and notifies nobody', async () => {
    const hf = await profile.openPremium();
    const { user, entitlement, lockOptions } = hf;
    const before = hf.snapshot();
    const listener = vi.fn();
    hf.subscribe(listener);
    await reload(hf);
    profile.pass(1000);
    expect(hf.user).toBe(user);
    expect(hf.entitlement).toBe(entitlement);
    expect(hf.lockOptions).toBe(lockOptions);
    expect(hf.snapshot()).toBe(before);
    expect(listener).not.toHaveBeenCalled();
  });

  it('is another one after each change, with the unchanged parts as they were', async () => {
    const { entry } = await SoftPasskey.create();
    server.bendPasskeys = (claims) => ({ ...claims, passkeys: [entry] });
    const hf = await profile.openPremium();
    const before = hf.snapshot();
    const listener = vi.fn();
    hf.subscribe(listener);
    server.claims = { ...server.claims, features: {} };
    server.revision += 1;
    await hf.reconcile();
    const after = hf.snapshot();
    expect(after).not.toBe(before);
    expect(after.entitlement.features).toEqual({});
    expect(after.user).toBe(before.user);
    expect(listener).toHaveBeenCalled();
    listener.mockClear();
    await hf.setLock({ idle: 60_000 });
    expect(hf.snapshot().lockOptions).toEqual({ idle: 60_000 });
    expect(listener).toHaveBeenCalled();
    await hf.signOut();
    expect(hf.snapshot()).toMatchObject({ user: null, device: null, entitlement: { state: 'none' } });
  });

  it('is another one when time ends the document', async () => {
    const hf = await profile.openPremium();
    const before = hf.snapshot();
    profile.pass(8 * 86_400_000);
    expect(hf.snapshot()).not.toBe(before);
    expect(hf.snapshot().entitlement.state).toBe('expired');
  });
});

describe('the origin', () => {
  it.each(['https://holdfast.test/', 'HTTPS://Holdfast.Test', 'https://holdfast.test:443', ' https://holdfast.test '])(
    '%j is normalised',
    async (origin) => {
      const hf = await profile.open({ origin });
      await hf.signIn();
      expect(hf.has('export')).toBe(true);
    },
  );

  it.each([
    'holdfast.test',
    'localhost:8080',
    '',
    'null',
    '/',
    'https://holdfast.test/app',
    'https://holdfast.test//',
    'https://holdfast.test?a=1',
    'https://holdfast.test/#a',
    'https://ada@holdfast.test',
    'ftp://holdfast.test',
    'file:///index.html',
  ])('%j is refused', async (origin) => {
    await expect(profile.open({ origin })).rejects.toMatchObject({ name: 'HoldfastError', code: 'origin_invalid' });
  });
});

const asking: Record<string, (hf: Holdfast) => Promise<unknown>> = {
  reconcile: (hf) => hf.reconcile(),
  register: (hf) => hf.register('Ada'),
  signIn: (hf) => hf.signIn(),
  'signIn with autofill': (hf) => hf.signIn({ mediation: 'conditional' }),
  enrol: (hf) => hf.enrol('code'),
  link: (hf) => hf.link(),
  signOut: (hf) => hf.signOut(),
  startTrial: (hf) => hf.startTrial(),
  session: (hf) => hf.session(),
  lock: (hf) => hf.lock(),
  unlock: (hf) => hf.unlock(),
  setLock: (hf) => hf.setLock({}),
};

describe('after close()', () => {
  it.each(Object.entries(asking))('%s rejects, and changes nothing', async (_, ask) => {
    const hf = await profile.openPremium();
    const before = hf.snapshot();
    const held = await profile.held();
    hf.close();
    const requests = server.requests.length;
    await expect(ask(hf)).rejects.toMatchObject({ name: 'HoldfastError', code: 'closed' });
    expect(server.requests).toHaveLength(requests);
    expect(hf.snapshot()).toBe(before);
    expect(await profile.held()).toEqual(held);
  });

  it('the rest does nothing', async () => {
    const hf = await profile.openPremium();
    hf.close();
    hf.start()();
    hf.contacted();
    hf.subscribe(() => {})();
    hf.close();
    expect(hf.has('export')).toBe(true);
  });

  it('a call that was loading its file rejects too', async () => {
    const hf = await profile.open();
    const signingIn = hf.signIn();
    hf.close();
    await expect(signingIn).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('without a window', () => {
  const options = { origin: 'https://holdfast.test', roots: () => Promise.reject(new Error('not asked for')) };

  beforeEach(() => {
    for (const name of ['indexedDB', 'navigator', 'PublicKeyCredential']) vi.stubGlobal(name, undefined);
  });

  it('the snapshot says: nothing yet', async () => {
    const hf = await openHoldfast(options);
    expect(hf.snapshot()).toMatchObject({
      user: null,
      device: null,
      storage: 'well',
      reached: null,
      locked: false,
      entitlement: { state: 'none', error: null, features: {} },
    });
    expect(hf.has('export')).toBe(false);
    expect(emptyHoldfast().snapshot()).toEqual(hf.snapshot());
  });

  it.each(Object.entries(asking))('%s rejects', async (_, ask) => {
    const hf = await openHoldfast(options);
    await expect(ask(hf)).rejects.toMatchObject({ name: 'HoldfastError', code: 'not_supported' });
  });

  it('no timer or channel is left', async () => {
    const [timer, channel] = [vi.spyOn(globalThis, 'setTimeout'), vi.fn()];
    vi.stubGlobal('BroadcastChannel', channel);
    const hf = await openHoldfast(options);
    hf.start()();
    hf.contacted();
    hf.subscribe(() => {});
    expect(timer).not.toHaveBeenCalled();
    expect(channel).not.toHaveBeenCalled();
    hf.close();
  });
});
