import type { BrowserContext } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { expect, test } from './support/test.ts';

const streams = (requests: string[]) => requests.filter((request) => request === 'GET /v1/events').length;
const reconciles = (requests: string[]) => requests.filter((request) => request === 'POST /v1/reconcile').length;

/** Ada's premium in two tabs of one browser. */
async function twoTabs(context: BrowserContext, origin: string): Promise<[Fieldbook, Fieldbook]> {
  const first = new Fieldbook(await context.newPage(), origin);
  await first.open();
  await first.createAccount('Ada');
  await first.write('Kept', '');
  await first.startTrial();
  const second = await first.openOn(await context.newPage());
  await second.toAccount();
  await second.expectPremium();
  return [first, second];
}

test('an action of support reaches an idle open page', async ({ fieldbook, server, page }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  await server.support('revoke', 'Ada');
  await fieldbook.expectWithoutPremium('Support has ended this subscription');
  await server.support('reinstate', 'Ada');
  await fieldbook.expectPremium();

  // Also after the server was down: the page reconnects automatically.
  await page.evaluate(() => {
    Math.random = () => 0;
  });
  await server.stop();
  await server.start();
  await server.support('revoke', 'Ada');
  await fieldbook.expectWithoutPremium('Support has ended this subscription');
});

test('one tab receives events for all, and another takes over when it closes', async ({ context, gateway }) => {
  const { requests, server } = gateway;
  const [first, second] = await twoTabs(context, server.origin);
  await expect.poll(() => streams(requests)).toBeGreaterThan(0);
  const opened = streams(requests);
  // Now no run is left that the start of a tab asked for.
  for (const tab of [first, second]) await tab.checkNow();

  let asked = reconciles(requests);
  await server.support('revoke', 'Ada');
  for (const tab of [first, second]) await tab.expectWithoutPremium('Support has ended this subscription');
  expect(reconciles(requests)).toBe(asked + 1);
  expect(streams(requests)).toBe(opened);

  await first.page.close();
  await expect.poll(() => streams(requests)).toBe(opened + 1);
  asked = reconciles(requests);
  await server.support('reinstate', 'Ada');
  await second.expectPremium();
  expect(reconciles(requests)).toBe(asked + 1);
  expect(streams(requests)).toBe(opened + 1);
});

test('an ended session is checked once', async ({ context, gateway }) => {
  const { requests, server } = gateway;
  const [first, second] = await twoTabs(context, server.origin);
  await second.page.close();
  // The open stream still has its session. A page opened now has none.
  await context.clearCookies();
  const asked = () => requests.filter((request) => request === 'GET /v1/session').length;
  await first.page.goto('about:blank'); // ends the requests of the account page
  const before = { opened: streams(requests), asked: asked() };
  await first.page.goto(`${server.origin}/#/`); // the account page would send its own request
  await expect.poll(() => asked() - before.asked).toBe(1);
  await first.toAccount();
  await first.expectPremium();
  expect(streams(requests)).toBe(before.opened + 1);
});
