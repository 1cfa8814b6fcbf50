import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Authenticator } from './support/authenticator.ts';
import { OwnApp } from './support/own-app.ts';
import { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

type Sdk = typeof import('../web/sdk/src/index.ts');

/** Builds and starts the back end with the real guard. */
async function startGuarded(server: Server, pages: string) {
  const program = fileURLToPath(new URL('../bin/guarded', import.meta.url));
  const build = spawn('go', ['build', '-o', program, './guarded'], { stdio: 'inherit' });
  expect((await once(build, 'exit'))[0]).toBe(0);
  const guarded = spawn(program, [server.origin, pages], { stdio: ['pipe', 'pipe', 'inherit'] });
  guarded.stdin.end(await server.keys('roots'));
  const [origin] = await once(createInterface(guarded.stdout), 'line');
  return { origin: String(origin), stop: () => guarded.kill() };
}

test("an own app calls its guarded back end with the user's document", async ({ page }) => {
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  const guarded = await startGuarded(server, app.origin);
  try {
    await Authenticator.attach(page);
    await page.goto(app.origin);
    const given = { origin: server.origin, api: guarded.origin, roots: JSON.parse(await server.keys('roots')) };

    /** The back end's answer, or the code of the failure. */
    const ask = (path: string, method = 'POST') =>
      page.evaluate(
        async ({ origin, roots, api, path, method }) => {
          const { openHoldfast }: Sdk = await import('/sdk.js' as string);
          const hf = await openHoldfast({ origin, roots });
          try {
            if (!hf.user) await hf.register('Ada');
            const init = method === 'POST' ? { method, body: 'Grüße' } : { method };
            const response = await hf.fetch(api + path, init);
            return response.ok ? await response.text() : ((await response.json()) as { code: string }).code;
          } catch (error) {
            return (error as { code?: string }).code ?? String(error);
          } finally {
            hf.close();
          }
        },
        { ...given, path, method },
      );

    await test.step('without the feature it is refused', async () => {
      expect(await ask('/export/notes')).toBe('forbidden');
    });
    await test.step('with it, the nonce is fetched, and document, proof and body pass', async () => {
      await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * 86_400_000));
      const answers: number[] = [];
      page.on('response', (response) => {
        if (response.url().startsWith(guarded.origin) && response.request().method() === 'POST') {
          answers.push(response.status());
        }
      });
      await expect.poll(() => ask('/export/my%20notes%2F1?page=2#top')).toBe('my notes/1: Grüße');
      expect(answers.slice(-2)).toEqual([401, 200]);
    });
    await test.step('a redirect takes the document nowhere', async () => {
      expect(await ask('/away', 'GET')).toBe('no_contact');
    });
    await test.step('a revocation reaches the back end', async () => {
      await server.support('revoke', 'Ada');
      await expect.poll(() => ask('/export/notes')).not.toContain('Grüße');
    });
  } finally {
    guarded.stop();
    await server.dispose();
    app.close();
  }
});
