import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { Example } from './support/example.ts';
import { freePort, Server } from './support/server.ts';
import { Stripe, stripeFlags } from './support/stripe.ts';
import { test as base, expect, watch } from './support/test.ts';

// Packing builds a package in its own folder: one after the other.
base.describe.configure({ mode: 'default' });

const full = process.env.HOLDFAST_DRILLS === 'full';

/** Variables of the environment of an example's back end. */
type Settings = Record<string, string>;

interface Fixtures {
  /** Builds and serves an example for a server, which knows its origin and has the plan `premium`. */
  start(
    name: string,
    packages: readonly string[],
    further?: { flags?: readonly string[]; settings?: Settings | ((server: Server) => Promise<Settings>) },
  ): Promise<{ server: Server; example: Example }>;
}

const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from it
  start: async ({}, use) => {
    const open: { dispose(): Promise<void> }[] = [];
    await use(async (name, packages, { flags = [], settings = {} } = {}) => {
      const port = await freePort();
      const allowed = ['--app', 'none', '--allow-origin', `http://localhost:${port}`];
      const server = await Server.launch(undefined, [...allowed, ...flags]);
      open.push(server);
      await server.putPlan();
      const roots = await server.keys('roots');
      const example = await Example.build(name, port, { packages, origin: server.origin, roots });
      open.push(example);
      await example.serve(server.origin, typeof settings === 'function' ? await settings(server) : settings);
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

/** From a new account to premium offline, until support revokes it. `unplug` ends the host of the app. */
async function usePremium(page: Page, server: Server, example: Example, unplug: () => Promise<void>): Promise<void> {
  const status = page.getByRole('status');
  await createAccount(page, example);
  await page.getByRole('button', { name: 'Start trial' }).click();
  await expect(status).toHaveText(/^Ada: active, offline until /);
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);

  await test.step('with the app’s host and the server gone', async () => {
    await unplug();
    await server.stop();
    await page.reload();
    await expect(status).toHaveText(/^Ada: active, offline until /);
    await page.getByRole('button', { name: 'Export' }).click();
    await expect(page.getByText('Exported.')).toBeVisible();
  });

  await test.step('once support has revoked it', async () => {
    await server.start();
    await server.support('revoke', 'Ada');
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect(status).toHaveText('Ada: revoked');
    await expect(page.getByText('Exported.')).toBeHidden();
    await expect(page.getByRole('button', { name: 'Export' })).toBeDisabled();
  });
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
    await usePremium(page, server, example, () => example.stop());
  });
}

for (const [name, packages, words] of [
  ['express', ['sdk', 'vite', 'node'], ['The back end refused: forbidden', (id: string) => `Exported of user ${id}.`]],
  ...(full ? ([['go', ['sdk', 'vite'], ['Refused: forbidden', (id: string) => `Exported: user ${id}`]]] as const) : []),
] as const) {
  test(`the example ${name}: a route for devices with the feature only`, async ({ page, start }) => {
    const { server, example } = await start(name, packages);
    const outcome = page.getByRole('alert');
    const ask = () => page.getByRole('button', { name: 'Export' }).click();
    await createAccount(page, example);
    await expect(page.getByRole('status')).toHaveText('Ada: none');
    await ask();
    await expect(outcome).toHaveText(words[0]);
    await page.getByRole('button', { name: 'Start trial' }).click();
    await expect(page.getByRole('status')).toHaveText(/^Ada: active/);
    await ask();
    const { user } = await server.user('Ada');
    await expect(outcome).toHaveText(words[1](user.id));
    expect((await fetch(`${example.origin}/export`, { method: 'POST' })).status).toBe(401);
  });
}

if (full) {
  test('the example next: its static build, served by Holdfast under its policy', async ({ page, context }) => {
    test.slow(); // its build alone takes most of a minute
    const server = await Server.launch(undefined, ['--app', 'none']);
    let example: Example | undefined;
    try {
      await server.putPlan();
      const roots = await server.keys('roots');
      const { origin } = server;
      example = await Example.build('next', Number(new URL(origin).port), {
        packages: ['sdk', 'react'],
        origin,
        roots,
      });
      await server.restart(['--app', join(example.folder, 'out'), '--csp', `@${join(example.folder, 'csp.txt')}`]);
      const troubles = await watch(context, page);
      await usePremium(page, server, example, async () => {});
      expect(troubles()).toEqual([]);
    } finally {
      await server.dispose();
      await example?.dispose();
    }
  });

  test('the example crdt: two devices edit one text offline, and both have both edits', async ({
    page,
    elsewhere,
    start,
  }) => {
    const { server, example } = await start('crdt', ['sdk', 'vite']);
    const status = (page: Page) => page.getByRole('status');
    const text = (page: Page) => page.getByLabel('Text');
    const passkey = await Authenticator.attach(page);
    await page.goto(example.origin);
    await page.getByLabel('Name').fill('Ada');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('button', { name: 'Start trial' }).click();
    await expect(status(page)).toHaveText('Ada: active, waiting: 0');
    await text(page).fill('tea');
    const other = await Authenticator.attach(elsewhere);
    await other.sync(await passkey.passkeys());
    await elsewhere.goto(example.origin);
    await elsewhere.getByRole('button', { name: 'Sign in' }).click();
    await expect(text(elsewhere)).toHaveValue('tea');

    await server.stop();
    await text(page).fill('green tea');
    await text(elsewhere).fill('tea with milk');
    for (const one of [page, elsewhere]) {
      await expect(status(one)).toHaveText('Ada: active, waiting: 1');
      await one.reload();
    }
    await expect(text(page)).toHaveValue('green tea');
    await server.start();
    for (const one of [page, elsewhere]) {
      await one.evaluate(() => dispatchEvent(new Event('online')));
      await expect(status(one)).toHaveText('Ada: active, waiting: 0');
    }
    for (const one of [page, elsewhere]) await expect(text(one)).toHaveValue('green tea with milk');
    await page.reload();
    await expect(text(page)).toHaveValue('green tea with milk');
  });

  test('the example passwords: a member who has logged in adds a passkey, once', async ({ page, elsewhere, start }) => {
    const { server, example } = await start('passwords', ['sdk', 'vite'], {
      settings: async (server) => ({ HOLDFAST_TOKEN: await server.token('support:read', 'support:write') }),
    });
    const logIn = async (page: Page, password: string) => {
      await page.getByLabel('Name').fill('Ada');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Log in' }).click();
    };
    const add = (page: Page) => page.getByRole('button', { name: 'Add a passkey' }).click();
    expect((await fetch(`${example.origin}/passkey`, { method: 'POST' })).status).toBe(401);

    const locked = await Authenticator.attach(page, { verifying: false });
    await page.goto(example.origin);
    await logIn(page, 'wrong');
    await expect(page.getByRole('alert')).toHaveText('It did not work: wrong_password');
    await logIn(page, 'correct horse');
    await add(page);
    await expect(page.getByRole('alert')).toHaveText('It did not work: cancelled');
    await locked.remove();
    await Authenticator.attach(page);
    await add(page);
    await expect(page.getByRole('status')).toHaveText('Ada: none');
    expect((await server.user('Ada')).user).toMatchObject({ external_id: 'member-17' });

    await Authenticator.attach(elsewhere);
    await elsewhere.goto(example.origin);
    await logIn(elsewhere, 'correct horse');
    await add(elsewhere);
    await expect(elsewhere.getByRole('alert')).toHaveText('It did not work: has_passkey');
  });

  // Stripe is a stand-in, which answers as its API is documented to.
  test('the example stripe: a checkout, and the customer portal', async ({ page, start }) => {
    const asked: Record<string, URLSearchParams> = {};
    const stripe = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
      let body = '';
      for await (const part of request) body += part;
      asked[pathname] = request.method === 'GET' ? searchParams : new URLSearchParams(body);
      const answers: Record<string, object> = {
        '/v1/checkout/sessions': { id: 'cs_1', object: 'checkout.session', url: `${api}/pay` },
        '/v1/subscriptions/search': { object: 'search_result', data: [{ id: 'sub_1', customer: 'cus_1' }] },
        '/v1/billing_portal/sessions': { id: 'bps_1', object: 'billing_portal.session', url: `${api}/portal` },
      };
      const answer = answers[pathname];
      response.setHeader('Content-Type', answer ? 'application/json' : 'text/html');
      response.end(answer ? JSON.stringify(answer) : `<h1>${pathname}</h1>`);
    });
    await new Promise<void>((resolve) => stripe.listen(0, 'localhost', resolve));
    const api = `http://localhost:${(stripe.address() as AddressInfo).port}`;
    try {
      const { server, example } = await start('stripe', ['sdk', 'vite', 'node'], {
        flags: stripeFlags,
        settings: { STRIPE_API: api, STRIPE_API_KEY: 'sk_test_1', STRIPE_PRICE: 'price_premium' },
      });
      await createAccount(page, example);
      await page.getByRole('button', { name: 'Buy premium' }).click();
      await expect(page.getByRole('heading', { name: '/pay' })).toBeVisible();
      const { user } = await server.user('Ada');
      const checkout = asked['/v1/checkout/sessions'];
      expect(checkout?.get('client_reference_id')).toBe(user.id);
      expect(checkout?.get('subscription_data[metadata][holdfast_user]')).toBe(user.id);

      const paid = new Stripe(server.origin, user.id);
      expect(await paid.tell('created', 'active', new Date(Date.now() + 30 * 86_400_000))).toBe(200);
      await page.goto(example.origin);
      await expect(page.getByRole('status')).toHaveText(/^Ada: active, offline until /);
      await expect(page.getByRole('button', { name: 'Export' })).toBeEnabled();
      await page.getByRole('button', { name: 'Manage payments' }).click();
      await expect(page.getByRole('heading', { name: '/portal' })).toBeVisible();
      expect(asked['/v1/billing_portal/sessions']?.get('customer')).toBe('cus_1');
    } finally {
      stripe.close();
    }
  });
}
