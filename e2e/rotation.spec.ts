import { generateKeyPairSync } from 'node:crypto';
import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { type Gateway, withMembers } from './support/gateway.ts';
import { claimsOf, keysetOf, type SigningKey, signed, signerOf } from './support/jws.ts';
import { expect, test } from './support/test.ts';

const upToDate = 'Up to date.';

/** The installed app of a new user with premium, which also opens without network. */
async function withPremium(page: Page, gateway: Gateway): Promise<Fieldbook> {
  const fieldbook = new Fieldbook(page, gateway.server.origin);
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Still here');
  await fieldbook.startTrial();
  await fieldbook.installed();
  return fieldbook;
}

/** Another device of the user, in a separate profile. */
async function onAnother(page: Page, first: Fieldbook): Promise<Fieldbook> {
  const other = await first.openOn(page);
  await other.signIn();
  await other.write('Elsewhere', '');
  await other.toAccount();
  await other.expectPremium();
  await other.installed();
  return other;
}

/** The same device after a while: only its profile is left. */
async function reopened(device: Fieldbook): Promise<Fieldbook> {
  const page = await device.page.context().newPage();
  await page.goto(`${device.origin}/#/account`);
  return new Fieldbook(page, device.origin);
}

/** The documents that a device can verify without network. */
async function holdings(device: Fieldbook) {
  return { document: await device.held<string>('document'), keyset: await device.held<string>('keyset') };
}

/** Replaces parts of the server's answers, and expects the device to keep its documents and report the code. */
async function expectRefused(device: Fieldbook, gateway: Gateway, code: string, members: (document: string) => object) {
  const before = await holdings(device);
  gateway.meddling = (answer) => withMembers(answer, ({ document = '' }) => members(document));
  expect(await device.checkNow()).toContain(`(${code})`);
  expect(await holdings(device)).toEqual(before);
  await device.expectPremium();
  gateway.meddling = null;
}

/** Publishes the next signing key, which signs after a delay, and returns its kid. */
async function rotate({ server }: Gateway, lead: string): Promise<string> {
  await server.keys('rotate', '--lead', lead);
  await server.takeKeyset();
  const [newest] = await server.signingKeys();
  return newest?.kid ?? '';
}

async function switched({ server }: Gateway, kid: string): Promise<void> {
  await expect.poll(async () => (await server.signingKey()).kid, { timeout: 60_000 }).toBe(kid);
}

test('premium continues before, during and after a rotation, and after two missed ones', async ({
  page,
  elsewhere,
  gateway,
}) => {
  const { server } = gateway;
  const device = await withPremium(page, gateway);
  const first = (await server.signingKey()).kid;
  const asleep = await onAnother(elsewhere, device);
  const slept = await holdings(asleep);
  await asleep.page.close();

  await test.step('before: the first key signs everything', async () => {
    expect(signerOf((await holdings(device)).document)).toBe(first);
  });

  let next = '';
  await test.step('during: the next key is published, and does not sign', async () => {
    next = await rotate(gateway, '15s'); // longer than any step below may take
    expect(await device.checkNow()).toBe(upToDate);
    const { document, keyset } = await holdings(device);
    expect(keysetOf(keyset).keys.map(({ kid }) => kid)).toEqual([first, next]);
    expect(signerOf(document)).toBe(first);
    await device.expectPremium();
  });

  await test.step('after: documents under it verify with the keyset already held', async () => {
    await switched(gateway, next);
    let answered = '';
    gateway.meddling = (answer) => {
      answered = answer.body.toString('utf8');
      return answer;
    };
    expect(await device.checkNow()).toBe(upToDate);
    gateway.meddling = null;
    expect(JSON.parse(answered)).not.toHaveProperty('keyset');
    expect(signerOf((await holdings(device)).document)).toBe(next);
    gateway.down = true;
    await page.reload();
    await device.expectPremium();
    gateway.down = false;
  });

  await test.step('a second rotation', async () => {
    next = await rotate(gateway, '0s');
    await switched(gateway, next);
    expect(await device.checkNow()).toBe(upToDate);
    expect(signerOf((await holdings(device)).document)).toBe(next);
    await device.expectPremium();
  });

  await test.step('a device that slept has premium before and after its reconcile', async () => {
    gateway.down = true;
    const awake = await reopened(asleep);
    await awake.expectPremium();
    await expect(awake.line).toContainText('Premium until');
    expect(await holdings(awake)).toEqual(slept);

    gateway.down = false;
    expect(await awake.checkNow()).toBe(upToDate);
    await awake.expectPremium();
    const { document, keyset } = await holdings(awake);
    expect(signerOf(document)).toBe(next);
    expect(keyset).toBe(await server.servedKeyset());
    expect(keysetOf(keyset).keys.map(({ kid }) => kid)).toContain(first); // documents under it are still valid elsewhere
  });
});

test('a document under a withdrawn key ends as the device reconciles, and the stolen key is useless', async ({
  page,
  gateway,
}) => {
  const { server } = gateway;
  const device = await withPremium(page, gateway);
  const stolen = await server.signingKey();
  const old = await holdings(device);
  await server.keys('retire', stolen.kid, '--replace');
  await server.takeKeyset();

  await test.step('without the network the document lasts to its end', async () => {
    gateway.down = true;
    await page.reload();
    await device.expectPremium();
    expect(await holdings(device)).toEqual(old);
    gateway.down = false;
  });

  await test.step('with the network, a document under another key replaces it at once', async () => {
    expect(await device.checkNow()).toBe(upToDate);
    const { document, keyset } = await holdings(device);
    expect(signerOf(document)).toBe((await server.signingKey()).kid);
    expect(keysetOf(keyset).keys.map(({ kid }) => kid)).not.toContain(stolen.kid);
    await device.expectPremium();
  });

  await test.step('the stolen key cannot sign for this device any more', async () => {
    const forged = (document: string) => signed(claimsOf(document), stolen);
    await expectRefused(device, gateway, 'key_unknown', (document) => ({ document: forged(document) }));
    await expectRefused(device, gateway, 'keyset_rollback', (document) => ({
      document: forged(document),
      keyset: old.keyset,
    }));
  });

  await test.step('the old document does not count when put back by hand', async () => {
    gateway.down = true;
    await device.forge('document', old.document);
    await page.reload();
    await device.expectWithoutPremium('Connect to see what you have');
    await expect(device.plan).toContainText('(key_unknown)');
    await device.forge('keyset', old.keyset);
    await page.reload();
    await device.expectWithoutPremium('Connect to see what you have');
    await expect(device.plan).toContainText('(keyset_rollback)');
    expect(await device.read('Kept')).toBe('Still here');
  });

  await test.step('the next contact restores the document', async () => {
    gateway.down = false;
    await device.toAccount();
    expect(await device.checkNow()).toBe(upToDate);
    await device.expectPremium();
  });
});

test('a hostile server cannot make a device accept an old or a forged keyset', async ({ page, gateway }) => {
  const { server } = gateway;
  const device = await withPremium(page, gateway);
  const { keyset: recorded } = await holdings(device);
  await switched(gateway, await rotate(gateway, '0s'));
  expect(await device.checkNow()).toBe(upToDate);
  const { keyset: held } = await holdings(device);
  expect(keysetOf(held).version).toBeGreaterThan(keysetOf(recorded).version);

  const root = await server.rootKey();
  const keyset = (change: object, by: SigningKey = root) => signed({ ...keysetOf(held), ...change }, by, 'keyset+jwt');
  const above = keysetOf(held).version + 1;
  for (const [what, code, fed] of [
    ['a recorded one', 'keyset_rollback', recorded],
    ['another of the same version', 'keyset_rollback', keyset({})],
    ['a newer one that has ended', 'keyset_expired', keyset({ version: above, iat: 1, exp: 2 })],
    ["another server's", 'issuer_mismatch', keyset({ version: above, iss: 'https://elsewhere.example' })],
    ["a stranger's", 'root_unknown', keyset({ version: above }, strangeRoot())],
  ] as const) {
    await test.step(what, () => expectRefused(device, gateway, code, () => ({ keyset: fed })));
  }

  await test.step('none of these keysets has harmed the device', async () => {
    gateway.down = true;
    await page.reload();
    await device.expectPremium();
    gateway.down = false;
    expect(await device.checkNow()).toBe(upToDate);
    await device.expectPremium();
    expect((await holdings(device)).keyset).toBe(held);
  });
});

test('a root switch cannot be rolled back', async ({ page, elsewhere, gateway }) => {
  const { server } = gateway;
  const device = await withPremium(page, gateway);
  const asleep = await onAnother(elsewhere, device);
  const slept = await holdings(asleep);
  await asleep.page.close();
  const oldRoot = await server.rootKey();
  const { keyset: recorded } = await holdings(device);

  await test.step('the next root arrives as an ordinary update of the app', async () => {
    await server.keys('root-next');
    const oldRoots = await device.page.evaluate(async () => (await fetch('/roots.json')).text());
    await server.restart();
    expect(await device.checkNow()).toBe(upToDate);

    // A half-finished rollout has one server's sw.js and another's roots.json.
    gateway.meddlings.set('/roots.json', (answer) => ({ ...answer, body: Buffer.from(oldRoots) }));
    expect(await device.findNewVersion()).toBe(false);
    gateway.meddlings.clear();
    await page.reload();
    await device.expectPremium();
    expect(await device.embeddedRoots()).toBe(1);

    expect(await device.findNewVersion()).toBe(true);
    await device.takeNewVersion();
    expect(await device.embeddedRoots()).toBe(2);
    expect(await device.checkNow()).toBe(upToDate);
    await device.expectPremium();
    expect((await holdings(device)).keyset).toBe(recorded);
  });

  await test.step('the next root signs the keyset', async () => {
    await server.keys('root-next', '--switch');
    const keyset = await server.takeKeyset();
    expect(signerOf(keyset)).not.toBe(oldRoot.kid);
    expect(await device.checkNow()).toBe(upToDate);
    expect((await holdings(device)).keyset).toBe(keyset);
    await device.expectPremium();
  });

  const byOldRoot = signed({ ...keysetOf(recorded), version: 1_000_000 }, oldRoot, 'keyset+jwt');
  await test.step('past and future keysets of the old root are refused', async () => {
    await expectRefused(device, gateway, 'keyset_rollback', () => ({ keyset: recorded }));
    await expectRefused(device, gateway, 'keyset_rollback', () => ({ keyset: byOldRoot }));
  });

  await test.step('a device that slept through it keeps premium, and follows with the update', async () => {
    gateway.down = true;
    const awake = await reopened(asleep);
    await awake.expectPremium();
    gateway.down = false;

    expect(await awake.embeddedRoots()).toBe(1);
    expect(await awake.checkNow()).toContain('(root_unknown)');
    await awake.expectPremium();
    expect(await holdings(awake)).toEqual(slept);

    await awake.findNewVersion();
    await awake.takeNewVersion();
    expect(await awake.embeddedRoots()).toBe(2);
    expect(await awake.checkNow()).toBe(upToDate);
    await awake.expectPremium();
    expect((await holdings(awake)).keyset).toBe(await server.servedKeyset());
    await expectRefused(awake, gateway, 'keyset_rollback', () => ({ keyset: byOldRoot }));
  });

  await test.step('the old root is removed', async () => {
    await server.keys('root-next', '--promote');
    await server.restart();
    expect(await device.findNewVersion()).toBe(true);
    await device.takeNewVersion();
    expect(await device.embeddedRoots()).toBe(1);
    expect(await device.checkNow()).toBe(upToDate);
    await device.expectPremium();
    await expectRefused(device, gateway, 'root_unknown', () => ({ keyset: byOldRoot }));
  });
});

test('a keyset of the next root outranks all of the current one, whatever the versions', async ({ page, gateway }) => {
  const { server } = gateway;
  await server.keys('root-next');
  await server.restart();
  await rotate(gateway, '0s');
  const device = await withPremium(page, gateway);
  const { keyset: held } = await holdings(device);
  expect(keysetOf(held).version).toBeGreaterThan(1);
  const next = await server.rootKey('next');
  const byNext = signed({ ...keysetOf(held), version: 1 }, next, 'keyset+jwt');

  gateway.meddling = (answer) => withMembers(answer, () => ({ keyset: byNext }));
  expect(await device.checkNow()).toBe(upToDate);
  gateway.meddling = null;
  expect((await holdings(device)).keyset).toBe(byNext);
  await device.expectPremium();
  await expectRefused(device, gateway, 'keyset_rollback', () => ({ keyset: held }));

  await server.keys('root-next', '--switch');
  await server.takeKeyset();
  expect(await device.checkNow()).toBe(upToDate);
  await device.expectPremium();
});

function strangeRoot(): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { jwk: privateKey.export({ format: 'jwk' }), kid: 'strange' };
}
