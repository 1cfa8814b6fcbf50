import { Fieldbook } from './support/fieldbook.ts';
import { expect, test } from './support/test.ts';

test('the app can be installed', async ({ server, profiles }) => {
  // Not in a window that forgets: Chromium installs nothing there.
  const context = await profiles.open(await profiles.make());
  const page = await context.newPage();
  const fieldbook = new Fieldbook(page, server.origin);
  await fieldbook.open();
  await fieldbook.installed();
  const cdp = await context.newCDPSession(page);
  expect((await cdp.send('Page.getInstallabilityErrors')).installabilityErrors).toEqual([]);

  const { url, errors, data } = await cdp.send('Page.getAppManifest');
  expect(errors).toEqual([]);
  const manifest = JSON.parse(data ?? '');
  expect(manifest).toMatchObject({ name: 'Fieldbook', start_url: '/', display: 'standalone' });
  const pictures = [...manifest.icons, ...(manifest.screenshots ?? [])];
  for (const picture of pictures) {
    const answer = await page.request.get(new URL(picture.src, url).href);
    expect(answer.headers()['content-type'], picture.src).toBe(picture.type);
    expect(await page.evaluate(decodedSize, picture.src), picture.src).toMatch(
      picture.sizes === 'any' ? /./ : new RegExp(`^${picture.sizes}$`),
    );
  }
  expect(manifest.icons.some(({ purpose }: { purpose: string }) => purpose === 'maskable')).toBe(true);

  await server.stop();
  for (const { url: shortcut } of manifest.shortcuts) {
    await page.goto(server.origin + shortcut);
    await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible();
  }
});

test('the first load brings at most 60 kB of script', async ({ page, server }) => {
  const cdp = await page.context().newCDPSession(page);
  const scripts = new Map<string, string>();
  const sizes = new Map<string, number>();
  cdp.on('Network.responseReceived', ({ requestId, type, response }) => {
    if (type === 'Script') scripts.set(requestId, response.url);
  });
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const url = scripts.get(requestId);
    if (url) sizes.set(new URL(url).pathname, encodedDataLength);
  });
  await cdp.send('Network.enable');
  await page.goto(server.origin, { waitUntil: 'networkidle' });
  await expect(page.getByRole('button', { name: 'Create account' })).toBeVisible();
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(sizes.size).toBeGreaterThan(0);
  expect(total).toBeLessThanOrEqual(60_000);
});

/** The size of a picture as the browser sees it: 192x192. */
function decodedSize(src: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(`${image.naturalWidth}x${image.naturalHeight}`);
    image.onerror = () => reject(new Error(`${src} is no picture`));
    image.src = src;
  });
}
