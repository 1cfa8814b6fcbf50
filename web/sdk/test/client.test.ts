import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sayFarewell } from '../src/reconcile/farewell.ts';
import { linkDevice } from '../src/reconcile/link.ts';
import { reconcileOnce } from '../src/reconcile/reconcile-once.ts';
import { makeContext } from '../src/state/context.ts';
import { asCredential, Profile, reload, stubPasskeys } from './support/device.ts';
import { day, epoch, FakeServer, problem } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
});

afterEach(() => {
  profile.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const end = (epoch + 7 * day) * 1000;
const offline = async () => Promise.reject(new TypeError('offline'));

describe('a browser that denies a feature', () => {
  const denied = () => {
    throw new DOMException('denied', 'SecurityError');
  };

  it.each<[string, () => unknown]>([
    ['Web Locks', () => Object.assign(navigator, { locks: { request: async () => denied() } })],
    ['access to Web Locks', () => Object.defineProperty(navigator, 'locks', { get: denied })],
    ['BroadcastChannel', () => vi.stubGlobal('BroadcastChannel', denied)],
  ])('%s: premium continues', async (_, deny) => {
    deny();
    const hf = await profile.openPremium();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(true);
    const stop = hf.start();
    await vi.waitFor(() => expect(server.requests.filter((sent) => sent === 'POST /v1/reconcile')).toHaveLength(3));
    stop();
  });

  it('storage: an open page keeps working, and each failure has its code', async () => {
    const hf = await profile.openPremium();
    vi.stubGlobal('indexedDB', { open: denied, deleteDatabase: denied });
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(denied);
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    expect(hf.has('export')).toBe(true);
    const failed = { name: 'HoldfastError', code: 'storage_unavailable' };
    await expect(hf.signIn()).rejects.toMatchObject(failed);
    await expect(hf.register('Ada')).rejects.toMatchObject(failed);
    await expect(hf.signOut()).rejects.toMatchObject(failed);
    await expect(hf.lock()).rejects.toMatchObject(failed);
    expect((await profile.open()).entitlement).toMatchObject({ state: 'none' });
  });
});

describe('the entitlement', () => {
  it.each([
    ['while something is granted', () => {}],
    ['while nothing is granted', () => (server.claims = { state: 'none', reason: null, features: {}, plans: [] })],
  ])('cannot be changed %s', async (_, decide) => {
    decide();
    const hf = await profile.openPremium();
    const { entitlement, user, lockOptions } = hf;
    for (const each of [entitlement, entitlement.features, entitlement.plans, user, lockOptions]) {
      expect(Object.isFrozen(each)).toBe(true);
    }
    expect(Object.values(entitlement.features).every(Object.isFrozen)).toBe(true);
    expect(() => Object.assign(entitlement.features, { vip: {} })).toThrow(TypeError);
    expect(hf.has('vip')).toBe(false);
  });

  it.each(['none', 'revoked', 'expired'])('has no end if nothing is granted: %s', async (state) => {
    server.claims = { state, reason: null, features: {}, plans: [] };
    const hf = await profile.openPremium();
    expect(hf.entitlement).toMatchObject({ state, until: null });
  });
});

describe('roots', () => {
  it.each([[{}], [{ current: null, next: null }], [{ next: {} }], [null]])('%j are refused', async (none) => {
    await profile.openPremium();
    const roots = vi.fn(async () => server.roots).mockResolvedValueOnce(none as never);
    const hf = await profile.open({ roots });
    expect(hf.entitlement).toMatchObject({ state: 'none', error: 'roots_unavailable' });
    // The next load, with the right roots.
    await hf.reconcile();
    expect(hf.entitlement).toMatchObject({ state: 'active', error: null });
  });

  it('given directly fail with the same code', async () => {
    await profile.openPremium();
    const hf = await profile.open({ roots: {} as never });
    expect(hf.entitlement).toMatchObject({ error: 'roots_unavailable' });
    expect(await hf.reconcile()).toEqual({ outcome: 'refused', code: 'roots_unavailable' });
  });

  it('that do not fit the stored keyset are loaded once more', async () => {
    await profile.openPremium();
    const roots = vi.fn(async () => server.roots).mockResolvedValueOnce((await FakeServer.create()).roots);
    expect((await profile.open({ roots })).entitlement).toMatchObject({ state: 'active', error: null });
  });

  it('that never arrive are loaded once more, and do not keep the page from opening', async () => {
    await profile.openPremium();
    const never = new Promise<never>(() => {});
    const roots = vi.fn(async () => server.roots).mockReturnValueOnce(never);
    expect((await profile.open({ roots, timeout: 20 })).entitlement).toMatchObject({ state: 'active', error: null });
    const silent = await profile.open({ roots: () => never, timeout: 20 });
    expect(silent.entitlement).toMatchObject({ state: 'none', error: 'roots_unavailable' });
  });
});

describe('storage is verified again at every start', () => {
  const edit = (jws: string) => {
    const [head, , signature] = jws.split('.');
    return `${head}.${btoa('{"state":"active"}').replaceAll('=', '')}.${signature}`;
  };

  it('an edited document is refused, and the next reconcile replaces it', async () => {
    await profile.openPremium();
    await profile.tamper({ document: edit((await profile.held()).document ?? '') });
    profile.close();
    const hf = await profile.open();
    expect(hf.entitlement).toMatchObject({ state: 'none', error: 'signature_invalid', features: {} });
    expect(hf.has('export')).toBe(false);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.entitlement).toMatchObject({ state: 'active', error: null });
  });

  it.each([
    ['malformed', { document: 'rubbish' }],
    ['malformed', { document: 7 as unknown as string }],
    ['malformed', { keyset: 'rubbish' }],
    ['key_unknown', { keyset: undefined }],
    ['device_key_unavailable', { device: {} as never }],
    ['subject_mismatch', { user: { id: 'another', name: 'Eve' } }],
  ])('%s: %j', async (error, changes) => {
    await profile.openPremium();
    await profile.tamper(changes);
    profile.close();
    const hf = await profile.open();
    expect(hf.entitlement).toMatchObject({ state: 'none', error });
    expect(hf.has('export')).toBe(false);
  });

  it('a document of another device does not count here', async () => {
    await profile.openPremium();
    const other = new Profile(server);
    await other.openPremium();
    const { document } = await profile.held();
    await other.tamper({ document });
    other.close();
    expect((await other.open()).entitlement).toMatchObject({ state: 'none', error: 'device_mismatch' });
    other.close();
  });

  it('a document of another device does not count without its key', async () => {
    await profile.openPremium();
    const other = new Profile(server);
    await other.openPremium();
    const { document, device } = await profile.held();
    const pair = (await other.held()).device?.pair as CryptoKeyPair;
    const publicKey = device?.pair.publicKey as CryptoKey;
    for (const claimed of [pair, { privateKey: pair.privateKey, publicKey }]) {
      await other.tamper({ document, device: { id: device?.id ?? '', pair: claimed } });
      other.close();
      const tab = await other.open();
      expect(tab.has('export')).toBe(false);
      expect(['device_mismatch', 'device_key_unavailable']).toContain(tab.entitlement.error);
    }
    other.close();
  });

  it('a keyset under a root that is not embedded does not count', async () => {
    await profile.openPremium();
    const { roots } = await FakeServer.create();
    expect((await profile.open({ roots })).entitlement).toMatchObject({ state: 'none', error: 'root_unknown' });
  });
});

describe('failures to open are reported, not thrown', () => {
  it('storage', async () => {
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new DOMException('blocked', 'SecurityError');
      },
    });
    const hf = await profile.open();
    expect(hf.entitlement).toMatchObject({ state: 'none', error: null });
    await vi.waitFor(() => expect(hf.storage).toBe('unavailable'));
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('roots, which are loaded again', async () => {
    await profile.openPremium();
    const offline = new TypeError('offline');
    const roots = vi
      .fn(async () => server.roots)
      .mockRejectedValueOnce(offline)
      .mockRejectedValueOnce(offline);
    const hf = await profile.open({ roots });
    expect(hf.entitlement).toMatchObject({ state: 'none', error: 'roots_unavailable' });
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(true);
  });
});

describe('time', () => {
  it('is independent of time zone and daylight saving', async () => {
    vi.stubEnv('TZ', 'Pacific/Kiritimati');
    const hf = await profile.openPremium();
    const { entitlement } = hf;
    const winter = new Date(profile.clock).getTimezoneOffset();
    for (const zone of ['Pacific/Niue', 'Europe/Berlin', 'America/New_York']) {
      vi.stubEnv('TZ', zone);
      expect(new Date(profile.clock).getTimezoneOffset()).not.toBe(winter);
      expect(hf.entitlement).toBe(entitlement);
      profile.close();
      expect((await profile.open()).entitlement).toMatchObject({ state: 'active', error: null });
    }
    profile.close();
    // In New York clocks jump on 2026-03-08 at 07:00 UTC; the document of that day ends seven days later to the second.
    server.now = Date.UTC(2026, 2, 8, 6, 59, 59) / 1000;
    profile.clock = server.now * 1000;
    const spring = await profile.open();
    await spring.reconcile();
    const before = new Date(profile.clock).getTimezoneOffset();
    profile.clock += 1000;
    expect(new Date(profile.clock).getTimezoneOffset()).not.toBe(before);
    expect(spring.entitlement).toMatchObject({ state: 'active', error: null });
    profile.clock = (server.now + 7 * day) * 1000 - 1;
    expect(spring.has('export')).toBe(true);
    profile.clock += 1;
    expect(spring.has('export')).toBe(false);
  });

  it('ends the document at exp, not before and not after', async () => {
    const hf = await profile.openPremium();
    profile.clock = end - 1;
    expect(hf.has('export')).toBe(true);
    profile.clock = end;
    expect(hf.has('export')).toBe(false);
    expect(hf.entitlement).toMatchObject({ state: 'expired', error: 'expired' });
  });

  it('is noticed while the page is open', async () => {
    const hf = await profile.openPremium();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await reload(hf);
    const told = vi.fn();
    hf.subscribe(told);
    profile.clock = end - 30_000;
    await vi.advanceTimersByTimeAsync(60_000);
    told.mockClear();
    profile.clock = end;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toHaveBeenCalledOnce();
    expect(hf.entitlement.state).toBe('expired');
  });

  it('does not run backwards: a clock set back suspends premium', async () => {
    const hf = await profile.openPremium();
    profile.pass(day * 1000);
    expect(hf.has('export')).toBe(true);
    profile.clock -= 11 * 60_000;
    expect(hf.entitlement).toMatchObject({ state: 'clock_behind', error: 'clock_behind', clockBehind: 11 * 60_000 });
    expect(hf.has('export')).toBe(false);
    server.now += day;
    await hf.reconcile();
    expect(hf.has('export')).toBe(true);
  });

  it('observed while open is kept across a restart', async () => {
    const hf = await profile.openPremium();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await reload(hf);
    profile.pass(6 * day * 1000);
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect((await profile.held()).time?.mark).toBe(profile.clock));
    profile.close();
    profile.clock -= 5 * day * 1000;
    expect((await profile.open()).entitlement.state).toBe('clock_behind');
  });

  it('a jump of the clock counts once it has lasted ten minutes, also across restarts', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const open = async () => {
      profile.close();
      const tab = await profile.open();
      await reload(tab);
      return tab;
    };
    await profile.openPremium();
    const held = async () => (await profile.held()).time;
    const minutes = async (count: number) => {
      for (let minute = 0; minute < count; minute++) {
        profile.pass(60_000);
        await vi.advanceTimersByTimeAsync(60_000);
      }
    };
    let hf = await open();
    profile.clock += 7_200_000;
    await minutes(3);
    await vi.waitFor(async () => expect((await held())?.jump?.by).toBe(7_200_000));
    hf = await open();
    profile.clock -= 7_200_000;
    expect(hf.has('export')).toBe(true);
    profile.clock += 7_200_000;
    hf = await open();
    await minutes(12);
    await vi.waitFor(async () => expect((await held())?.mark).toBeGreaterThan(profile.clock - 300_000));
    profile.clock -= 7_200_000;
    expect(hf.entitlement).toMatchObject({ state: 'clock_behind', clockBehind: 7_200_000 });
  });

  it('premium returns as soon as the clock is right, without a user action', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const hf = await profile.openPremium();
    await reload(hf);
    profile.pass(day * 1000);
    expect(hf.has('export')).toBe(true);
    profile.clock -= 6 * 3_600_000;
    await vi.advanceTimersByTimeAsync(60_000);
    const told = vi.fn();
    hf.subscribe(told);
    profile.clock += 6 * 3_600_000;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toHaveBeenCalledOnce();
    expect(hf.has('export')).toBe(true);
  });

  it.each([
    ['eight days ahead', 8 * day],
    ['a year behind', -365 * day],
  ])('a page with contact knows the time, %s, until it is closed', async (_, off) => {
    profile.clock += off * 1000;
    const hf = await profile.openPremium();
    profile.pass(3 * day * 1000);
    expect(hf.has('export')).toBe(true);
    profile.close();
    expect((await profile.open()).has('export')).toBe(false);
    // Corrected offline.
    profile.clock -= off * 1000;
    expect((await profile.open()).has('export')).toBe(true);
  });

  it('is corrected by the signed skew', async () => {
    profile.clock += 3_600_000;
    const hf = await profile.openPremium();
    profile.clock = end + 3_600_000 - 1;
    expect(hf.has('export')).toBe(true);
    profile.clock += 1;
    expect(hf.has('export')).toBe(false);
  });

  it('does not end a document that grants nothing: revoked stays revoked', async () => {
    server.claims = { state: 'revoked', reason: 'revoked', features: {}, plans: [] };
    const hf = await profile.openPremium();
    profile.clock = end;
    expect(hf.entitlement).toMatchObject({ state: 'revoked', reason: 'revoked', error: null });
  });
});

describe('signing in and linking', () => {
  it('registers, enrols, and starts the trial', async () => {
    const hf = await profile.open();
    expect(await hf.register('Ada')).toEqual(server.user);
    expect(await hf.startTrial()).toEqual({ outcome: 'reconciled' });
    const other = new Profile(server);
    expect(await (await other.open()).enrol('code')).toEqual(server.user);
    other.close();
  });

  it('keeps the key of a link whose answer was lost, and finishes automatically', async () => {
    const hf = await profile.open();
    server.interfere = async (request, pass) => {
      const response = await pass();
      if (request.url.endsWith('/v1/devices') && response.ok) throw new TypeError('lost');
      return response;
    };
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'no_contact' });
    expect(hf.user).toEqual(server.user);
    expect(hf.entitlement).toMatchObject({ state: 'none', signInNeeded: true });
    const key = (await profile.held()).pending?.id;
    expect(key).toBeDefined();

    server.interfere = () => undefined;
    await hf.reconcile();
    expect(hf.has('export')).toBe(true);
    expect(server.devices.size).toBe(1);
    expect((await profile.held()).pending).toBeUndefined();
  });

  it('links with another key if the first one has moved on', async () => {
    const hf = await profile.open();
    let conflicts = 0;
    server.interfere = (request) =>
      request.url.endsWith('/v1/devices') && conflicts++ === 0 ? Promise.resolve(problem(409, 'conflict')) : undefined;
    await hf.signIn();
    expect(hf.has('export')).toBe(true);
  });

  it('lists the devices that can be replaced', async () => {
    const hf = await profile.open();
    const device = { name: 'Old phone', linked_at: '2026-01-01T00:00:00Z', last_reconciled_at: null };
    const devices = [
      { ...device, id: 'one', frees_up_at: null, replaceable: true },
      { ...device, id: 'two', frees_up_at: '2026-01-08T00:00:00Z', replaceable: false },
    ];
    server.interfere = (request) =>
      request.url.endsWith('/v1/devices') ? Promise.resolve(problem(409, 'device_limit', {}, { devices })) : undefined;
    await expect(hf.signIn()).rejects.toMatchObject({
      code: 'device_limit',
      devices: [
        { id: 'one', name: 'Old phone', lastReconciledAt: null, freesUpAt: null, replaceable: true },
        { id: 'two', freesUpAt: new Date('2026-01-08T00:00:00Z'), replaceable: false },
      ],
    });
    server.interfere = () => undefined;
    await hf.link({ replaces: 'one' });
    expect(hf.has('export')).toBe(true);
  });

  it('signing in again keeps a device that is still valid', async () => {
    const hf = await profile.openPremium();
    const { device } = hf;
    await hf.signIn();
    expect(hf.device).toBe(device);
  });

  it('another user starts without data of the first', async () => {
    const hf = await profile.openPremium();
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Grace' };
    server.claims = { state: 'none', reason: null, features: {}, plans: [] };
    await hf.signIn();
    expect(hf.user).toEqual(server.user);
    expect(hf.entitlement).toMatchObject({ state: 'none', error: null, features: {} });
  });

  it('a browser that cannot make keys has its own code', async () => {
    const hf = await profile.open();
    vi.spyOn(crypto.subtle, 'generateKey').mockRejectedValue(new DOMException('', 'NotSupportedError'));
    await expect(hf.signIn()).rejects.toMatchObject({ name: 'HoldfastError', code: 'device_key_unavailable' });
  });

  it('aborts a pending autofill before the dialog opens', async () => {
    const hf = await profile.open();
    const log: string[] = [];
    const credentials = stubPasskeys();
    const pick = async ({ mediation, signal }: CredentialRequestOptions) => {
      log.push(`${mediation ?? 'modal'} begins`);
      if (!mediation) return asCredential({});
      return new Promise((_, reject) =>
        signal?.addEventListener('abort', () => {
          log.push('conditional ends');
          reject(signal.reason);
        }),
      );
    };
    credentials.get.mockImplementation(pick as never);
    const autofill = hf.signIn({ mediation: 'conditional' });
    const ended = expect(autofill).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(log).toHaveLength(1));
    await hf.signIn();
    await ended;
    expect(log).toEqual(['conditional begins', 'conditional ends', 'modal begins']);
  });

  it('the device key never leaves', async () => {
    await profile.openPremium();
    const pair = (await profile.held()).device?.pair;
    expect(pair?.privateKey.extractable).toBe(false);
  });
});

describe('signing out', () => {
  it('deletes all of the user’s data, and tells the server', async () => {
    const hf = await profile.openPremium();
    expect(await hf.signOut()).toBe(true);
    expect(server.requests.at(-1)).toBe('DELETE /v1/session');
    expect(hf.user).toBeNull();
    expect(hf.entitlement.state).toBe('none');
    expect(Object.keys(await profile.held()).sort()).toEqual(['keyset', 'marks', 'time']);
  });

  it('offline, tells the server later', async () => {
    const hf = await profile.openPremium();
    server.interfere = offline;
    expect(await hf.signOut()).toBe(false);
    expect(hf.has('export')).toBe(false);
    // A sign-out that the server has not heard counts as no contact and is retried.
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'signed_out' });
    expect(server.requests.at(-1)).toBe('DELETE /v1/session');
    expect((await profile.held()).farewell).toBeUndefined();
  });

  it('ends the session without the device if that requires a tap, and unlinks it after the next one', async () => {
    const hf = await profile.openPremium();
    const device = hf.device;
    server.stale = true;
    expect(await hf.signOut()).toBe(true);
    expect(server.devices.size).toBe(0);

    await hf.signIn();
    const next = hf.device;
    Object.assign(server, { stale: true, deviceCookie: null });
    expect(next).not.toBe(device);
    expect(await hf.signOut()).toBe(false);
    expect([server.signedIn, [...server.devices.keys()]]).toEqual([false, [next]]);
    await hf.signIn();
    expect([...server.devices.keys()]).toEqual([hf.device]);
    expect((await profile.held()).farewell).toBeUndefined();
  });

  const signOutOffline = async () => {
    const hf = await profile.openPremium();
    const device = hf.device;
    server.interfere = offline;
    expect(await hf.signOut()).toBe(false);
    server.interfere = () => undefined;
    server.requests.length = 0;
    return { hf, device: String(device) };
  };

  it('with an ended session, unlinks the device at the next sign-in', async () => {
    const hf = await profile.openPremium();
    const device = String(hf.device);
    server.signedIn = false;
    expect(await hf.signOut()).toBe(false);
    expect(server.devices.has(device)).toBe(true);

    server.requests.length = 0;
    await hf.reconcile();
    expect(server.requests).toEqual([]);

    await hf.signIn();
    expect(server.requests).toContain(`DELETE /v1/devices/${device}`);
    expect([...server.devices.keys()]).toEqual([hf.device]);
    expect(hf.has('export')).toBe(true);
    expect((await profile.held()).farewell).toBeUndefined();
  });

  it('offline, with the session ended before contact, unlinks the device at the next sign-in', async () => {
    const { hf, device } = await signOutOffline();
    server.signedIn = false;
    await hf.signIn();
    expect([...server.devices.keys()]).toEqual([hf.device]);
    expect(hf.device).not.toBe(device);
  });

  it('retries the unlinking that failed at the sign-in', async () => {
    const { hf, device } = await signOutOffline();
    server.deviceCookie = null;
    server.signedIn = false;
    server.interfere = (request) =>
      request.url.endsWith(device) ? Promise.resolve(problem(503, 'unavailable')) : undefined;
    await hf.signIn();
    expect(server.devices.has(device)).toBe(true);
    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect([...server.devices.keys()]).toEqual([hf.device]);
    expect(server.signedIn).toBe(true);
  });

  it('is sent before another user signs in', async () => {
    const { hf, device } = await signOutOffline();
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Grace' };
    await hf.signIn();
    expect(server.requests[0]).toBe('DELETE /v1/session');
    expect(server.devices.has(device)).toBe(false);
  });

  it('is dropped when another user signs in and its session is over', async () => {
    const { hf, device } = await signOutOffline();
    server.signedIn = false;
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Grace' };
    await hf.signIn();
    expect(server.requests).not.toContain(`DELETE /v1/devices/${device}`);
    expect((await profile.held()).farewell).toBeUndefined();
  });

  it('keeps a new passkey from joining the previous user’s account', async () => {
    const { hf } = await signOutOffline();
    server.interfere = (request) => (request.method === 'DELETE' ? offline() : undefined);
    await expect(hf.register('Grace')).rejects.toMatchObject({ code: 'no_contact' });
    expect(server.requests).not.toContain('POST /v1/registration/options');
    server.interfere = () => undefined;
    await hf.register('Grace');
  });

  it('offline, is sent at the next start, before anybody signs in', async () => {
    const { device } = await signOutOffline();
    profile.close();
    const hf = await profile.open({ autoReconcile: true });
    await vi.waitFor(() => expect(server.requests).toContain('DELETE /v1/session'));
    await vi.waitFor(async () => expect((await profile.held()).farewell).toBeUndefined());
    expect(hf.user).toBeNull();
    expect(server.devices.has(device)).toBe(false);
    expect(server.signedIn).toBe(false);
  });

  it('offline, is sent by a worker too', async () => {
    const { device } = await signOutOffline();
    const { origin, roots, fetch } = { origin: 'https://holdfast.test', roots: server.roots, fetch: server.fetch };
    const context = makeContext({ origin, roots, fetch, database: profile.database, clock: () => profile.clock });
    const rare = vi.fn(async () => ({ linkDevice, sayFarewell }));
    expect(await reconcileOnce(context, rare)).toEqual({ outcome: 'signed_out' });
    expect(server.devices.has(device)).toBe(false);
    expect(await reconcileOnce(context, rare)).toEqual({ outcome: 'signed_out' });
    expect(rare).toHaveBeenCalledOnce();
    await context.store.close();
  });

  it('with a lost answer, is completed at the next contact', async () => {
    const hf = await profile.openPremium();
    const { device } = hf;
    server.interfere = async (_, pass) => {
      await pass();
      throw new TypeError('lost');
    };
    expect(await hf.signOut()).toBe(false);
    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'signed_out' });
    expect(server.devices.has(String(device))).toBe(false);
    await hf.signIn();
    expect((await profile.held()).farewell).toBeUndefined();
    expect(hf.has('export')).toBe(true);
  });

  it('in one tab signs out the others', async () => {
    const hf = await profile.openPremium();
    const other = await profile.open();
    expect(other.has('export')).toBe(true);
    const told = vi.fn();
    other.subscribe(told);
    await hf.signOut();
    await vi.waitFor(() => expect(other.user).toBeNull());
    expect(told).toHaveBeenCalled();
  });
});

describe('the authenticator gets signals', () => {
  const signals = () => {
    const [all, details] = [vi.fn(async () => {}), vi.fn(async () => {})];
    Object.assign(globalThis.PublicKeyCredential, {
      signalAllAcceptedCredentials: all,
      signalCurrentUserDetails: details,
    });
    return { all, details };
  };
  // The user's UUID as 16 bytes.
  const who = { rpId: 'holdfast.test', userId: 'X20qTgAAQACAAAAAAAAAAQ' };

  it('after a sign-in', async () => {
    const { all, details } = signals();
    server.passkeys = ['AAAA', 'BBBB'];
    await profile.openPremium();
    await vi.waitFor(() => expect(all).toHaveBeenCalledWith({ ...who, allAcceptedCredentialIds: ['AAAA', 'BBBB'] }));
    expect(details).toHaveBeenCalledWith({ ...who, name: 'Ada', displayName: 'Ada' });
  });

  it('each separately, where the browser supports it', async () => {
    const { details } = signals();
    Object.assign(globalThis.PublicKeyCredential, { signalAllAcceptedCredentials: undefined });
    await profile.openPremium();
    await vi.waitFor(() => expect(details).toHaveBeenCalled());
    expect(server.requests).not.toContain('GET /v1/passkeys');
  });

  it.each([
    ['an empty list', []],
    ['a list without the passkey just used', ['BBBB']],
  ])('but never with %s, which would hide valid passkeys', async (_, passkeys) => {
    const { all } = signals();
    server.passkeys = passkeys;
    const hf = await profile.openPremium();
    await hf.reconcile();
    expect(server.requests).toContain('GET /v1/passkeys');
    expect(all).not.toHaveBeenCalled();
  });

  it('and their failure has no effect', async () => {
    const { all, details } = signals();
    for (const signal of [all, details]) signal.mockRejectedValue(new DOMException('', 'SecurityError'));
    const hf = await profile.openPremium();
    expect(hf.has('export')).toBe(true);
    details.mockImplementation(() => {
      throw new TypeError('not as the standard says');
    });
    server.interfere = (request) => (request.url.endsWith('/v1/passkeys') ? offline() : undefined);
    expect(await hf.signIn()).toEqual(server.user);
  });
});

it('the entitlement stays the same object until something changes', async () => {
  const hf = await profile.openPremium();
  const before = hf.entitlement;
  profile.clock += 1000;
  expect(hf.entitlement).toBe(before);
  server.now += 1;
  await hf.reconcile();
  expect(hf.entitlement).not.toBe(before);
});
