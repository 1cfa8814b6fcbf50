import { generateKeyPairSync } from 'node:crypto';
import type { Fieldbook } from './support/fieldbook.ts';
import { claimsOf, signed, withClaims } from './support/jws.ts';
import { expect, test } from './support/test.ts';

interface Passkey {
  id: string;
  jwk: JsonWebKey;
}

/** The points of order 1, 2, 4 and 8 that an Ed25519 public key must not be (RFC 8032 §5.1, encoded little-endian). */
const smallOrder = {
  'the neutral element': `01${'00'.repeat(31)}`,
  'order 2': `ec${'ff'.repeat(30)}7f`,
  'order 4': '00'.repeat(32),
  'order 8': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
};

test.beforeEach(async ({ fieldbook }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.startTrial();
  await fieldbook.installed();
});

/** The page has refused the tap and says so. Refusals by the browser are reported by the browser. */
async function expectShut(fieldbook: Fieldbook, by: 'page' | 'browser' = 'page'): Promise<void> {
  await expect(fieldbook.page.getByRole('alert').filter({ hasText: /./ })).toHaveCount(by === 'page' ? 1 : 0);
  await expect(fieldbook.unlock).toBeEnabled();
  expect(await fieldbook.page.content()).not.toMatch(/Hut, key|third stone/);
}

async function expectOpens(fieldbook: Fieldbook): Promise<void> {
  await fieldbook.unlock.click();
  await expect(fieldbook.headline).toBeVisible();
  expect(await fieldbook.read('Hut, key')).toBe('Under the third stone');
}

test("another user's passkey does not open it, the owner's does", async ({ fieldbook, server, elsewhere }) => {
  const grace = await fieldbook.openOn(elsewhere, []);
  await grace.createAccount('Grace');
  const theirs = await grace.passkeys();
  const own = await fieldbook.passkeys();
  await server.stop();
  await fieldbook.lockNow();

  await fieldbook.holdPasskeys(theirs);
  await fieldbook.unlock.click();
  await expectShut(fieldbook, 'browser');

  await test.step('nor with the id and the name of the right passkey', async () => {
    const [right] = own;
    const { credentialId, userHandle } = right as (typeof own)[number];
    await fieldbook.holdPasskeys(
      theirs.map((passkey) => ({ ...passkey, credentialId, ...(userHandle && { userHandle }) })),
    );
    await fieldbook.unlock.click();
    await expectShut(fieldbook);
  });

  await fieldbook.holdPasskeys(own);
  await expectOpens(fieldbook);
});

test('a tap without user verification does not open it', async ({ fieldbook, server, page }) => {
  const own = await fieldbook.passkeys();
  await server.stop();
  await fieldbook.lockNow();
  await fieldbook.holdPasskeys(own, { verifying: false });
  await fieldbook.unlock.click();
  await expectShut(fieldbook, 'browser');

  await test.step('nor if the browser lets it pass', async () => {
    await page.evaluate(() => {
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = (options) =>
        get({ ...options, publicKey: { ...options?.publicKey, userVerification: 'discouraged' } as never });
    });
    await fieldbook.unlock.click();
    await expectShut(fieldbook);
    await page.reload();
  });
  await fieldbook.holdPasskeys(own);
  await expectOpens(fieldbook);
});

test('a tampered passkeys document opens for nobody, and a reconcile replaces it', async ({ fieldbook, server }) => {
  const held = await fieldbook.held<string>('passkeys');
  const key = await server.signingKey();
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [own] = claimsOf(held).passkeys as Passkey[];
  const forged = (jwk: JsonWebKey) => ({ ...claimsOf(held), passkeys: [{ ...own, jwk }] });
  const { kty, crv, x, y } = stranger.publicKey.export({ format: 'jwk' });
  const strangers = { kty, crv, x, y, alg: 'ES256' } as JsonWebKey;

  await server.stop();
  await fieldbook.lockNow();
  const tampered: Record<string, string> = {
    'edited under the old signature': withClaims(held, forged(strangers)),
    'signed by a stranger': signed(
      forged(strangers),
      { jwk: stranger.privateKey.export({ format: 'jwk' }), kid: key.kid },
      'passkeys+jwt',
    ),
    'of another device': signed(
      { ...claimsOf(held), device: '00000000-0000-4000-8000-000000000000' },
      key,
      'passkeys+jwt',
    ),
    'an entitlement document': await fieldbook.held<string>('document'),
  };
  // Keys under which anybody can sign; not even the server's own signature makes them acceptable.
  for (const [what, point] of Object.entries(smallOrder)) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', x: Buffer.from(point, 'hex').toString('base64url') };
    tampered[`an Ed25519 key of small order: ${what}`] = signed(forged(jwk), key, 'passkeys+jwt');
  }
  for (const [what, document] of Object.entries(tampered)) {
    await test.step(what, async () => {
      await fieldbook.forge('passkeys', document);
      await fieldbook.page.reload();
      await fieldbook.unlock.click();
      await expectShut(fieldbook);
    });
  }

  await test.step('the genuine document again', async () => {
    await fieldbook.forge('passkeys', held);
    await fieldbook.page.reload();
    await expectOpens(fieldbook);
  });
});

test('the passkeys document is sent once, and again after a loss', async ({ fieldbook, page }) => {
  const reconciled = async () => {
    const answer = page.waitForResponse((response) => response.url().endsWith('/v1/reconcile') && response.ok());
    await page.reload();
    const { passkeys } = await (await answer).json();
    await fieldbook.settled();
    return passkeys;
  };
  const held = await fieldbook.held<string>('passkeys');
  expect(await reconciled()).toBeUndefined();
  expect(await fieldbook.held('passkeys')).toBe(held);

  await fieldbook.forge('passkeys', 'damaged');
  const sent = await reconciled();
  expect(claimsOf(sent).passkeys).toEqual(claimsOf(held).passkeys);
  expect(await fieldbook.held('passkeys')).toBe(sent);
});

test('the notes open for their owner with premium over and the clock behind', async ({ fieldbook, server, page }) => {
  const { exp } = claimsOf(await fieldbook.held<string>('document'));
  await server.stop();
  await page.clock.install({ time: (exp + 400 * 86_400) * 1000 });
  await page.reload();
  await fieldbook.expectWithoutPremium('Your trial has ended, as far as this device knows');
  await fieldbook.lockNow();
  await page.reload();
  await expectOpens(fieldbook);

  await fieldbook.toAccount();
  await fieldbook.lockNow();
  await page.clock.setSystemTime((exp - 30 * 86_400) * 1000);
  await page.reload();
  await expectOpens(fieldbook);
});
