import { Authenticator } from './support/authenticator.ts';
import { Example } from './support/example.ts';
import { freePort, Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

// Packing builds a package in its own folder: one after the other.
test.describe.configure({ mode: 'default' });

for (const [name, packages] of [['vanilla', ['sdk', 'vite']]] as const) {
  test(`the example ${name}: premium offline, until it is revoked`, async ({ page }) => {
    const port = await freePort();
    const server = await Server.launch(undefined, ['--app', 'none', '--allow-origin', `http://localhost:${port}`]);
    await server.putPlan();
    const example = await Example.build(name, port, {
      packages,
      origin: server.origin,
      roots: await server.keys('roots'),
    });
    await example.serve();
    await Authenticator.attach(page);

    await page.goto(example.origin);
    await page.getByLabel('Name').fill('Ada');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('button', { name: 'Start trial' }).click();
    await expect(page.getByRole('status')).toHaveText(/^Ada: active, offline until /);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);

    await test.step('with the app’s host and the server gone', async () => {
      await example.stop();
      await server.stop();
      await page.reload();
      await expect(page.getByRole('status')).toHaveText(/^Ada: active, offline until /);
      await page.getByRole('button', { name: 'Export' }).click();
      await expect(page.getByText('Exported.')).toBeVisible();
    });

    await test.step('once support has revoked it', async () => {
      await server.start();
      await server.support('revoke', 'Ada');
      await page.reload();
      await expect(page.getByRole('status')).toHaveText('Ada: revoked');
      await expect(page.getByRole('button', { name: 'Export' })).toBeDisabled();
    });
    await example.dispose();
    await server.dispose();
  });
}
