import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { OwnApp } from './support/own-app.ts';
import { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

type Sdk = typeof import('../web/sdk/src/index.ts');
type VaultModule = typeof import('../web/sdk/src/vault.ts');
type Opened = {
  hf: Awaited<ReturnType<Sdk['openHoldfast']>>;
  vault: Awaited<ReturnType<VaultModule['openVault']>>;
};

const secret = 'The plain text of a private note';

/** Opens the page of an own app, with the vault still locked. */
async function open(page: Page, app: OwnApp, server: Server, roots: string): Promise<void> {
  await page.goto(app.origin);
  await page.evaluate(
    async ({ origin, roots }) => {
      const { openHoldfast }: Sdk = await import('/sdk.js' as string);
      const { openVault }: VaultModule = await import('/vault.js' as string);
      const hf = await openHoldfast({ origin, roots: JSON.parse(roots) });
      if (!hf.user) await hf.register('Ada');
      Object.assign(window, { opened: { hf, vault: await openVault(hf) } });
    },
    { origin: server.origin, roots },
  );
}

/** The code with which unlocking is refused; null: it is open. */
function unlock(page: Page): Promise<string | null> {
  return page.evaluate(() =>
    (window as unknown as { opened: Opened }).opened.vault.unlock().then(
      () => null,
      (error) => error.code,
    ),
  );
}

function seal(page: Page, text: string): Promise<number[]> {
  return page.evaluate(
    async (text) => [...(await (window as unknown as { opened: Opened }).opened.vault.seal('note', text))],
    text,
  );
}

/** The text, or the code of the refusal. */
function read(page: Page, sealed: number[]): Promise<string> {
  return page.evaluate(
    (sealed) =>
      (window as unknown as { opened: Opened }).opened.vault
        .openText('note', Uint8Array.from(sealed))
        .catch((error) => error.code),
    sealed,
  );
}

/** Reconciles until the vault has that state. */
async function becomes(page: Page, state: string): Promise<void> {
  const now = async () =>
    page.evaluate(async () => {
      const { hf, vault } = (window as unknown as { opened: Opened }).opened;
      await hf.reconcile().catch(() => {});
      return vault.status.state;
    });
  await expect.poll(now).toBe(state);
}

/** All values of all databases of the page, as text. */
function stored(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const found: unknown[] = [];
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
      });
      for (const store of database.objectStoreNames) {
        const request = database.transaction(store).objectStore(store).getAll();
        await new Promise((resolve) => {
          request.onsuccess = resolve;
        });
        found.push(request.result);
      }
      database.close();
    }
    return JSON.stringify(found, (_, value) =>
      value instanceof Uint8Array ? new TextDecoder('latin1').decode(value) : value,
    );
  });
}

async function prepare(server: Server): Promise<string> {
  const features = { vault: { offline: true }, export: { offline: true } };
  await server.admin('PUT', 'plans/private', {
    features,
    grace: 0,
    device_limit: 5,
    rank: 20,
    window: null,
    reason: 'the vault',
  });
  return server.keys('roots');
}

test('a vault opens with the passkey, also while the server is away, and is forgotten by a revocation', async ({
  page,
}) => {
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  try {
    const roots = await prepare(server);
    await Authenticator.attach(page, { prf: true });
    await open(page, app, server, roots);
    await server.subscribe('Ada', 'private', new Date(Date.now() + 30 * 86_400_000));
    await becomes(page, 'needs_server');
    expect(await unlock(page)).toBeNull();
    const sealed = await seal(page, secret);
    expect(await stored(page)).not.toContain(secret);

    await test.step('the server is away: the next page opens it', async () => {
      await server.stop();
      await open(page, app, server, roots);
      expect(await read(page, sealed)).toBe('vault_locked');
      expect(await unlock(page)).toBeNull();
      expect(await read(page, sealed)).toBe(secret);
      await server.start();
    });
    await test.step('a revocation makes the page forget, and reinstating brings it back', async () => {
      await server.support('revoke', 'Ada');
      await becomes(page, 'not_granted');
      expect(await read(page, sealed)).toBe('vault_locked');
      await expect.poll(() => stored(page)).not.toContain('epochs');
      await server.support('reinstate', 'Ada');
      await becomes(page, 'needs_server');
      expect(await unlock(page)).toBeNull();
      expect(await read(page, sealed)).toBe(secret);
    });
  } finally {
    await server.dispose();
    app.close();
  }
});

test('an authenticator without PRF is refused before anything is sealed', async ({ page }) => {
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  try {
    const roots = await prepare(server);
    await Authenticator.attach(page);
    await open(page, app, server, roots);
    await server.subscribe('Ada', 'private', new Date(Date.now() + 30 * 86_400_000));
    await becomes(page, 'needs_server');
    expect(await unlock(page)).toBe('prf_unavailable');
    expect(await stored(page)).not.toContain('epochs');
  } finally {
    await server.dispose();
    app.close();
  }
});
