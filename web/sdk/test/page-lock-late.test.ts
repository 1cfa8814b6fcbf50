import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Holdfast } from '../src/index.ts';
import { asCredential, Profile, reload, stubPasskeys } from './support/device.ts';
import { FakeServer } from './support/fake-server.ts';
import { SoftPasskey } from './support/soft-passkey.ts';

// The file that locks and opens pages loads, but not at the first attempt.
const file = vi.hoisted(() => ({ arrives: true }));
vi.mock('../src/sign-in.ts', async (original) => {
  const parts = await original<typeof import('../src/sign-in.ts')>();
  return {
    get Account() {
      if (!file.arrives) throw new TypeError('no such file');
      return parts.Account;
    },
    linkDevice: parts.linkDevice,
    sayFarewell: parts.sayFarewell,
  };
});

let server: FakeServer;
let profile: Profile;

const pageOrigin = 'https://app.holdfast.test';

beforeEach(async () => {
  const credentials = stubPasskeys();
  vi.stubGlobal('location', { origin: pageOrigin });
  server = await FakeServer.create();
  profile = new Profile(server);
  const passkey = await SoftPasskey.create();
  server.bendPasskeys = (claims) => ({ ...claims, passkeys: [passkey.entry] });
  credentials.get.mockImplementation((async ({ publicKey }: { publicKey: { challenge: Uint8Array; rpId: string } }) => {
    const json = await passkey.assert({ challenge: publicKey.challenge, origin: pageOrigin, rpId: publicKey.rpId });
    return asCredential(json);
  }) as never);
});

afterEach(() => {
  file.arrives = true;
  profile.close();
  vi.unstubAllGlobals();
});

/** A page that started while the file was unavailable; it is available now. */
async function openLate(): Promise<Holdfast> {
  profile.close();
  file.arrives = false;
  const hf = await profile.open();
  expect(hf.locked).toBe(true);
  file.arrives = true;
  return hf;
}

it('a page that starts locked stays locked when the file arrives late', async () => {
  const hf = await profile.openPremium();
  await hf.setLock({ onStart: true });
  const late = await openLate();
  await reload(late);
  await reload(late);
  expect(late.locked).toBe(true);
});

it('a page idle for too long stays locked when the file arrives late', async () => {
  const hf = await profile.openPremium();
  await hf.setLock({ idle: 300_000 });
  await vi.waitFor(async () => expect((await profile.held()).active).toBeDefined());
  profile.clock += 3_600_000;
  const late = await openLate();
  await reload(late);
  expect(late.locked).toBe(true);
});

it('a page without a reason to lock opens then', async () => {
  const hf = await profile.openPremium();
  await hf.setLock({ idle: 300_000 });
  await vi.waitFor(async () => expect((await profile.held()).active).toBeDefined());
  const late = await openLate();
  await reload(late);
  expect(late.locked).toBe(false);
});

it.each<[string, (hf: Holdfast) => Promise<void>]>([
  ['on start', (hf) => hf.setLock({ onStart: true })],
  ['by hand', (hf) => hf.lock()],
])('a page locked %s opens with the first passkey used', async (_, lock) => {
  await lock(await profile.openPremium());
  const late = await openLate();
  await late.unlock();
  expect(late.locked).toBe(false);
  await reload(late);
  expect(late.locked).toBe(false);
});
