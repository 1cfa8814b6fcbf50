import { Fieldbook } from './support/fieldbook.ts';
import type { Meddling } from './support/gateway.ts';
import { expect, test } from './support/test.ts';

const page =
  (status: number, type: string, body: string): Meddling =>
  () => ({
    status,
    headers: { 'content-type': type },
    body: Buffer.from(body),
  });

/** Whatever the network does to a reconcile, only a signed document takes premium away. */
const weather: Record<string, Meddling> = {
  "a captive portal's page": page(
    200,
    'text/html',
    '<!doctype html><title>Free Wi-Fi</title><h1>Accept the terms</h1>',
  ),
  "a captive portal's page that calls itself JSON": page(200, 'application/json', '<!doctype html>'),
  'an answer without a document': page(200, 'application/json', '{}'),
  'a document of null': page(200, 'application/json', '{"document":null,"lineage":null,"passkeys":null}'),
  'a server error': page(500, 'application/problem+json', '{"status":500,"code":"internal","title":"Internal error"}'),
  'an overloaded proxy': page(503, 'text/plain', 'upstream connect error'),
  'a proxy that answers 403': page(403, 'text/html', '<h1>Forbidden</h1>'),
  'a login page of a proxy': page(302, 'text/html', ''),
  'a connection cut in the middle of the answer': () => null,
};

test('premium stays whatever answers instead of the server', async ({ page: tab, gateway }) => {
  const fieldbook = new Fieldbook(tab, gateway.server.origin);
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  await fieldbook.installed();

  for (const [what, meddling] of Object.entries(weather)) {
    await test.step(what, async () => {
      gateway.meddling = meddling;
      expect(await fieldbook.checkNow()).toBe('The server cannot be reached right now. What you have keeps working.');
      await fieldbook.expectPremium();
      await tab.reload();
      await fieldbook.expectPremium();
    });
  }

  // The lost answers have not harmed the device.
  gateway.meddling = null;
  expect(await fieldbook.checkNow()).toBe('Up to date.');
  await gateway.server.support('revoke', 'Ada');
  await fieldbook.checkNow();
  await fieldbook.expectWithoutPremium('Support has ended this subscription');
});

test('the app opens although the first request for its roots is never answered', async ({ page, server }) => {
  let asked = 0;
  await page.route('**/roots.json', async (route) => {
    if (asked++) await route.continue();
  });
  const fieldbook = new Fieldbook(page, server.origin);
  await fieldbook.open();
  await expect(page.getByRole('button', { name: 'Create account' })).toBeVisible({ timeout: 60_000 });
  expect(asked).toBeGreaterThan(0);
});
