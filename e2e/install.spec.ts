import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { expect, test } from './support/test.ts';

interface Manifest {
  name: string;
  icons: Image[];
  screenshots: (Image & { form_factor: string; label: string })[];
  shortcuts: { name: string; url: string; icons: Image[] }[];
}

interface Image {
  src: string;
  sizes: string;
  type?: string;
  purpose?: string;
}

test('Chromium finds the app installable, and the files in the manifest exist', async ({ server, profiles }) => {
  // Not in a private window, where Chromium installs nothing.
  const context = await profiles.open(await profiles.make());
  const page = await context.newPage();
  const fieldbook = new Fieldbook(page, server.origin);
  await fieldbook.open();
  await fieldbook.installed();
  const cdp = await context.newCDPSession(page);
  expect((await cdp.send('Page.getInstallabilityErrors')).installabilityErrors).toEqual([]);
  const { errors, data } = await cdp.send('Page.getAppManifest');
  expect(errors).toEqual([]);

  const manifest = JSON.parse(data ?? '') as Manifest;
  expect(manifest).toMatchObject({ name: 'Fieldbook', start_url: '/', display: 'standalone' });
  expect(manifest.icons.map(({ purpose }) => purpose)).toContain('maskable');
  expect(manifest.screenshots.map(({ form_factor }) => form_factor)).toEqual(
    expect.arrayContaining(['wide', 'narrow']),
  );
  for (const { src, sizes, type } of [
    ...manifest.icons,
    ...manifest.screenshots,
    ...manifest.shortcuts.flatMap(({ icons }) => icons),
  ]) {
    const answer = await page.request.get(server.origin + src);
    expect.soft(answer.headers()['content-type'], src).toBe(type ?? 'image/png');
    const size = sizes === 'any' ? /./ : new RegExp(`^${sizes}$`);
    expect.soft(await page.evaluate(decodedSize, src), src).toMatch(size);
  }

  await server.stop();
  for (const { url } of manifest.shortcuts) {
    await page.goto(server.origin + url);
    await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible();
  }
});

test('a shortcut opens a new note', async ({ fieldbook, page, server }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await page.goto('about:blank');
  await page.goto(`${server.origin}/#/new`);
  await expect(fieldbook.title).toBeFocused();
  await expect(fieldbook.notes).toHaveCount(1);
});

test('the first visit loads at most 60 kB of script, and only the server gets requests', async ({
  fieldbook,
  page,
  server,
}) => {
  const requests: string[] = [];
  const scripts: Promise<number>[] = [];
  page.context().on('request', (request) => requests.push(request.url()));
  page.context().on('response', (response) => {
    if (response.request().resourceType() !== 'script') return;
    scripts.push(response.body().then((body) => gzipSync(body, { level: 9 }).length));
  });
  await fieldbook.open();
  await fieldbook.installed();
  await page.waitForLoadState('networkidle');
  const sizes = await Promise.all(scripts);
  // The page's own scripts, those that it loads automatically, and the worker's.
  expect(requests).toContain(`${server.origin}/sw.js`);
  expect(sizes.length).toBeGreaterThanOrEqual(3);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(60_000);

  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.startTrial();
  await fieldbook.download();
  const elsewhere = requests.filter((url) => !/^(blob|data):/.test(url) && new URL(url).origin !== server.origin);
  expect(elsewhere).toEqual([]);
});

test('no layout shift occurs on the first visit or an offline start', async ({ fieldbook, page, server }) => {
  await page.addInitScript(() => {
    const shifts: string[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
        if (!entry.hadRecentInput) shifts.push(`${entry.value} ${location.hash}`);
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await fieldbook.open();
  await expect(page.getByLabel('Your name')).toBeVisible();
  expect(await shifts(page)).toEqual([]);
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.startTrial();
  await fieldbook.installed();
  for (const state of ['online', 'offline']) {
    await page.reload();
    await fieldbook.expectPremium();
    await expect(page.locator('section[aria-labelledby=devices]')).toContainText(
      state === 'online' ? 'No other device' : 'when the server can be reached',
    );
    expect(await shifts(page), state).toEqual([]);
    await server.stop();
  }
});

/** Layout shifts without input. */
function shifts(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    // Shifts are reported after their frame.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return (window as unknown as { shifts: string[] }).shifts;
  });
}

/** The size of a picture as the browser sees it: 192x192. */
function decodedSize(src: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(`${image.naturalWidth}x${image.naturalHeight}`);
    image.onerror = () => reject(new Error(`${src} is no picture`));
    image.src = src;
  });
}
