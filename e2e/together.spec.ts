import type { BrowserContext } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import type { Gateway } from './support/gateway.ts';
import { expect, test } from './support/test.ts';
import { WatchedWorker } from './support/watched-worker.ts';

const reconciles = ({ requests }: Gateway) => requests.filter((request) => request === 'POST /v1/reconcile').length;

async function openPremium(context: BrowserContext, { server }: Gateway): Promise<Fieldbook> {
  const fieldbook = new Fieldbook(await context.newPage(), server.origin);
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  await fieldbook.installed();
  return fieldbook;
}

/** The delay before a tab sends a request when the browser is online: half a second plus 4.5 times `drawn`. */
async function draws({ page }: Fieldbook, drawn: number): Promise<void> {
  await page.evaluate((drawn) => {
    Math.random = () => drawn;
  }, drawn);
}

/** Wakes the worker again: it may not be online yet, in which case the browser wakes it again too. */
async function woken(worker: WatchedWorker): Promise<void> {
  await worker.sync();
  await worker.ended();
}

for (const [who, inTab, inWorker] of [
  ['a tab comes first', 0, 0.1],
  ['the worker comes first', 0.5, 0],
  ['all come at the same moment', 0, 1 / 60],
] as const) {
  test(`two tabs and the worker regain contact at once, ${who}: one request`, async ({ context, gateway }) => {
    const first = await openPremium(context, gateway);
    const second = await first.openOn(await context.newPage());
    await second.toAccount();
    await second.expectPremium();
    const worker = await WatchedWorker.of(context, second.page);
    for (const tab of [first, second]) await draws(tab, inTab);
    await worker.draws(inWorker);

    await context.setOffline(true);
    expect(await first.checkNow()).toContain('cannot be reached');
    // The browser's own wake-up found no contact.
    await worker.ended();
    const before = await first.held('document');
    const asked = reconciles(gateway);

    await Promise.all([context.setOffline(false), worker.sync()]);
    await expect.poll(() => first.held('document')).not.toBe(before);
    await worker.ended();
    // No client sends a request later than this.
    await second.page.waitForTimeout(5_000);
    expect(reconciles(gateway)).toBe(asked + 1);
  });
}

test('the worker takes a new document for a closed page', async ({ context, gateway }) => {
  const fieldbook = await openPremium(context, gateway);
  const worker = await WatchedWorker.of(context, fieldbook.page);
  await worker.draws(0);
  await context.setOffline(true);
  await fieldbook.checkNow();
  await fieldbook.page.close();
  await worker.ended();
  await gateway.server.support('revoke', 'Ada');
  await context.setOffline(false);
  const asked = reconciles(gateway);
  // The browser may also wake it, and then it sends more than one request.
  await expect.poll(() => woken(worker).then(() => reconciles(gateway))).toBeGreaterThan(asked);

  await context.setOffline(true);
  const later = new Fieldbook(await context.newPage(), gateway.server.origin);
  await later.open();
  await later.toAccount();
  await later.expectWithoutPremium('Support has ended this subscription');
});

test('the worker completes the offline sign-out of a closed page', async ({ context, gateway }) => {
  const fieldbook = await openPremium(context, gateway);
  const worker = await WatchedWorker.of(context, fieldbook.page);
  await worker.draws(0);
  await context.setOffline(true);
  await fieldbook.toAccount();
  await fieldbook.page.getByRole('button', { name: 'Sign out' }).click();
  await fieldbook.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
  await expect(fieldbook.page.getByLabel('Your name')).toBeVisible();
  await fieldbook.page.close();
  await worker.ended();
  expect((await gateway.server.user('Ada')).devices).toHaveLength(1);
  await context.setOffline(false);
  await expect
    .poll(() => woken(worker).then(() => gateway.server.user('Ada')))
    .toMatchObject({ devices: [{ removed: true }] });
});
