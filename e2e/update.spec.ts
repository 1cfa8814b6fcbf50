import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { copyApp, release } from './support/release.ts';
import { Server } from './support/server.ts';
import { test as base, expect, watch } from './support/test.ts';
import { WatchedWorker } from './support/watched-worker.ts';

interface Rollout {
  server: Server;
  /** The served folder: the app, until its contents are replaced and the server is restarted. */
  folder: string;
}

const test = base.extend<{ rollout: Rollout }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from it
  rollout: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'hf-app-'));
    await copyApp(folder);
    const server = await Server.launch(undefined, ['--app', folder]);
    await server.putPlan();
    await use({ server, folder });
    await server.dispose();
    await rm(folder, { recursive: true });
  },
});

/** The release of a page; null: the first one. */
function releaseOf(page: Page): Promise<string | null> {
  return page.evaluate(() => document.querySelector('meta[name=release]')?.getAttribute('content') ?? null);
}

/** The cached files for opening a page without network. */
function precached(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const caches = await window.caches.keys();
    const requests = await Promise.all(caches.map(async (name) => (await window.caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname);
  });
}

async function openPremium(fieldbook: Fieldbook): Promise<void> {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Written in the release before');
  await fieldbook.startTrial();
  await fieldbook.installed();
}

test('a new release waits for the user, and keeps documents and notes, also offline', async ({
  page,
  context,
  rollout: { server, folder },
}) => {
  const troubles = await watch(context, page);
  const fieldbook = new Fieldbook(page, server.origin);
  await openPremium(fieldbook);
  const other = await fieldbook.openOn(await context.newPage());
  await other.toAccount();
  await other.expectPremium();
  const before = await fieldbook.held<{ id: string }>('device');
  const worker = await WatchedWorker.of(context, page);
  await worker.draws(10); // five minutes, longer than this test waits

  await server.stop();
  await release(folder, 'second');
  await server.start();
  const offer = page.getByRole('status').filter({ hasText: 'A new version is ready' });

  await test.step('the release is offered, and can be postponed', async () => {
    await page.reload();
    await expect(offer).toBeVisible();
    await fieldbook.write('Meanwhile', 'Written while the update waits');
    await offer.getByRole('button', { name: 'Later' }).click();
    await expect(offer).toBeHidden();
    expect(await releaseOf(page)).toBeNull();
    await page.reload();
    await expect(offer).toBeVisible();
    expect(await releaseOf(page)).toBeNull();
  });

  await server.stop(); // which finishes the page's requests
  await fieldbook.settled(); // and the page has taken the answers
  const document = await fieldbook.held<string>('document');

  await test.step('the release is activated with the server down, even while the worker waits for its moment', async () => {
    await worker.sync();
    await offer.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => releaseOf(page).catch(() => null)).toBe('second');
    await expect(fieldbook.newNote).toBeVisible();
    expect(await fieldbook.read('Kept')).toBe('Written in the release before');
    expect(await fieldbook.read('Meanwhile')).toBe('Written while the update waits');
    await fieldbook.toAccount();
    await fieldbook.expectPremium();
    expect((await fieldbook.download()).text).toContain('Written in the release before');
    expect(await fieldbook.held<string>('document')).toBe(document);
    expect(await fieldbook.held<{ id: string }>('device')).toMatchObject({ id: before.id });
  });

  await test.step('another tab offers to reload, and works until then', async () => {
    const notice = other.page.getByRole('status').filter({ hasText: 'Another tab has a new version' });
    await expect(notice).toBeVisible();
    await other.write('Elsewhere', 'Written in the old tab');
    await notice.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => releaseOf(other.page).catch(() => null)).toBe('second');
    expect(await other.read('Elsewhere')).toBe('Written in the old tab');
  });

  await test.step('nothing of the previous release is left', async () => {
    const files = await precached(page);
    const scripts = (await readdir(join(folder, 'assets'))).map((file) => `/assets/${file}`);
    expect(files.filter((file) => file.startsWith('/assets/')).sort()).toEqual(scripts.sort());
  });

  await test.step('the server still knows the device', async () => {
    await server.start();
    await page.reload();
    await fieldbook.toAccount();
    expect(await fieldbook.checkNow()).toBe('Up to date.');
    await fieldbook.expectPremium();
    expect((await server.user('Ada')).devices).toHaveLength(1);
  });
  expect(troubles()).toEqual([]);
});

test('an incomplete release is not installed', async ({ page, rollout: { server, folder } }) => {
  const fieldbook = new Fieldbook(page, server.origin);
  await openPremium(fieldbook);
  await server.stop();
  await release(folder, 'second');
  const [script] = (await readdir(join(folder, 'assets'))).filter((file) => file.startsWith('auto-'));
  await rm(join(folder, 'assets', script ?? 'none'));
  await server.start();

  const refused = page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    return new Promise<string>((resolve) => {
      registration.addEventListener('updatefound', () => {
        const { installing } = registration;
        installing?.addEventListener('statechange', () => resolve(installing.state));
      });
      void registration.update();
    });
  });
  expect(await refused).toBe('redundant');
  await server.stop();
  await page.reload();
  await fieldbook.expectPremium();
  expect(await releaseOf(page)).toBeNull();
  expect(await fieldbook.read('Kept')).toBe('Written in the release before');
  await expect(page.getByText('A new version is ready')).toBeHidden();
});
