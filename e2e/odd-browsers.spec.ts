import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { test as base, expect, watch } from './support/test.ts';

/** The app behind a gateway that can be down, in an unusual browser. */
const test = base.extend<{ app: Fieldbook }>({
  app: async ({ page, gateway }, use) => {
    const troubles = await watch(page.context(), page);
    await use(new Fieldbook(page, gateway.server.origin));
    // A spent ceremony is part of the recovery.
    expect(troubles().filter((trouble) => !/status of 400 .*\/v1\/registration$/.test(trouble))).toEqual([]);
  },
});

const deleteCaches = (page: Page) =>
  page.evaluate(async () => {
    for (const name of await caches.keys()) await caches.delete(name);
  });

/** The number of the app's files cached for offline use. */
const keptFiles = (page: Page) =>
  page.evaluate(async () => {
    const counts = (await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).length);
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  });

test.describe('with deleted caches and a running worker', () => {
  test('the next visit fills the caches, and the app opens without the network', async ({ app, page, gateway }) => {
    await app.open();
    await app.createAccount('Ada');
    await app.write('Kept', 'Still here');
    await app.installed();
    const all = await keptFiles(page);
    expect(all).toBeGreaterThan(10);
    await deleteCaches(page);
    await page.reload();
    await expect(app.newNote).toBeVisible();
    await expect.poll(() => keptFiles(page)).toBe(all);
    gateway.down = true;
    await page.reload();
    expect(await app.read('Kept')).toBe('Still here');
  });

  test('an open page refills the caches, and reports a failure', async ({ app, page, gateway }) => {
    await app.open();
    await app.createAccount('Ada');
    await app.installed();
    const all = await keptFiles(page);
    gateway.down = true;
    await deleteCaches(page);
    const look = () => page.evaluate(() => window.dispatchEvent(new Event('online')));
    await look();
    await expect(app.line).toHaveText(/cleared a part of the app/, { timeout: 20_000 });
    gateway.down = false;
    await look();
    await expect.poll(() => keptFiles(page), { timeout: 20_000 }).toBe(all);
    await expect(app.line).not.toHaveText(/cleared a part of the app/);
    gateway.down = true;
    await page.reload();
    await expect(app.newNote).toBeVisible();
  });
});

test.describe('passkeys', () => {
  const oddities: Record<string, () => void> = {
    'without the JSON methods': () => {
      if (!isSecureContext) return;
      Reflect.deleteProperty(PublicKeyCredential.prototype, 'toJSON');
      Reflect.deleteProperty(PublicKeyCredential, 'parseCreationOptionsFromJSON');
      Reflect.deleteProperty(PublicKeyCredential, 'parseRequestOptionsFromJSON');
    },
    'from an extension that replaces navigator.credentials': () => {
      if (!isSecureContext) return;
      const replace = (method: 'create' | 'get') => {
        const ask = navigator.credentials[method].bind(navigator.credentials);
        navigator.credentials[method] = async (options?: object) => {
          const { id, rawId, type, authenticatorAttachment, response } = (await ask(options)) as PublicKeyCredential;
          return {
            id,
            rawId,
            type,
            authenticatorAttachment,
            response,
            getClientExtensionResults: () => ({}),
            toJSON: () => {
              throw new TypeError('Illegal invocation');
            },
          };
        };
      };
      replace('create');
      replace('get');
    },
  };
  for (const [how, change] of Object.entries(oddities)) {
    test(how, async ({ app, page }) => {
      await page.addInitScript(change);
      await app.open();
      await app.createAccount('Ada');
      await app.toAccount();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await app.question.getByRole('button', { name: 'Sign out' }).click();
      await app.signIn();
      expect(await app.passkeys()).toHaveLength(1);
    });
  }

  test('an interrupted registration is completed with the passkey that was made', async ({ app, page, gateway }) => {
    await app.open();
    // The server has created the account; its answer is lost.
    gateway.meddlings.set('/v1/registration', () => null);
    await page.getByLabel('Your name').fill('Ada');
    const create = page.getByRole('button', { name: 'Create account' });
    await create.click();
    await expect(page.getByText('The server cannot be reached right now')).toBeVisible();
    gateway.meddlings.clear();
    await create.click();
    await expect(app.newNote).toBeVisible();
    expect(await app.passkeys()).toHaveLength(1);
    expect((await gateway.server.user('Ada')).devices).toHaveLength(1);
  });
});

test('premium works in a browser that denies locks, channels and localStorage', async ({ app, page }) => {
  await page.addInitScript(() => {
    if (!isSecureContext) return;
    const deny = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    navigator.locks.request = async () => deny();
    Object.defineProperty(window, 'localStorage', { get: deny });
    window.BroadcastChannel = function BroadcastChannel() {
      deny();
    } as never;
  });
  await app.open();
  await app.createAccount('Ada');
  await app.write('Kept', 'Still here');
  await app.startTrial();
  await page.reload();
  await expect(app.newNote).toBeVisible();
  await app.toAccount();
  await app.expectPremium();
});

test('a double click on New note makes one', async ({ app }) => {
  await app.open();
  await app.createAccount('Ada');
  await app.newNote.dblclick();
  await expect(app.title).toBeVisible();
  await expect(app.page.getByRole('listitem', { includeHidden: true })).toHaveCount(1);
});
