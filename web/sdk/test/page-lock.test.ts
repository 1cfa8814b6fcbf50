import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../src/base/base64url.ts';
import type { Holdfast } from '../src/index.ts';
import { asCredential, Profile, reload, stubPasskeys } from './support/device.ts';
import { day, epoch, FakeServer, origin } from './support/fake-server.ts';
import { decode, encode, newSigner } from './support/signer.ts';
import { allAlgorithms, type Ceremony, SoftPasskey } from './support/soft-passkey.ts';

let server: FakeServer;
let profile: Profile;
let passkey: SoftPasskey;
let credentials: ReturnType<typeof stubPasskeys>;

const pageOrigin = 'https://app.holdfast.test';

beforeEach(async () => {
  server = await FakeServer.create();
  profile = new Profile(server);
  passkey = await SoftPasskey.create();
  server.bendPasskeys = (claims) => ({ ...claims, passkeys: [passkey.entry] });
  vi.stubGlobal('location', { origin: pageOrigin });
  credentials = stubPasskeys();
  answerWith(passkey);
});

afterEach(() => {
  profile.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The page's requests to an authenticator. */
interface Request {
  readonly challenge: Uint8Array;
  readonly rpId: string;
  readonly userVerification: string;
  readonly allowCredentials: { readonly type: string; readonly id: Uint8Array }[];
}

/** The authenticator answers with `holder`'s assertions, altered by `change`. */
function answerWith(holder: SoftPasskey, change: Partial<Ceremony> = {}): void {
  credentials.get.mockImplementation((async ({ publicKey }: { publicKey: Request }) => {
    const { challenge } = publicKey;
    const json = await holder.assert({ challenge, origin: pageOrigin, rpId: publicKey.rpId, ...change });
    return asCredential(json);
  }) as never);
}

function goOffline(): void {
  server.interfere = async () => Promise.reject(new TypeError('offline'));
}

async function until(condition: () => unknown): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBeTruthy(), { timeout: 30_000 });
}

/** A page that is signed in, locked, and offline. */
async function openLocked(): Promise<Holdfast> {
  const hf = await profile.openPremium();
  await hf.lock();
  goOffline();
  expect(hf.locked).toBe(true);
  credentials.get.mockClear();
  return hf;
}

describe('a locked page', () => {
  it('opens with a passkey of the user, without network', async () => {
    const hf = await openLocked();
    server.requests.length = 0;
    await hf.unlock();
    expect(hf.locked).toBe(false);
    expect(server.requests).toEqual([]);
    expect((await profile.held()).locked).toBeUndefined();
    const { publicKey } = (credentials.get.mock.calls as unknown as [{ publicKey: Request }][])[0]?.[0] ?? {};
    expect(publicKey).toEqual({
      challenge: expect.any(Uint8Array),
      rpId: 'holdfast.test',
      userVerification: 'required',
      allowCredentials: [{ type: 'public-key', id: decodeBase64url(passkey.entry.id) }],
    });
  });

  it.each(allAlgorithms)('opens with %s', async (algorithm) => {
    passkey = await SoftPasskey.create(algorithm);
    answerWith(passkey);
    const hf = await openLocked();
    await hf.unlock();
    expect(hf.locked).toBe(false);
  });

  it('uses a new challenge every time, and refuses answers to earlier ones', async () => {
    const hf = await openLocked();
    await hf.unlock();
    await hf.lock();
    const first = await credentials.get.mock.results[0]?.value;
    credentials.get.mockImplementation(async () => first);
    await expect(hf.unlock()).rejects.toMatchObject({ code: 'assertion_invalid' });
    expect(hf.locked).toBe(true);
    const asked = (credentials.get.mock.calls as unknown as [{ publicKey: Request }][]).map(
      ([{ publicKey }]) => publicKey,
    );
    expect(new Set(asked.map(({ challenge }) => encodeBase64url(challenge))).size).toBe(2);
  });

  it.each<[string, Partial<Ceremony>]>([
    ['without user verification', { flags: 0x01 }],
    ['for another page', { origin: 'https://evil.test' }],
    ['for another RP ID', { rpId: 'app.holdfast.test' }],
    ['for another user', { userHandle: encodeBase64url(new Uint8Array(16)) }],
  ])('stays locked: an assertion %s', async (_, change) => {
    const hf = await openLocked();
    answerWith(passkey, change);
    await expect(hf.unlock()).rejects.toMatchObject({ code: 'assertion_invalid' });
    expect(hf.locked).toBe(true);
  });

  it("stays locked: another user's passkey", async () => {
    const hf = await openLocked();
    answerWith(await SoftPasskey.create());
    await expect(hf.unlock()).rejects.toMatchObject({ code: 'passkey_unknown' });
    expect(hf.locked).toBe(true);
  });

  it.each([
    ['NotAllowedError', 'cancelled'],
    ['TimeoutError', 'timeout'],
    ['NotSupportedError', 'not_supported'],
    ['SecurityError', 'origin_refused'],
  ])('stays locked: the prompt ends with %s', async (name, code) => {
    const hf = await openLocked();
    credentials.get.mockRejectedValue(new DOMException('', name));
    await expect(hf.unlock()).rejects.toMatchObject({ code });
    expect(hf.locked).toBe(true);
  });

  it('ends its prompt on the signal, and when another begins', async () => {
    const hf = await openLocked();
    credentials.get.mockImplementation(
      (({ signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => {
          if (signal.aborted) reject(signal.reason);
          signal.addEventListener('abort', () => reject(signal.reason));
        })) as never,
    );
    const caller = new AbortController();
    const first = hf.unlock({ signal: caller.signal });
    await until(() => credentials.get.mock.calls.length === 1);
    caller.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });

    const second = hf.unlock();
    await until(() => credentials.get.mock.calls.length === 2);
    const third = hf.unlock();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    profile.close();
    await expect(third).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('is locked after a reload, and keeps granting features', async () => {
    await openLocked();
    profile.close();
    const hf = await profile.open();
    expect(hf.locked).toBe(true);
    expect(hf.has('export')).toBe(true);
    await hf.unlock();
    profile.close();
    expect((await profile.open()).locked).toBe(false);
  });

  it.each([
    ['expired', 8 * day],
    ['years ahead', 3 * 365 * day],
    ['years behind', -3 * 365 * day],
  ])('opens if the document or the clock is %s', async (_, shift) => {
    await openLocked();
    profile.close();
    profile.clock += shift * 1000;
    const hf = await profile.open();
    expect(hf.has('export')).toBe(false);
    expect(hf.locked).toBe(true);
    await hf.unlock();
    expect(hf.locked).toBe(false);
  });

  it('does not need the entitlement document', async () => {
    const hf = await openLocked();
    await profile.tamper({ document: 'rubbish', time: 'rubbish' as never, lineage: undefined });
    await hf.unlock();
    expect(hf.locked).toBe(false);
  });

  it('opens between a new linking and the first document', async () => {
    await openLocked();
    const { device } = await profile.held();
    profile.close();
    const pair = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
      'verify',
    ])) as CryptoKeyPair;
    await profile.tamper({ device: { id: crypto.randomUUID(), pair }, former: device });
    const hf = await profile.open();
    await hf.unlock();
    expect(hf.locked).toBe(false);
  });

  it('notifies its listeners', async () => {
    const hf = await profile.openPremium();
    const listener = vi.fn();
    hf.subscribe(listener);
    await hf.lock();
    await until(() => listener.mock.calls.length > 0);
    listener.mockClear();
    await hf.unlock();
    await until(() => listener.mock.calls.length > 0);
  });

  it('prompts for nothing while it is open', async () => {
    const hf = await profile.openPremium();
    credentials.get.mockClear();
    await hf.unlock();
    expect(credentials.get).not.toHaveBeenCalled();
  });
});

describe('other pages', () => {
  it('follow a lock, and each is opened separately', async () => {
    const first = await profile.openPremium();
    const second = await profile.open();
    await first.lock();
    await until(() => second.locked);
    await first.unlock();
    await first.reconcile();
    expect(first.locked).toBe(false);
    expect(second.locked).toBe(true);
    await second.unlock();
    expect(second.locked).toBe(false);
  });

  it('lock an opened page again', async () => {
    const first = await profile.openPremium();
    const second = await profile.open();
    await first.lock();
    await until(() => second.locked);
    await second.unlock();
    await second.lock();
    await first.unlock();
    expect(first.locked).toBe(false);
    await second.unlock();
    await second.lock();
    await until(() => first.locked);
  });
});

describe('nobody is locked out permanently', () => {
  const refused: [string, () => Promise<unknown> | unknown][] = [
    ['none', () => profile.tamper({ passkeys: undefined })],
    ['rubbish', () => profile.tamper({ passkeys: 'rubbish' })],
    [
      'edited',
      async () => {
        const [head, claims, signature] = (await profile.held()).passkeys?.split('.') ?? [];
        const edited = decode(claims);
        edited.passkeys = [(await SoftPasskey.create()).entry];
        await profile.tamper({ passkeys: `${head}.${encode(edited)}.${signature}` });
      },
    ],
    [
      'the entitlement document in its place',
      async () => profile.tamper({ passkeys: (await profile.held()).document }),
    ],
    [
      'signed by a key that is not in the keyset',
      async () => profile.tamper({ passkeys: await forged(await newSigner()) }),
    ],
    ["another user's", async () => profile.tamper({ passkeys: await forged(server.signer, { sub: 'another' }) })],
    ["another device's", async () => profile.tamper({ passkeys: await forged(server.signer, { device: 'another' }) })],
    [
      'of another issuer',
      async () => profile.tamper({ passkeys: await forged(server.signer, { iss: 'https://evil.test' }) }),
    ],
    [
      'for another RP ID',
      async () => profile.tamper({ passkeys: await forged(server.signer, { rp_id: 'evil.test' }) }),
    ],
    ['without a passkey', async () => profile.tamper({ passkeys: await forged(server.signer, { passkeys: [] }) })],
    [
      'whose only key is of small order',
      async () => {
        const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(new Uint8Array(32).fill(1, 0, 1)), alg: 'EdDSA' };
        await profile.tamper({ passkeys: await forged(server.signer, { passkeys: [{ id: passkey.entry.id, jwk }] }) });
      },
    ],
    ['without a keyset', () => profile.tamper({ keyset: undefined })],
    ['with unreadable marks', () => profile.tamper({ marks: 7 as never })],
    ['without a device', () => profile.tamper({ device: undefined })],
  ];

  async function forged(signer: typeof server.signer, change: Record<string, unknown> = {}): Promise<string> {
    const claims = {
      iss: origin,
      aud: origin,
      sub: server.user.id,
      device: (await profile.held()).device?.id,
      iat: epoch,
      exp: epoch + 7 * day,
      rp_id: 'holdfast.test',
      passkeys: [passkey.entry],
      ...change,
    };
    return signer.sign({ alg: 'ES256', kid: signer.kid, typ: 'passkeys+jwt' }, claims);
  }

  it('for comparison, an unmodified document is accepted', async () => {
    const hf = await openLocked();
    await profile.tamper({ passkeys: await forged(server.signer) });
    await hf.unlock();
    expect(hf.locked).toBe(false);
  });

  it.each(refused)('no lock begins with the passkeys document: %s', async (_, tamper) => {
    const hf = await profile.openPremium();
    await tamper();
    await expect(hf.lock()).rejects.toMatchObject({ code: 'passkeys_unavailable' });
    await expect(hf.setLock({ onStart: true })).rejects.toMatchObject({ code: 'passkeys_unavailable' });
    expect(hf.locked).toBe(false);
    profile.close();
    expect((await profile.open({ lock: { onStart: true } })).locked).toBe(false);
  });

  it.each(refused)('a locked page opens by signing in as the same user: %s', async (name, tamper) => {
    const hf = await openLocked();
    await tamper();
    await expect(hf.unlock()).rejects.toMatchObject({ code: 'passkeys_unavailable' });
    expect(hf.locked).toBe(true);
    server.interfere = () => undefined;
    await hf.signIn().catch((error) => {
      // Other damage is not the lock's concern; the page is open.
      if (name !== 'with unreadable marks') throw error;
    });
    expect(hf.locked).toBe(false);
    expect((await profile.held()).locked).toBeUndefined();
  });

  it('no lock begins without WebAuthn, without a user, or without storage', async () => {
    const hf = await profile.openPremium();
    vi.stubGlobal('PublicKeyCredential', undefined);
    await expect(hf.lock()).rejects.toMatchObject({ code: 'not_supported' });
    stubPasskeys();
    await hf.signOut();
    await expect(hf.lock()).rejects.toMatchObject({ code: 'signed_out' });
    await expect(hf.setLock({ idle: 1000 })).rejects.toMatchObject({ code: 'signed_out' });
    await expect(hf.setLock({})).rejects.toMatchObject({ code: 'signed_out' });
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new DOMException('blocked', 'SecurityError');
      },
    });
    profile.close();
    await expect((await profile.open()).lock()).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('opens although storage fails meanwhile', async () => {
    const hf = await openLocked();
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    await hf.unlock();
    expect(hf.locked).toBe(false);
    await hf.reconcile();
    expect(hf.locked).toBe(false);
    put.mockRestore();
  });

  it('opens although storage is gone after the prompt', async () => {
    const hf = await openLocked();
    const assert = credentials.get.getMockImplementation() as ((options: never) => unknown) | undefined;
    credentials.get.mockImplementation((async (options: never) => {
      vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(() => {
        throw new DOMException('gone', 'UnknownError');
      });
      return assert?.(options);
    }) as never);
    await hf.unlock();
    vi.restoreAllMocks();
    expect(hf.locked).toBe(false);
  });
});

describe('a lock belongs to its user', () => {
  it('a lock that another page begins during the prompt holds', async () => {
    const hf = await openLocked();
    const locked = { id: 'a later lock', user: server.user.id };
    const assert = credentials.get.getMockImplementation() as ((options: never) => unknown) | undefined;
    credentials.get.mockImplementation((async (options: never) => {
      await profile.tamper({ locked });
      return assert?.(options);
    }) as never);
    await hf.unlock();
    expect(hf.locked).toBe(true);
    expect((await profile.held()).locked).toEqual(locked);
  });

  it('sign-out ends the lock', async () => {
    const hf = await openLocked();
    await hf.signOut();
    expect(hf.locked).toBe(false);
    expect(hf.user).toBeNull();
    const { locked, lock, active } = await profile.held();
    expect([locked, lock, active]).toEqual([undefined, undefined, undefined]);
  });

  it('another user who signs in has no lock', async () => {
    const hf = await openLocked();
    server.interfere = () => undefined;
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Eve' };
    server.devices.clear();
    await hf.signIn();
    expect(hf.user?.name).toBe('Eve');
    expect(hf.locked).toBe(false);
    expect((await profile.held()).locked).toBeUndefined();
  });

  it('a prompt of the previous user never opens the page', async () => {
    const hf = await openLocked();
    const assert = credentials.get.getMockImplementation() as ((options: never) => unknown) | undefined;
    const finger = new EventTarget();
    credentials.get.mockImplementation((async (options: never) => {
      await new Promise((resolve) => finger.addEventListener('tap', resolve));
      return assert?.(options);
    }) as never);
    const unlocking = hf.unlock();
    await until(() => credentials.get.mock.calls.length === 1);

    const locked = { id: 'a lock of theirs', user: 'another' };
    await profile.tamper({ user: { id: 'another', name: 'Eve' }, locked });
    const channel = new BroadcastChannel(profile.database);
    channel.postMessage(null);
    channel.close();
    await until(() => hf.user?.id === 'another');
    const seen = new Set([hf.locked]);
    const begin = IDBDatabase.prototype.transaction;
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      seen.add(hf.locked);
      return begin.apply(this, args);
    });
    finger.dispatchEvent(new Event('tap'));
    await unlocking;
    vi.restoreAllMocks();
    expect([...seen, hf.locked]).toEqual([true, true]);
    expect((await profile.held()).locked).toEqual(locked);
  });

  it('adding a passkey in a session opens nothing; a code of the user does', async () => {
    const hf = await openLocked();
    server.interfere = () => undefined;
    await hf.register('Ada');
    expect(hf.locked).toBe(true);
    await hf.enrol('code');
    expect(hf.locked).toBe(false);
  });
});

describe('on start', () => {
  it('a page is locked before it is visible, also after a reload, but no other page', async () => {
    const first = await profile.openPremium();
    await first.setLock({ onStart: true });
    expect(first.locked).toBe(false);
    expect(first.lockOptions).toEqual({ onStart: true });
    const second = await profile.open();
    expect(second.locked).toBe(true);
    expect(second.lockOptions).toEqual({ onStart: true });
    expect(first.locked).toBe(false);
    await second.unlock();
    await second.reconcile();
    expect(second.locked).toBe(false);
    profile.close();
    expect((await profile.open()).locked).toBe(true);
  });

  it('a page without its roots stays locked until they arrive', async () => {
    const first = await profile.openPremium();
    await first.setLock({ onStart: true });
    profile.close();
    let arrives = false;
    const roots = async () => (arrives ? server.roots : Promise.reject(new TypeError('offline')));
    const open = () => profile.open({ roots });
    const hf = await open();
    expect(hf.locked).toBe(true);
    await expect(hf.unlock()).rejects.toMatchObject({ code: 'roots_unavailable' });
    await reload(hf);
    expect(hf.locked).toBe(true);
    arrives = true;
    await reload(hf);
    expect(hf.locked).toBe(true);
    await hf.unlock();
    await reload(hf);
    expect(hf.locked).toBe(false);

    profile.close();
    arrives = false;
    await profile.tamper({ passkeys: undefined });
    const lost = await open();
    expect(lost.locked).toBe(true);
    arrives = true;
    await reload(lost);
    expect(lost.locked).toBe(false);
  });

  it('by the app, until the user chooses otherwise', async () => {
    const lock = { onStart: true };
    const first = await profile.open({ lock });
    expect(first.locked).toBe(false);
    await first.signIn();
    expect(first.locked).toBe(false);
    const second = await profile.open({ lock });
    expect(second.locked).toBe(true);
    await second.unlock();
    await second.setLock({});
    profile.close();
    expect((await profile.open({ lock })).locked).toBe(false);
  });

  it('ignores unreadable options', async () => {
    await profile.openPremium();
    profile.close();
    for (const lock of [7, 'on', { onStart: 'yes', idle: -1 }, { idle: Number.NaN }, []]) {
      await profile.tamper({ lock: lock as never, active: 'rubbish' as never, locked: 'rubbish' as never });
      const hf = await profile.open();
      expect(hf.locked).toBe(false);
      expect(hf.lockOptions).toEqual({});
      profile.close();
    }
  });
});

describe('when idle', () => {
  const idle = 40_000;
  const page = new EventTarget();

  /** Advances the pages' clocks and timers together. */
  async function pass(time: number): Promise<void> {
    for (let left = time; left > 0; left -= 10_000) {
      profile.clock += Math.min(left, 10_000);
      await vi.advanceTimersByTimeAsync(Math.min(left, 10_000));
      // IndexedDB requests made by the timers finish before this one.
      await profile.held();
    }
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  });

  it('all pages lock together, and stay open while one is used', async () => {
    const first = await profile.openPremium();
    const second = await profile.open();
    await first.setLock({ idle });
    for (let i = 0; i < 5; i++) {
      await pass(idle / 2);
      page.dispatchEvent(new Event('keydown'));
    }
    expect(first.locked).toBe(false);
    await pass(idle * 1.2);
    await until(() => first.locked && second.locked);
    await first.unlock();
    expect(first.locked).toBe(false);
  });

  it('a page starts locked after a long close, not after a short one', async () => {
    const hf = await profile.openPremium();
    await hf.setLock({ idle });
    await pass(idle / 2);
    profile.close();
    profile.clock += idle / 8;
    const soon = await profile.open();
    expect(soon.locked).toBe(false);
    profile.close();
    profile.clock += 2 * idle;
    const late = await profile.open();
    expect(late.locked).toBe(true);
    // Input to a locked page does not count as activity.
    page.dispatchEvent(new Event('keydown'));
    profile.close();
    expect((await profile.open()).locked).toBe(true);
  });

  it('a page that could not be opened again does not lock', async () => {
    const hf = await profile.openPremium();
    await hf.setLock({ idle });
    await profile.tamper({ passkeys: undefined });
    await pass(idle * 1.5);
    expect(hf.locked).toBe(false);
    expect((await profile.held()).locked).toBeUndefined();
  });

  it('activity at the last moment keeps them open', async () => {
    const hf = await profile.openPremium();
    await hf.setLock({ idle });
    const verify = crypto.subtle.verify.bind(crypto.subtle);
    const comesBack = vi.spyOn(crypto.subtle, 'verify').mockImplementation(async (...args) => {
      await profile.tamper({ active: profile.clock });
      return verify(...args);
    });
    await pass(idle * 1.2);
    await until(() => comesBack.mock.calls.length > 0);
    expect(hf.locked).toBe(false);
    comesBack.mockRestore();
    await pass(idle * 1.2);
    await until(() => hf.locked);
  });

  it('a closed page stops watching', async () => {
    const hf = await profile.openPremium();
    await hf.setLock({ idle });
    const { active } = await profile.held();
    hf.close();
    await pass(idle / 2);
    page.dispatchEvent(new Event('keydown'));
    await pass(idle * 1.5);
    expect(await profile.held()).toMatchObject({ active, lock: { idle } });
    expect((await profile.held()).locked).toBeUndefined();
  });

  it('ignores an unreadable stored time', async () => {
    const hf = await profile.openPremium();
    await hf.setLock({ idle });
    await profile.tamper({ active: 'rubbish' as never });
    await pass(idle * 1.5);
    await until(() => hf.locked);
  });

  it('the limit can be changed or removed from any open page', async () => {
    const first = await profile.openPremium();
    const second = await profile.open();
    await first.setLock({ idle });
    await until(() => second.lockOptions.idle === idle);
    await second.setLock({});
    await until(() => first.lockOptions.idle === undefined);
    await pass(idle * 2);
    expect(first.locked).toBe(false);
    expect(second.locked).toBe(false);
  });
});
