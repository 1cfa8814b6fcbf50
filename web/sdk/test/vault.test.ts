import { CompactEncrypt } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Holdfast } from '../src/index.ts';
import type { Bytes } from '../src/vault/bytes.ts';
import { VaultStore, type Wrapped } from '../src/vault/store.ts';
import { canUseVault, openVault, type Vault, type VaultOptions } from '../src/vault.ts';
import { asCredential, Profile, reload, stubPasskeys } from './support/device.ts';
import { encryptTo, FakeServer } from './support/fake-server.ts';
import { newSigner } from './support/signer.ts';
import { type Ceremony, SoftPasskey } from './support/soft-passkey.ts';

const pageOrigin = 'https://app.holdfast.test';
const random = () => crypto.getRandomValues(new Uint8Array(32));

let server: FakeServer;
let profile: Profile;
let passkey: SoftPasskey;
let known: SoftPasskey[];
let credentials: ReturnType<typeof stubPasskeys>;
let hf: Holdfast;
let vault: Vault;

beforeEach(async () => {
  server = await FakeServer.create();
  server.claims = { ...server.claims, features: { vault: {}, atlas: {} } };
  server.contentKeys.set('vault', [random()]).set('atlas', [random()]);
  profile = new Profile(server);
  passkey = await SoftPasskey.create();
  known = [passkey];
  server.bendPasskeys = (claims) => ({ ...claims, passkeys: known.map(({ entry }) => entry) });
  vi.stubGlobal('location', { origin: pageOrigin });
  credentials = stubPasskeys();
  answerWith(passkey);
  hf = await profile.openPremium();
  vault = await openVault(hf);
});

afterEach(() => {
  vault.close();
  profile.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Request {
  readonly challenge: Uint8Array;
  readonly rpId: string;
  readonly userVerification: string;
  readonly allowCredentials: unknown[];
  readonly extensions?: { readonly prf: { readonly eval: { readonly first: Uint8Array<ArrayBuffer> } } };
}

/** The authenticator answers with `holder`, altered by `change`. */
function answerWith(holder: SoftPasskey, change: Partial<Ceremony> = {}, hasPrf = true): void {
  credentials.get.mockImplementation((async ({ publicKey }: { publicKey: Request }) => {
    const { challenge, rpId, extensions } = publicKey;
    const json = await holder.assert({ challenge, origin: pageOrigin, rpId, ...change });
    const first = extensions && hasPrf ? await holder.evaluate(extensions.prf.eval.first) : undefined;
    return asCredential({ ...json, clientExtensionResults: first ? { prf: { results: { first } } } : {} });
  }) as never);
}

function goOffline(): void {
  server.interfere = async () => Promise.reject(new TypeError('offline'));
}

/** The same device's next page. */
async function reopen(options: VaultOptions = {}): Promise<void> {
  vault.close();
  hf.close();
  hf = await profile.open();
  vault = await openVault(hf, options);
}

/** Grants or takes features, and tells the device. */
async function grant(...features: string[]): Promise<void> {
  server.revision++;
  const state = features.length > 0 ? 'active' : 'revoked';
  server.claims = { ...server.claims, state, features: Object.fromEntries(features.map((name) => [name, {}])) };
  await hf.reconcile();
}

async function stored<T>(work: (store: VaultStore) => Promise<T>): Promise<T> {
  const store = new VaultStore(`${profile.database}-vault`);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const wrapped = () => stored((store) => store.wrapped()) as Promise<Wrapped | undefined>;
const changeWrapped = (change: (held: Wrapped) => Wrapped) =>
  stored((store) => store.changeWrapped((held) => change(held as Wrapped)));
const refusal = (work: Promise<unknown>) => work.then(() => null).catch(({ code }) => code);
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 30_000 });

describe('opening', () => {
  it('takes one tap, and works without network once the keys are held', async () => {
    expect(vault.status.state).toBe('needs_server');
    credentials.get.mockClear();
    await vault.unlock();
    expect(vault.status).toEqual({ state: 'open', epoch: 1, packs: ['atlas'], problem: null });
    expect(credentials.get).toHaveBeenCalledTimes(1);
    const sealed = await vault.seal('note', 'Milk');
    await reopen();
    goOffline();
    expect(vault.status.state).toBe('locked');
    expect(await refusal(vault.open('note', sealed))).toBe('vault_locked');
    await vault.unlock();
    expect(await vault.openText('note', sealed)).toBe('Milk');
    const calls = credentials.get.mock.calls as unknown as [{ publicKey: Request }][];
    for (const [{ publicKey }] of calls) {
      expect(publicKey.userVerification).toBe('required');
      expect(publicKey.allowCredentials).toHaveLength(1);
      expect(publicKey.extensions?.prf.eval.first).toHaveLength(32);
    }
  });

  it('stores and posts nothing that opens it', async () => {
    const bodies: string[] = [];
    server.interfere = (request, pass) => {
      void request
        .clone()
        .text()
        .then((text) => bodies.push(text));
      return pass();
    };
    await vault.unlock();
    const [key] = server.contentKeys.get('vault') ?? [];
    const first = (await passkey.evaluate(new Uint8Array())) && bodies.join();
    expect(first).not.toContain('prf');
    const bytes = JSON.stringify(await wrapped(), (_, value) => (value instanceof Uint8Array ? [...value] : value));
    expect(bytes).not.toContain(`${key}`);
    expect(bytes).toContain('atlas');
    const transport = (await stored((store) => store.transportKey())) as { pair: CryptoKeyPair };
    expect(transport.pair.privateKey).toMatchObject({ extractable: false, usages: ['deriveBits'] });
  });

  it('without network and without keys asks for the server first, and does not prompt', async () => {
    goOffline();
    credentials.get.mockClear();
    expect(await refusal(vault.unlock())).toBe('vault_keys_missing');
    expect(credentials.get).not.toHaveBeenCalled();
  });

  it('with a second passkey fetches the keys again, and opens the same', async () => {
    await vault.unlock();
    const sealed = await vault.seal('note', 'Milk');
    const second = await SoftPasskey.create();
    known = [passkey, second];
    server.revision++;
    server.window += 1;
    await hf.reconcile();
    answerWith(second);
    await reopen();
    server.interfere = (request) =>
      request.url.endsWith('/keys') ? Promise.reject(new TypeError('offline')) : undefined;
    expect(await refusal(vault.unlock())).toBe('vault_keys_missing');
    server.interfere = () => undefined;
    await vault.unlock();
    expect(await vault.openText('note', sealed)).toBe('Milk');
    expect(Object.keys((await wrapped())?.features.vault ?? {}).sort()).toEqual(
      known.map(({ entry }) => entry.id).sort(),
    );
    // The first one is deleted: nothing is lost.
    known = [second];
    server.revision++;
    server.window += 1;
    await hf.reconcile();
    await reopen();
    await vault.unlock();
    expect(await vault.openText('note', sealed)).toBe('Milk');
    answerWith(passkey);
    await reopen();
    expect(await refusal(vault.unlock())).toBe('passkey_unknown');
  });

  it.each<[string, Partial<Ceremony>]>([
    ['without user verification', { flags: 0x01 }],
    ['for another page', { origin: 'https://evil.test' }],
    ['for another RP ID', { rpId: 'app.holdfast.test' }],
    ['to another challenge', { challenge: new Uint8Array(32) }],
  ])('is refused: an assertion %s', async (_, change) => {
    answerWith(passkey, change);
    expect(await refusal(vault.unlock())).toBe('assertion_invalid');
    expect(vault.status.state).not.toBe('open');
  });

  it('is refused with a passkey that is not the user’s', async () => {
    answerWith(await SoftPasskey.create());
    expect(await refusal(vault.unlock())).toBe('passkey_unknown');
  });

  it('is refused without PRF, before anything is sealed', async () => {
    answerWith(passkey, {}, false);
    expect(await refusal(vault.unlock())).toBe('prf_unavailable');
    expect(vault.status.state).toBe('no_prf');
    expect(await refusal(vault.seal('note', 'Milk'))).toBe('prf_unavailable');
    expect(await wrapped()).toBeUndefined();
    answerWith(passkey);
    await vault.unlock();
    expect(vault.status.state).toBe('open');
  });

  it('is refused with a tampered wrap, and mended by the server', async () => {
    await vault.unlock();
    const { id } = passkey.entry;
    const genuine = (await wrapped())?.features.vault?.[id];
    if (!genuine) throw new Error('no wrap');
    const data = genuine.data.slice();
    data[3] = (data[3] ?? 0) ^ 1;
    for (const bad of [{ ...genuine, data }, { ...genuine, epochs: [2] }, { ...genuine, epochs: [1, 2] }, {}, null]) {
      await changeWrapped((held) => ({ ...held, features: { vault: { [id]: bad as never } } }));
      await reopen();
      goOffline();
      expect(await refusal(vault.unlock())).toMatch(/^vault_(wrap_invalid|keys_missing)$/);
      server.interfere = () => undefined;
    }
    await vault.unlock();
    expect(vault.status.state).toBe('open');
  });

  it('is refused with the wrap of another feature or passkey', async () => {
    await vault.unlock();
    const { id } = passkey.entry;
    await changeWrapped((held) => ({ ...held, features: { vault: { [id]: held.features.atlas?.[id] as never } } }));
    await reopen();
    goOffline();
    expect(await refusal(vault.unlock())).toBe('vault_wrap_invalid');
  });

  it('says whether a browser may have it', async () => {
    expect(await canUseVault()).toBe(true);
    vi.stubGlobal('PublicKeyCredential', { getClientCapabilities: async () => ({ 'extension:prf': false }) });
    expect(await canUseVault()).toBe(false);
    vi.stubGlobal('PublicKeyCredential', undefined);
    expect(await canUseVault()).toBe(false);
  });
});

describe('the hand-over', () => {
  const bends: [string, Record<string, unknown>, string][] = [
    ['of another issuer', { iss: 'https://evil.test' }, 'issuer_mismatch'],
    ['for another audience', { aud: 'https://evil.test' }, 'audience_mismatch'],
    ['for another user', { sub: crypto.randomUUID() }, 'subject_mismatch'],
    ['for another device', { device: crypto.randomUUID() }, 'device_mismatch'],
    ['to another request', { proof: 'AAAA' }, 'proof_mismatch'],
    ['without end', { exp: undefined }, 'claims_invalid'],
    ['that ended before it began', { exp: 1 }, 'claims_invalid'],
    ['without the key that seals', { vault: { epoch: 2 } }, 'claims_invalid'],
    ['without keys', { keys: undefined }, 'claims_invalid'],
    ['with a short key', { keys: [{ feature: 'vault', epoch: 1, k: 'AAAA' }] }, 'claims_invalid'],
    ['of the vault that is not granted', { vault: undefined }, 'claims_invalid'],
  ];
  it.each(bends)('is refused: one %s', async (_, change, code) => {
    server.bendKeys = (claims) => ({ ...claims, ...change });
    expect(await refusal(vault.unlock())).toBe(code);
  });

  it('is refused if another key signed it', async () => {
    const { sign } = await newSigner();
    server.encrypt = async (text, jwk) => {
      const [, claims = ''] = text.split('.');
      const payload = new TextDecoder().decode(
        Uint8Array.from(atob(claims.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)),
      );
      return encryptTo(await sign({ alg: 'ES256', kid: server.signer.kid, typ: 'vault+jwt' }, payload), jwk);
    };
    expect(await refusal(vault.unlock())).toBe('signature_invalid');
  });

  it.each<[string, (text: string, jwk: never) => Promise<string>]>([
    ['with another kid', (text, jwk) => encryptTo(text, jwk, { kid: 'AAAA' })],
    ['with another content type', (text, jwk) => encryptTo(text, jwk, { cty: 'JWT' })],
    ['without key agreement with the device', (text, jwk) => encryptTo(text, jwk, { enc: 'A128GCM' })],
    ['with a further header', (text, jwk) => encryptTo(text, jwk, { typ: 'JOSE' })],
    ['to another key', async (text) => encryptTo(text, (await newSigner()).jwk)],
    ['unencrypted', async (text) => text],
    [
      'direct',
      async (text) =>
        new CompactEncrypt(new TextEncoder().encode(text))
          .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
          .encrypt(random()),
    ],
  ])('is refused: one encrypted %s', async (_, encrypt) => {
    server.encrypt = encrypt as never;
    expect(await refusal(vault.unlock())).toBe('vault_keys_invalid');
    server.encrypt = (text, jwk) => encryptTo(text, jwk);
    await vault.unlock();
  });

  it('is refused if it comes too late', async () => {
    server.interfere = (request, pass) => {
      if (request.url.endsWith('/keys')) profile.pass(300_000);
      return pass();
    };
    expect(await refusal(vault.unlock())).toBe('expired');
  });
});

describe('sealed data', () => {
  it('of any kind opens', async () => {
    await vault.unlock();
    const bytes = new Uint8Array([1, 2, 3]);
    for (const data of [bytes, bytes.buffer, new DataView(bytes.buffer), new Blob([bytes])]) {
      const sealed = await vault.seal('note', data);
      expect(await vault.open('note', sealed)).toEqual(bytes);
      expect(await vault.open('note', new Blob([sealed]))).toEqual(bytes);
    }
  });

  it('opens as a stream', async () => {
    await vault.unlock();
    const content = new Uint8Array(1024 * 1024 + 77).fill(5);
    const through = async (bytes: Bytes, pair: ReadableWritablePair<Bytes, Uint8Array>) =>
      new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(pair)).arrayBuffer());
    const sealed = await through(content, await vault.sealStream('film'));
    expect((await vault.open('film', sealed)).length).toBe(content.length);
    expect((await through(sealed, await vault.openStream('film'))).every((byte) => byte === 5)).toBe(true);
    const cut = await vault.openStream('film');
    expect(await refusal(through(sealed.slice(0, 60), cut))).toBe('vault_truncated');
    const other = await vault.openStream('other');
    expect(await refusal(through(sealed, other))).toBe('vault_id_mismatch');
  });

  it('of another id is refused', async () => {
    await vault.unlock();
    expect(await refusal(vault.open('b', await vault.seal('a', 'Milk')))).toBe('vault_id_mismatch');
  });

  it.each(['', 'x'.repeat(1025), '\ud800'])('has an id that is text', async (id) => {
    await vault.unlock();
    expect(await refusal(vault.seal(id, 'Milk'))).toBe('invalid_request');
  });

  it('that was replaced is refused, on another device too once it has seen the new one', async () => {
    await vault.unlock();
    const first = await vault.seal('note', 'Milk');
    const second = await vault.seal('note', 'Bread');
    expect(await refusal(vault.open('note', first))).toBe('vault_replayed');
    expect(await vault.openText('note', second)).toBe('Bread');
    expect(await vault.openText('note', first, { earlier: true })).toBe('Milk');
    const other = new Profile(server);
    server.deviceCookie = null;
    const otherHf = await other.openPremium();
    const otherVault = await openVault(otherHf);
    await otherVault.unlock();
    expect(await otherVault.openText('note', first)).toBe('Milk');
    expect(await otherVault.openText('note', second)).toBe('Bread');
    expect(await refusal(otherVault.open('note', first))).toBe('vault_replayed');
    otherVault.close();
    other.close();
  });

  it('is remembered across reloads, and a changed memory is noticed', async () => {
    await vault.unlock();
    const first = await vault.seal('note', 'Milk');
    await vault.seal('note', 'Bread');
    await reopen();
    await vault.unlock();
    expect(await refusal(vault.open('note', first))).toBe('vault_replayed');
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(`${profile.database}-vault`);
      request.onsuccess = () => resolve(request.result);
    });
    await new Promise((resolve) => {
      const transaction = database.transaction('marks', 'readwrite');
      const cursor = transaction.objectStore('marks').openCursor();
      cursor.onsuccess = () => {
        cursor.result?.update({ ...cursor.result.value, sequence: 1 });
        cursor.result?.continue();
      };
      transaction.oncomplete = resolve;
    });
    database.close();
    expect(await refusal(vault.open('note', first))).toBe('vault_tampered');
  });

  it('of an epoch that this device does not get is refused', async () => {
    const other = new Profile(server);
    server.deviceCookie = null;
    const otherVault = await openVault(await other.openPremium());
    await vault.unlock();
    server.contentKeys.get('vault')?.push(random());
    await otherVault.unlock();
    const sealed = await otherVault.seal('note', 'Milk');
    server.interfere = (request) =>
      request.url.endsWith('/keys') ? Promise.reject(new TypeError('offline')) : undefined;
    expect(await refusal(vault.open('note', sealed))).toBe('vault_epoch_unknown');
    server.interfere = () => undefined;
    expect(await vault.openText('note', sealed)).toBe('Milk');
    expect(vault.status.epoch).toBe(2);
    otherVault.close();
    other.close();
  });

  it('under an earlier epoch than was seen is refused, and none is made', async () => {
    await vault.unlock();
    const old = await wrapped();
    const first = await vault.seal('note', 'Milk');
    server.contentKeys.get('vault')?.push(random());
    await vault.refresh();
    const second = await vault.seal('note', 'Bread');
    expect(await vault.openText('note', second)).toBe('Bread');
    expect(await vault.openText('note', first, { earlier: true })).toBe('Milk');
    // The server's keys of before.
    const newest = server.contentKeys.get('vault')?.pop();
    expect(await refusal(vault.refresh())).toBe('vault_epoch_rollback');
    expect(vault.status).toMatchObject({ epoch: 2, problem: 'vault_epoch_rollback' });
    // The device's keys of before, put back.
    await changeWrapped(() => old as Wrapped);
    await reopen();
    goOffline();
    await vault.unlock();
    expect(vault.status.epoch).toBe(1);
    expect(await refusal(vault.seal('new', 'Eggs'))).toBe('vault_epoch_rollback');
    server.interfere = () => undefined;
    server.contentKeys.get('vault')?.push(newest as Uint8Array);
    await vault.seal('new', 'Eggs');
    expect(vault.status.epoch).toBe(2);
  });
});

describe('a loss of rights', () => {
  it('makes the device forget, and the next key does not come', async () => {
    await vault.unlock();
    const sealed = await vault.seal('note', 'Milk');
    await grant();
    await until(() => expect(vault.status.state).toBe('not_granted'));
    await until(async () => expect(await wrapped()).toBeUndefined());
    expect(await refusal(vault.open('note', sealed))).toBe('vault_locked');
    expect(await refusal(vault.unlock())).toBe('not_granted');
    server.contentKeys.get('vault')?.push(random());
    await grant('vault');
    await vault.unlock();
    expect(await vault.openText('note', sealed)).toBe('Milk');
    expect(vault.status.epoch).toBe(2);
  });

  it('of one pack makes it forget that one', async () => {
    await vault.unlock();
    await grant('vault');
    await until(() => expect(vault.status.packs).toEqual([]));
    expect(vault.status.state).toBe('open');
    await until(async () => expect(Object.keys((await wrapped())?.features ?? {})).toEqual(['vault']));
  });

  it('that a closed page missed is heeded by the next one', async () => {
    await vault.unlock();
    vault.close();
    await grant();
    expect(await wrapped()).toBeDefined();
    await reopen();
    expect(await wrapped()).toBeUndefined();
  });

  it('by sign-out forgets keys and the transport key', async () => {
    await vault.unlock();
    await hf.signOut();
    await until(() => expect(vault.status.state).toBe('signed_out'));
    await until(async () => expect(await wrapped()).toBeUndefined());
    await until(async () => expect(await stored((store) => store.transportKey())).toBeUndefined());
  });

  it('is none while the document has merely ended: what is held opens, and nothing is sealed', async () => {
    await vault.unlock();
    const sealed = await vault.seal('note', 'Milk');
    goOffline();
    profile.pass(8 * 86_400_000);
    await reopen();
    expect(hf.entitlement.state).toBe('expired');
    await vault.unlock();
    expect(await vault.openText('note', sealed)).toBe('Milk');
    expect(await refusal(vault.seal('note', 'Bread'))).toBe('expired');
    expect(await refusal(vault.openPack('atlas', 'x'))).toBe('expired');
  });
});

describe('locking', () => {
  it('forgets, and keeps what was under way from finishing', async () => {
    await vault.unlock();
    const sealing = vault.seal('note', 'Milk');
    vault.lock();
    expect(await refusal(sealing)).toBe('vault_locked');
    expect(vault.status.state).toBe('locked');
    const unlocking = vault.unlock();
    vault.lock();
    expect(await refusal(unlocking)).toBe('vault_locked');
    expect(vault.status.state).toBe('locked');
  });

  it('comes with the lock of the page', async () => {
    await vault.unlock();
    await hf.lock();
    await until(() => expect(vault.status.state).toBe('locked'));
    expect(await refusal(vault.unlock())).toBe('locked');
  });

  it('comes when the page is hidden, if wanted', async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    vi.stubGlobal('document', page);
    await reopen({ onHide: true });
    await vault.unlock();
    page.visibilityState = 'hidden';
    page.dispatchEvent(new Event('visibilitychange'));
    expect(vault.status.state).toBe('locked');
  });

  it('comes after idle time, and is reported', async () => {
    await reopen({ idle: 60_000 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    await vault.unlock();
    const heard = vi.fn();
    vault.subscribe(heard);
    profile.pass(30_000);
    vi.advanceTimersByTime(30_000);
    expect(vault.status.state).toBe('open');
    profile.pass(40_000);
    vi.advanceTimersByTime(40_000);
    vi.useRealTimers();
    await until(() => expect(vault.status.state).toBe('locked'));
    await until(() => expect(heard).toHaveBeenCalled());
  });
});

describe('a content pack', () => {
  const pack = async (header: object, key = server.contentKeys.get('atlas')?.[0] as Uint8Array) =>
    new CompactEncrypt(new TextEncoder().encode('maps'))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
      .encrypt(key);

  it('opens with the key of its epoch, fetched when it is new', async () => {
    await vault.unlock();
    const open = async (jwe: string) => new TextDecoder().decode(await vault.openPack('atlas', jwe));
    expect(await open(await pack({ kid: 'atlas.1' }))).toBe('maps');
    const next = random();
    server.contentKeys.get('atlas')?.push(next);
    expect(await open(await pack({ kid: 'atlas.2' }, next))).toBe('maps');
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'atlas.3' })))).toBe('vault_epoch_unknown');
  });

  it('is refused with its code', async () => {
    await vault.unlock();
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'vault.1' })))).toBe('vault_id_mismatch');
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'atlas' })))).toBe('header_invalid');
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'atlas.1', zip: undefined, cty: 'x' })))).toBe(
      'header_invalid',
    );
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'atlas.1' }, random())))).toBe('vault_tampered');
    expect(await refusal(vault.openPack('atlas', 'a.b'))).toBe('malformed');
    expect(await refusal(vault.openPack('export', await pack({ kid: 'export.1' })))).toBe('not_granted');
    await grant('vault');
    expect(await refusal(vault.openPack('atlas', await pack({ kid: 'atlas.1' })))).toBe('not_granted');
  });

  it('mutated at random never opens, and is refused with one of the codes', async () => {
    await vault.unlock();
    const jwe = await pack({ kid: 'atlas.1' });
    const alphabet = 'ABCabc019-_.=';
    const below = (bound: number) => Math.floor(Math.random() * bound);
    for (let n = 0; n < 200; n++) {
      const at = below(jwe.length);
      const mutated = jwe.slice(0, at) + alphabet[below(alphabet.length)] + jwe.slice(at + below(3));
      if (mutated === jwe) continue;
      expect(await refusal(vault.openPack('atlas', mutated)), mutated).toMatch(
        /^(malformed|header_invalid|vault_(id_mismatch|tampered|epoch_unknown))$/,
      );
    }
  });
});

it('a closed client closes the vault', async () => {
  await vault.unlock();
  hf.close();
  expect(await refusal(vault.seal('note', 'Milk'))).toBe('closed');
  expect(await refusal(vault.unlock())).toBe('closed');
  await expect(openVault(hf).then(({ seal }) => seal)).resolves.toBeDefined();
  await reload(hf);
});
