import type { ServerResponse } from 'node:http';
import { Fieldbook } from './support/fieldbook.ts';
import { claimsOf } from './support/jws.ts';
import { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

const hour = 3_600_000;
const day = 24 * hour;
const year = 365 * day;

/** Ada with premium, a note, and the app installed. */
async function openPremium(fieldbook: Fieldbook): Promise<void> {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Readable for ever');
  await fieldbook.startTrial();
  await fieldbook.installed();
}

/** Reopens the account page with another clock. */
async function reloadAt({ page }: Fieldbook, time: number): Promise<void> {
  await page.clock.setSystemTime(time);
  await page.reload();
}

/** The app's wording for a distant day. */
function dayInWords(time: number): string {
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', timeZone: 'Europe/Berlin' }).format(time);
}

test('30 days without the server: premium, then grace, then its end, each in its own words', async ({ page }) => {
  const server = await Server.launch(undefined, ['--offline-window', '720h']);
  try {
    const troubles = await watch(page.context(), page);
    const fieldbook = new Fieldbook(page, server.origin);
    await page.clock.install();
    await fieldbook.open();
    await fieldbook.createAccount('Ada');
    await fieldbook.write('Kept', 'Readable for ever');
    const premium = await server.admin<object>('GET', 'plans/premium');
    await server.admin('PUT', 'plans/premium', { ...premium, grace: (7 * day) / 1000 });
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 10 * day));
    await fieldbook.toAccount();
    await fieldbook.checkNow();
    await fieldbook.expectPremium();
    await fieldbook.installed();
    const { iat, exp, paid_through } = claimsOf(await fieldbook.held<string>('document'));
    const [begin, paid, end] = [iat, paid_through, exp].map((seconds) => (seconds as number) * 1000) as [
      number,
      number,
      number,
    ];
    expect(end - paid).toBe(7 * day);
    await server.stop();

    await test.step('paid: premium, until when', async () => {
      await reloadAt(fieldbook, begin + 9 * day);
      await fieldbook.expectPremium();
      await expect(fieldbook.plan).toContainText('as soon as it can be reached');
      await expect(fieldbook.line).toContainText('The server is out of reach. Premium until');
      await expect(fieldbook.line).toContainText(dayInWords(end));
    });
    await test.step('grace: premium, the missing payment, and until when', async () => {
      await reloadAt(fieldbook, paid + hour);
      await expect(fieldbook.headline).toHaveText('Premium is on; its renewal is not confirmed here yet');
      await expect(fieldbook.plan).toContainText(dayInWords(end));
      await expect(fieldbook.export).toBeEnabled();
      await fieldbook.write('Eleven', 'Written in grace');
      await fieldbook.toAccount();
    });
    await test.step('grace to its last minute, and no further', async () => {
      await reloadAt(fieldbook, end - 60_000);
      await expect(fieldbook.headline).toHaveText('Premium is on; its renewal is not confirmed here yet');
      await reloadAt(fieldbook, end + 60_000);
      await fieldbook.expectWithoutPremium('Connect to renew premium');
    });
    await test.step('ended: what works, why, and what to do', async () => {
      await reloadAt(fieldbook, begin + 30 * day);
      await fieldbook.expectWithoutPremium('Connect to renew premium');
      await expect(fieldbook.plan).toContainText(`Premium worked offline until`);
      await expect(fieldbook.plan).toContainText(dayInWords(end));
      await expect(fieldbook.plan).toContainText('comes back by itself');
      await expect(fieldbook.line).toHaveText('Premium is paused: connect to renew it.');
      expect(await fieldbook.read('Kept')).toBe('Readable for ever');
      expect(await fieldbook.read('Eleven')).toBe('Written in grace');
    });
    await test.step('back online: the server sets the time', async () => {
      await server.start();
      await page.reload();
      await fieldbook.toAccount();
      await fieldbook.expectPremium();
    });
    expect(troubles()).toEqual([]);
  } finally {
    await server.dispose();
  }
});

test('a clock eight hours behind locks premium until a reconcile', async ({ fieldbook, server, page }) => {
  await page.clock.install();
  await openPremium(fieldbook);
  await server.stop();
  await reloadAt(fieldbook, Date.now() - 8 * hour);
  await fieldbook.expectWithoutPremium("This device's clock is behind by 8 hours or more");
  await expect(fieldbook.plan).toContainText('earlier than a time already seen');
  await expect(fieldbook.line).toContainText('Set it right, or connect');
  expect(await fieldbook.read('Kept')).toBe('Readable for ever');

  await server.start();
  await page.reload();
  await fieldbook.toAccount();
  await fieldbook.expectPremium();

  await test.step('from then on the clock is corrected, also offline', async () => {
    await server.stop();
    await page.reload();
    await fieldbook.expectPremium();
  });
  await test.step('once set right, the clock is believed', async () => {
    await reloadAt(fieldbook, Date.now());
    await fieldbook.expectPremium();
  });
});

test('a clock three years ahead has premium online, and offline once it is set right', async ({
  fieldbook,
  server,
  page,
}) => {
  await page.clock.install();
  await openPremium(fieldbook);
  await server.stop();
  await reloadAt(fieldbook, Date.now() + 3 * year);
  await fieldbook.expectWithoutPremium('Your trial has ended, as far as this device knows');

  await server.start();
  await page.reload();
  await fieldbook.expectPremium();
  expect(claimsOf(await fieldbook.held<string>('document')).skew).toBe(day / 1000);
  const { mark } = await fieldbook.held<{ mark: number }>('time');
  expect(Math.abs(mark - Date.now())).toBeLessThan(hour);

  await test.step('without the server, at most a day is corrected', async () => {
    await server.stop();
    await page.clock.fastForward(30_000);
    await fieldbook.expectPremium();
    await page.reload();
    await fieldbook.expectWithoutPremium('Your trial has ended, as far as this device knows');
  });
  await test.step('open for an hour, and set right, the clock is believed', async () => {
    await page.clock.fastForward(hour);
    await reloadAt(fieldbook, Date.now() + hour);
    await fieldbook.expectPremium();
  });
});

test('a device with a clock 20 hours ahead has premium, also offline', async ({ fieldbook, server, page }) => {
  await page.clock.install({ time: Date.now() + 20 * hour });
  await openPremium(fieldbook);
  await server.stop();
  const { exp, skew } = claimsOf(await fieldbook.held<string>('document'));
  expect(Math.abs(skew * 1000 - 20 * hour)).toBeLessThan(hour);
  await reloadAt(fieldbook, (exp + skew) * 1000 - 60_000);
  await fieldbook.expectPremium();
  await reloadAt(fieldbook, (exp + skew) * 1000 + 60_000);
  await fieldbook.expectWithoutPremium('Connect to renew premium');
});

test('summer time and time zones change nothing', async ({ server, browser }) => {
  // The test sets the time zone itself, since the browser allows only one override.
  const context = await browser.newContext({ timezoneId: undefined });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  const moveTo = (timezoneId: string) => cdp.send('Emulation.setTimezoneOverride', { timezoneId });
  const offset = () => page.evaluate(() => -new Date().getTimezoneOffset());
  await moveTo('Europe/Berlin');
  await page.clock.install({ time: Date.UTC(2026, 2, 28, 23) });
  const fieldbook = new Fieldbook(page, server.origin);
  await openPremium(fieldbook);

  // 02:00 is followed by 03:00 in spring, and 03:00 by 02:00 in autumn.
  for (const [midnight, before, after] of [
    [Date.UTC(2026, 2, 28, 23), 60, 120],
    [Date.UTC(2026, 9, 24, 22), 120, 60],
  ] as const) {
    await reloadAt(fieldbook, midnight);
    expect(await fieldbook.checkNow()).toBe('Up to date.');
    const document = await fieldbook.held<string>('document');
    await server.stop();
    // A clock this far from the server's counts only while the page is open.
    for (const minutes of [115, 10, 50, 10]) {
      await page.clock.fastForward(minutes * 60_000);
      await fieldbook.expectPremium();
      expect([before, after]).toContain(await offset());
    }
    expect(await offset()).toBe(after);
    expect(await fieldbook.held<string>('document')).toBe(document);
    await server.start();
  }

  await reloadAt(fieldbook, Date.now());
  expect(await fieldbook.checkNow()).toBe('Up to date.');
  await server.stop();
  for (const [zone, minutes] of [
    ['Pacific/Kiritimati', 14 * 60],
    ['Pacific/Pago_Pago', -11 * 60],
  ] as const) {
    await moveTo(zone);
    await page.reload();
    await fieldbook.expectPremium();
    expect(await offset()).toBe(minutes);
  }
  await context.close();
});

test('a cold start without DNS', async ({ server, profiles }) => {
  const profile = await profiles.make();
  const context = await profiles.open(profile);
  await openPremium(new Fieldbook(await context.newPage(), server.origin));
  await context.close();

  const cut = await profiles.open(profile, '--host-resolver-rules=MAP * ~NOTFOUND');
  const page = await cut.newPage();
  const failures = new Set<string | undefined>();
  page.on('requestfailed', (request) => failures.add(request.failure()?.errorText));
  const fieldbook = new Fieldbook(page, server.origin);
  await fieldbook.open();
  expect(await fieldbook.read('Kept')).toBe('Readable for ever');
  await fieldbook.toAccount();
  await fieldbook.expectPremium();
  expect(await fieldbook.checkNow()).toContain('cannot be reached');
  expect([...failures]).toContain('net::ERR_NAME_NOT_RESOLVED');
});

const page = (status: number, type: string, body: string) => (outgoing: ServerResponse) =>
  void outgoing.writeHead(status, { 'content-type': type }).end(body);

/** Networks in which every request ends alike, including the browser's requests for the app's own files. */
const networks: Record<string, (outgoing: ServerResponse) => void> = {
  'a captive portal answers everything': page(200, 'text/html', '<!doctype html><h1>Accept the terms</h1>'),
  'a captive portal redirects everything': (outgoing) =>
    void outgoing.writeHead(302, { location: 'https://portal.invalid/' }).end(),
  'everything is a server error': page(500, 'text/plain', 'upstream'),
  'every answer is cut': (outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/javascript', 'content-length': '5000' });
    outgoing.write('(', () => outgoing.destroy());
  },
};

test('a cold start, whatever the network does to requests', async ({ page: tab, gateway }) => {
  const fieldbook = new Fieldbook(tab, gateway.server.origin);
  await openPremium(fieldbook);
  for (const [what, instead] of Object.entries(networks)) {
    await test.step(what, async () => {
      const before = gateway.requests.length;
      gateway.instead = instead;
      await tab.reload();
      await fieldbook.expectPremium();
      await expect(fieldbook.line).toContainText('The server is out of reach. Premium until');
      expect(await fieldbook.checkNow()).toContain('cannot be reached');
      // The browser also checks for a new version of the app, and keeps the current one.
      await tab.evaluate(async () => (await navigator.serviceWorker.ready).update().catch(() => {}));
      expect(gateway.requests.slice(before)).toContain('GET /sw.js');
    });
  }
  gateway.instead = null;
  await tab.reload();
  await fieldbook.toAccount();
  expect(await fieldbook.checkNow()).toBe('Up to date.');
  await fieldbook.expectPremium();
  expect(await fieldbook.read('Kept')).toBe('Readable for ever');
});

test('with a hanging network, the page opens at once, times out after 15 seconds, and ignores late answers', async ({
  page: tab,
  gateway,
}) => {
  const fieldbook = new Fieldbook(tab, gateway.server.origin);
  await openPremium(fieldbook);

  const open = new Set<ServerResponse>();
  gateway.instead = (outgoing) => {
    open.add(outgoing);
    outgoing.on('close', () => open.delete(outgoing));
  };
  await tab.reload();
  await fieldbook.expectPremium();
  await expect.poll(() => open.size).toBeGreaterThan(0);

  await test.step('everything works while it waits', async () => {
    await fieldbook.write('Meanwhile', 'Written while nothing answers');
    expect(await fieldbook.read('Kept')).toBe('Readable for ever');
    await fieldbook.toAccount();
    expect((await fieldbook.download()).text).toContain('Written while nothing answers');
    expect(open.size).toBeGreaterThan(0);
  });
  await test.step('then it reports the timeout', async () => {
    await expect(fieldbook.line).toContainText('The server is out of reach', { timeout: 25_000 });
    await fieldbook.expectPremium();
  });

  gateway.instead = null;
  for (const outgoing of open) outgoing.destroy();
  expect(await fieldbook.checkNow()).toBe('Up to date.');
  await fieldbook.expectPremium();
});
