import { Fieldbook } from './support/fieldbook.ts';
import { claimsOf } from './support/jws.ts';
import { expect, test } from './support/test.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Ada with premium, and the app installed, on a device whose clock is off. */
async function openPremium(fieldbook: Fieldbook, off = 0): Promise<number> {
  await fieldbook.page.clock.install({ time: Date.now() + off });
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  await fieldbook.installed();
  const { exp } = claimsOf(await fieldbook.held<string>('document'));
  return (exp as number) * 1000;
}

async function reloadAt({ page }: Fieldbook, time: number): Promise<void> {
  await page.clock.setSystemTime(time);
  await page.reload();
}

test('a clock eight days ahead at the last contact, then set right, keeps premium no longer than support is told', async ({
  fieldbook,
  server,
  page,
}) => {
  const end = await openPremium(fieldbook, 8 * day);
  // The device does not learn of the revoke.
  await page.goto('about:blank');
  const { offline_until } = await server.support('revoke', 'Ada');
  const told = Date.parse(offline_until ?? '');
  expect(told).toBeGreaterThanOrEqual(end + day);
  expect(told).toBeLessThan(end + day + 1_000);
  await server.stop();
  await page.clock.setSystemTime(end - minute);
  await page.goto(`${server.origin}/`);
  await fieldbook.toAccount();
  await fieldbook.expectPremium();
  await reloadAt(fieldbook, told + minute);
  await fieldbook.expectWithoutPremium('Connect to renew premium');
  await reloadAt(fieldbook, end + 1.5 * day);
  await fieldbook.expectWithoutPremium('Connect to renew premium');
});

test('a clock a year behind at the first contact, then set right offline, is believed', async ({
  fieldbook,
  server,
}) => {
  await openPremium(fieldbook, -365 * day);
  await server.stop();
  await fieldbook.page.reload();
  await fieldbook.expectWithoutPremium("This device's clock is behind by 365 days or more");
  await fieldbook.page.clock.setSystemTime(Date.now());
  await fieldbook.page.clock.runFor(2_000);
  await fieldbook.expectPremium();
  await fieldbook.page.reload();
  await fieldbook.expectPremium();
});

test('a clock that jumps two hours ahead and back has no lasting effect', async ({ fieldbook, server, page }) => {
  await openPremium(fieldbook);
  await server.stop();
  await reloadAt(fieldbook, Date.now() + 2 * hour);
  await page.clock.fastForward(minute);
  await fieldbook.expectPremium();
  await expect.poll(async () => (await fieldbook.held<{ jump?: object }>('time')).jump).toBeDefined();
  await page.clock.setSystemTime(Date.now() + minute);
  await page.clock.runFor(2_000);
  await fieldbook.expectPremium();
  await page.reload();
  await fieldbook.expectPremium();
});

test('a clock set back is reported with its error, and premium returns once it is right', async ({
  fieldbook,
  server,
  page,
}) => {
  await openPremium(fieldbook);
  await server.stop();
  await page.clock.setSystemTime(Date.now() - 6 * hour);
  await page.clock.fastForward(minute);
  await fieldbook.expectWithoutPremium("This device's clock is behind by 6 hours or more");
  await expect(fieldbook.line).toContainText('behind by 6 hours or more. Set it right, or connect.');
  await expect(fieldbook.plan).toContainText('Set the clock right, and premium is back at once, offline too.');

  // Also across a restart, and without a reload.
  await page.reload();
  await fieldbook.expectWithoutPremium("This device's clock is behind by 6 hours or more");
  await page.clock.setSystemTime(Date.now() + minute);
  await page.clock.runFor(2_000);
  await fieldbook.expectPremium();
});

test('an unexpected lock causes a reconcile within minutes, even without push', async ({ page, server }) => {
  const fieldbook = new Fieldbook(page, server.origin);
  await page.route('**/v1/events', (route) => route.abort());
  await page.clock.install();
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * day));
  await fieldbook.toAccount();
  await fieldbook.checkNow();
  await fieldbook.expectPremium();

  // The answer of a server whose clock is weeks ahead for a while: the subscription is over, though nobody has ended it.
  await server.subscribe('Ada', 'premium', new Date(Date.now() - 10 * day));
  await fieldbook.checkNow();
  await fieldbook.expectWithoutPremium('Your subscription is over');
  await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * day));
  await page.clock.fastForward(3 * minute);
  await fieldbook.expectPremium();
});
