import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Frame, Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { Server } from './support/server.ts';
import { test as base, expect } from './support/test.ts';

// Pages of other origins. Names below localhost are this machine, and two labels make a site.

const allow = 'publickey-credentials-get *; publickey-credentials-create *';

/** Serves pages under any name of this machine, with only a frame of the URL in `?frame=`. */
const test = base.extend<{ port: number }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from it
  port: async ({}, use) => {
    const http = createServer((incoming, outgoing) => {
      const frame = new URL(incoming.url ?? '', 'http://localhost').searchParams.get('frame');
      outgoing.setHeader('Content-Type', 'text/html');
      outgoing.end(
        `<!doctype html><title>Page</title>${frame ? `<iframe src="${frame}" allow="${allow}"></iframe>` : ''}`,
      );
    });
    await new Promise<void>((resolve) => http.listen(0, 'localhost', resolve));
    await use((http.address() as AddressInfo).port);
    http.closeAllConnections();
    http.close();
  },
});

/** Sends a request to the server from a page or frame, as a script would: with cookies, and CORS where it applies. */
function ask(from: Page | Frame, server: string, method: string, path: string, body?: unknown) {
  return from.evaluate(
    async ([url, method, body]) => {
      const init = { method, credentials: 'include' as const, headers: { 'Content-Type': 'application/json' } };
      const answer = await fetch(url, body === undefined ? { ...init, headers: {} } : { ...init, body }).catch(
        () => null,
      );
      return answer && { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
    },
    [server + path, method, body === undefined ? undefined : JSON.stringify(body)] as const,
  );
}

/** Lets the browser answer the options of a ceremony, and returns the body to post. */
function prompt(from: Page | Frame, options: { ceremony: string; publicKey: object }) {
  return from.evaluate(async ({ ceremony, publicKey }) => {
    const made =
      'rp' in publicKey
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(
              publicKey as PublicKeyCredentialCreationOptionsJSON,
            ),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(
              publicKey as PublicKeyCredentialRequestOptionsJSON,
            ),
          });
    return { ceremony, credential: (made as PublicKeyCredential).toJSON() };
  }, options);
}

async function ceremony(from: Page | Frame, server: string, kind: string, request: object) {
  const options = await ask(from, server, 'POST', `/v1/${kind}/options`, request);
  if (options?.status !== 200) return options;
  return ask(from, server, 'POST', `/v1/${kind}`, await prompt(from, options.body));
}

test('a server at auth. and an app at app. of one site share passkeys and the session with no other origin', async ({
  page,
  port,
}) => {
  const at = (name: string) => `http://${name}.localhost:${port}`;
  const [app, other, evil] = [at('app.site'), at('other.site'), at('evil')];
  const server = await Server.launch(
    (own) => `http://auth.site.localhost:${own}`,
    [...['--rp-id', 'site.localhost'], ...['--allow-origin', app]],
  );
  const { origin } = server;
  try {
    await Authenticator.attach(page);
    await page.goto(app);
    await test.step('the app registers, is signed in, and signs in again', async () => {
      const registered = await ceremony(page, origin, 'registration', { name: 'Ada' });
      expect(registered).toMatchObject({ status: 201, body: { user: { name: 'Ada' } } });
      expect(await ask(page, origin, 'GET', '/v1/session')).toMatchObject({ status: 200 });
      expect(await ask(page, origin, 'DELETE', '/v1/session')).toMatchObject({ status: 204 });
      expect(await ask(page, origin, 'GET', '/v1/session')).toMatchObject({ status: 401 });
      expect(await ceremony(page, origin, 'authentication', {})).toMatchObject({ status: 200 });
      const cookies = await page.context().cookies();
      expect(cookies).toMatchObject([{ domain: 'auth.site.localhost', httpOnly: true, sameSite: 'Strict' }]);
    });

    await test.step('the server’s own page accepts the same passkey', async () => {
      await page.goto(origin);
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await expect(page.getByRole('button', { name: 'New note' })).toBeVisible();
    });

    await test.step('another origin of the site may use the passkey, but gains nothing', async () => {
      await page.goto(other);
      expect(await ask(page, origin, 'POST', '/v1/authentication/options', {})).toBeNull();
      expect(await ask(page, origin, 'GET', '/v1/session')).toBeNull();
      await page.goto(app);
      const options = await ask(page, origin, 'POST', '/v1/authentication/options', {});
      await page.goto(other);
      const stolen = await prompt(page, options?.body);
      await page.goto(app);
      expect(await ask(page, origin, 'POST', '/v1/authentication', stolen)).toMatchObject({
        status: 400,
        body: { code: 'credential_rejected' },
      });
    });

    await test.step('in a frame of another site, the app’s passkey is refused, and the session is not sent', async () => {
      await page.goto(`${evil}/?frame=${encodeURIComponent(app)}`);
      const [, frame] = page.frames();
      if (!frame) throw new Error('no frame');
      await frame.waitForLoadState();
      expect(await ask(frame, origin, 'GET', '/v1/session')).toMatchObject({ status: 401 });
      expect(await ceremony(frame, origin, 'authentication', {})).toMatchObject({
        status: 400,
        body: { code: 'credential_rejected' },
      });
    });
  } finally {
    await server.dispose();
  }
});

test('no page of another origin can frame the app', async ({ page, server, port }) => {
  for (const name of ['evil.localhost', 'localhost']) {
    const refused = page.waitForEvent('console', (message) => /frame-ancestors/.test(message.text()));
    await page.goto(`http://${name}:${port}/?frame=${encodeURIComponent(`${server.origin}/#/security`)}`);
    await refused;
    const [, frame] = page.frames();
    expect(frame?.url() ?? '').not.toContain(server.origin);
  }
});
