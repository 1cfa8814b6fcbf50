import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Profile, stubPasskeys } from './support/device.ts';
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
});

const end = (epoch + 7 * day) * 1000;
const offline = async () => Promise.reject(new TypeError('offline'));

describe('what storage holds is verified again at every start', () => {
  const edit = (jws: string) => {
    const [head, , signature] = jws.split('.');
    return `${head}.${btoa('{"state":"active"}').replaceAll('=', '')}.${signature}`;
  };

  it('an edited document is refused, and the next reconcile brings it back', async () => {
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

  it('nor does it with that device claimed, but not its key', async () => {
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

describe('what cannot be opened is told, not thrown', () => {
  it('storage', async () => {
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new DOMException('blocked', 'SecurityError');
      },
    });
    const hf = await profile.open();
    expect(hf.entitlement).toMatchObject({ state: 'signed_out', error: 'storage_unavailable' });
    expect(await hf.reconcile()).toEqual({ outcome: 'storage_unavailable' });
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('roots, which are asked for again', async () => {
    await profile.openPremium();
    const roots = vi.fn(async () => server.roots).mockRejectedValueOnce(new TypeError('offline'));
    const hf = await profile.open({ roots });
    expect(hf.entitlement).toMatchObject({ state: 'none', error: 'roots_unavailable' });
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(true);
  });
});

describe('time', () => {
  it('ends the document at exp, not before and not after', async () => {
    const hf = await profile.openPremium();
    profile.clock = end - 1;
    expect(hf.has('export')).toBe(true);
    profile.clock = end;
    expect(hf.has('export')).toBe(false);
    expect(hf.entitlement).toMatchObject({ state: 'ended', error: 'expired' });
  });

  it('is noticed while the page is open', async () => {
    const hf = await profile.openPremium();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await (hf as unknown as { load(): Promise<void> }).load();
    const told = vi.fn();
    hf.subscribe(told);
    profile.clock = end - 30_000;
    await vi.advanceTimersByTimeAsync(60_000);
    told.mockClear();
    profile.clock = end;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(told).toHaveBeenCalledOnce();
    expect(hf.entitlement.state).toBe('ended');
  });

  it('does not run backwards: a clock set back makes premium wait', async () => {
    const hf = await profile.openPremium();
    profile.clock += day * 1000;
    expect(hf.has('export')).toBe(true);
    profile.clock -= 11 * 60_000;
    expect(hf.entitlement).toMatchObject({ state: 'clock_behind', error: 'clock_behind' });
    expect(hf.has('export')).toBe(false);
    server.now += day;
    await hf.reconcile();
    expect(hf.has('export')).toBe(true);
  });

  it('seen while open is remembered over a restart', async () => {
    const hf = await profile.openPremium();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await (hf as unknown as { load(): Promise<void> }).load();
    profile.clock += 6 * day * 1000;
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect((await profile.held()).time?.mark).toBe(profile.clock));
    profile.close();
    profile.clock -= 5 * day * 1000;
    expect((await profile.open()).entitlement.state).toBe('clock_behind');
  });

  it('is corrected by what the server said', async () => {
    profile.clock -= 3_600_000;
    const hf = await profile.openPremium();
    profile.clock = end - 3_600_000 - 1;
    expect(hf.has('export')).toBe(true);
    profile.clock += 1;
    expect(hf.has('export')).toBe(false);
  });

  it('does not end what grants nothing: a revoked document stays revoked', async () => {
    server.claims = { state: 'revoked', reason: 'revoked', features: {}, plans: [] };
    const hf = await profile.openPremium();
    profile.clock = end;
    expect(hf.entitlement).toMatchObject({ state: 'revoked', reason: 'revoked', error: null });
  });
});

describe('signing in and linking', () => {
  it('registers, enrols, and finds the trial', async () => {
    const hf = await profile.open();
    expect(await hf.register('Ada')).toEqual(server.user);
    expect(await hf.startTrial()).toEqual({ outcome: 'reconciled' });
    const other = new Profile(server);
    expect(await (await other.open()).enrol('code')).toEqual(server.user);
    other.close();
  });

  it('keeps the key of a link whose answer was lost, and finishes by itself', async () => {
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

  it('links with another key where the first one has moved on', async () => {
    const hf = await profile.open();
    let conflicts = 0;
    server.interfere = (request) =>
      request.url.endsWith('/v1/devices') && conflicts++ === 0 ? Promise.resolve(problem(409, 'conflict')) : undefined;
    await hf.signIn();
    expect(hf.has('export')).toBe(true);
  });

  it('tells which devices can be replaced', async () => {
    const hf = await profile.open();
    const devices = [{ id: 'one', name: 'Old phone', linked_at: '2026-01-01T00:00:00Z', last_reconciled_at: null }];
    server.interfere = (request) =>
      request.url.endsWith('/v1/devices') ? Promise.resolve(problem(409, 'device_limit', {}, { devices })) : undefined;
    await expect(hf.signIn()).rejects.toMatchObject({
      code: 'device_limit',
      devices: [{ id: 'one', name: 'Old phone', lastReconciledAt: null }],
    });
    server.interfere = () => undefined;
    await hf.link({ replaces: 'one' });
    expect(hf.has('export')).toBe(true);
  });

  it('signing in again keeps a device that is still good', async () => {
    const hf = await profile.openPremium();
    const { device } = hf;
    await hf.signIn();
    expect(hf.device).toBe(device);
  });

  it('another user starts with nothing of the first', async () => {
    const hf = await profile.openPremium();
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Grace' };
    server.claims = { state: 'none', reason: null, features: {}, plans: [] };
    await hf.signIn();
    expect(hf.user).toEqual(server.user);
    expect(hf.entitlement).toMatchObject({ state: 'none', error: null, features: {} });
  });

  it('the device key never leaves', async () => {
    await profile.openPremium();
    const pair = (await profile.held()).device?.pair;
    expect(pair?.privateKey.extractable).toBe(false);
  });
});

describe('signing out', () => {
  it('forgets everything of the user, and tells the server', async () => {
    const hf = await profile.openPremium();
    expect(await hf.signOut()).toBe(true);
    expect(server.requests.at(-1)).toBe('DELETE /v1/session');
    expect(hf.user).toBeNull();
    expect(hf.entitlement.state).toBe('signed_out');
    expect(Object.keys(await profile.held()).sort()).toEqual(['keyset', 'marks', 'time']);
  });

  it('offline, tells the server later', async () => {
    const hf = await profile.openPremium();
    server.interfere = offline;
    expect(await hf.signOut()).toBe(false);
    expect(hf.has('export')).toBe(false);
    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'signed_out' });
    expect(server.requests.at(-1)).toBe('DELETE /v1/session');
    expect((await profile.held()).farewell).toBeUndefined();
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

describe('by itself', () => {
  it('reconciles at the start and when the browser is online again', async () => {
    await profile.openPremium();
    profile.close();
    server.requests.length = 0;
    const events = new EventTarget();
    vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
    const hf = await profile.open({ autoReconcile: true });
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    await vi.waitFor(async () => expect(hf.has('export')).toBe(true));
    server.requests.length = 0;
    await vi.waitFor(() => {
      events.dispatchEvent(new Event('online'));
      expect(server.requests.length).toBeGreaterThan(0);
    });
  });
});

it('a snapshot stays the same object until something changes', async () => {
  const hf = await profile.openPremium();
  const before = hf.entitlement;
  profile.clock += 1000;
  expect(hf.entitlement).toBe(before);
  await hf.reconcile();
  expect(hf.entitlement).not.toBe(before);
});
