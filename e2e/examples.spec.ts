import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { Example } from './support/example.ts';
import { freePort, Server } from './support/server.ts';
import { test as base, expect } from './support/test.ts';

// Packing builds a package in its own folder: one after the other.
base.describe.configure({ mode: 'default' });

const full = process.env.HOLDFAST_DRILLS === 'full';

interface Fixtures {
  /** Builds and serves an example for a server, which knows its origin and has the plan `premium`. */
  start(name: string, packages: readonly string[]): Promise<{ server: Server; example: Example }>;
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from it
  start: async ({}, use) => {
    const open: { dispose(): Promise<void> }[] = [];
    await use(async (name, packages) => {
      const port = await freePort();
      const server = await Server.launch(undefined, ['--app', 'none', '--allow-origin', `http://localhost:${port}`]);
      open.push(server);
      await server.putPlan();
      const roots = await server.keys('roots');
      const example = await Example.build(name, port, { packages, origin: server.origin, roots });
      open.push(example);
      await example.serve(server.origin);
      return { server, example };
    });
    for (const one of open.reverse()) await one.dispose();
  },
});

test('the guide shows the examples as they are', async () => {
  const web = join(import.meta.dirname, '../web');
  const guide = await readFile(join(web, 'README.md'), 'utf8');
  const shown = [...guide.matchAll(/^```\w+ (examples\/\S+)\n(.*?)^```$/gms)];
  expect(shown.length).toBeGreaterThan(5);
  for (const [, path = '', text] of shown) expect(text, path).toBe(await readFile(join(web, path), 'utf8'));
});

async function createAccount(page: Page, example: Example): Promise<void> {
  await Authenticator.attach(page);
  await page.goto(example.origin);
  await page.getByLabel('Name').fill('Ada');
  await page.getByRole('button', { name: 'Create account' }).click();
}

for (const [name, packages] of [
  ['vanilla', ['sdk', 'vite']],
  ...(full
    ? ([
        ['react', ['sdk', 'vite', 'react']],
        ['vue', ['sdk', 'vite']],
        ['svelte', ['sdk', 'vite']],
      ] as const)
    : []),
] as const) {
  test(`the example ${name}: premium offline, until it is revoked`, async ({ page, start }) => {
    const { server, example } = await start(name, packages);
    await createAccount(page, example);
    await page.getByRole('button', { name: 'Start trial' }).click();
    await expect(page.getByRole('status')).toHaveText(/^Ada: active, offline until /);
    await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);

    await test.step('with the app’s host and the server gone', async () => {
      await example.stop();
      await server.stop();
      await page.reload();
      await expect(page.getByRole('status')).toHaveText(/^Ada: active, offline until /);
      await page.getByRole('button', { name: 'Export' }).click();
      await expect(page.getByRole('alert')).toHaveText('Exported.');
    });

    await test.step('once support has revoked it', async () => {
      await server.start();
      await server.support('revoke', 'Ada');
      await page.reload();
      await expect(page.getByRole('status')).toHaveText('Ada: revoked');
      await expect(page.getByRole('button', { name: 'Export' })).toBeDisabled();
    });
  });
}

test('the example express: a route for devices with the feature only', async ({ page, start }) => {
  const { server, example } = await start('express', ['sdk', 'vite', 'node']);
  const outcome = page.getByRole('alert');
  const ask = () => page.getByRole('button', { name: 'Export' }).click();
  await createAccount(page, example);
  await expect(page.getByRole('status')).toHaveText('Ada: none');
  await ask();
  await expect(outcome).toHaveText('The back end refused: forbidden');
  await page.getByRole('button', { name: 'Start trial' }).click();
  await expect(page.getByRole('status')).toHaveText(/^Ada: active/);
  await ask();
  const { user } = await server.user('Ada');
  await expect(outcome).toHaveText(`Exported of user ${user.id}.`);
  expect((await fetch(`${example.origin}/export`, { method: 'POST' })).status).toBe(401);
});
