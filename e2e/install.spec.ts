import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
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

test('Chromium finds nothing that speaks against installing, and what the manifest names is there', async ({
  fieldbook,
  page,
  server,
}) => {
  await fieldbook.open();
  await fieldbook.installed();
  const cdp = await page.context().newCDPSession(page);
  const { errors, data } = await cdp.send('Page.getAppManifest');
  expect(errors).toEqual([]);
  const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
  // A test's profile counts as a private window, where nothing can be installed.
  expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);

  const manifest = JSON.parse(data ?? '') as Manifest;
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
    if (src.endsWith('.png')) expect.soft(sizeOf(await answer.body()), src).toBe(sizes);
  }
  for (const { url } of manifest.shortcuts) {
    expect.soft((await page.request.get(server.origin + url)).ok(), url).toBe(true);
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

test('the first visit loads at most 60 kB of script, and nobody but the server is ever asked', async ({
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
  // The page's own, what it loads by itself, and the worker's.
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

test('nothing moves by itself: neither on the first visit nor on an offline start', async ({
  fieldbook,
  page,
  server,
}) => {
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

/** Layout shifts that no input has caused. */
function shifts(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    // Shifts are told of after the frame that they are in.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return (window as unknown as { shifts: string[] }).shifts;
  });
}

/** Width and height from a PNG's first chunk (PNG specification, 11.2.1 IHDR). */
function sizeOf(png: Buffer): string {
  return `${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`;
}
