import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Authenticator } from './support/authenticator.ts';
import { freePort, Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Somebody's page: it puts what the library answers where the test can read it. */
const page = (origin: string, roots: string) => `
import { openHoldfast } from '@holdfast/client';
globalThis.holdfast = await openHoldfast({ origin: '${origin}', roots: ${roots} });
document.title = 'open';
`;

/** The README's Express program, with CORS for the page before its guard. */
function backEnd(readme: string, origin: string, own: string): string {
  const [, program = ''] = /```js\n(.*?)```/s.exec(readme) ?? [];
  const cors = `app.use((request, response, next) => {
  response.set({
    'Access-Control-Allow-Origin': '${origin}',
    'Access-Control-Allow-Headers': 'Authorization, DPoP, Content-Type',
    'Access-Control-Expose-Headers': 'DPoP-Nonce, WWW-Authenticate',
  });
  if (request.method === 'OPTIONS') response.sendStatus(204);
  else next();
});`;
  return program
    .replace('https://app.example.com', origin)
    .replace('https://api.example.com', own)
    .replace('3000', new URL(own).port)
    .replace('const app = express();', `const app = express();\n${cors}`);
}

/** Bundles sources of the workspace: building the packages in place would disturb their tests. */
const bundle = `
import { rolldown } from 'rolldown';
const [input, file, platform] = process.argv.slice(2);
const external = (id) => platform === 'node' && /^[^./]/.test(id) && !id.startsWith('@holdfast/');
const bundled = await rolldown({ input, platform, external, resolve: { conditionNames: ['holdfast-source', 'import', 'default'] } });
await bundled.write({ file, format: 'es', codeSplitting: false });
`;

test('a page calls a back end that lets only devices with the feature pass', async ({ page: tab }) => {
  const folder = await mkdtemp(join(tmpdir(), 'hf-host-'));
  const own = `http://localhost:${await freePort()}`;
  await mkdir(join(folder, 'app'));
  await writeFile(
    join(folder, 'app/index.html'),
    '<!doctype html><title>…</title><script type="module" src="/page.js"></script>',
  );
  await writeFile(join(folder, 'app/page.js'), '');
  await symlink(here('../web/node_modules'), join(folder, 'node_modules'));
  const server = await Server.launch(undefined, ['--app', join(folder, 'app'), '--csp', `connect-src ${own}`]);
  try {
    await server.putPlan();
    const roots = await server.keys('roots');
    await writeFile(join(folder, 'roots.json'), roots);
    await writeFile(join(folder, 'bundle.mjs'), bundle);
    await writeFile(join(folder, 'page.mjs'), page(server.origin, roots));
    const readme = await readFile(here('../web/node/README.md'), 'utf8');
    await writeFile(join(folder, 'shop.mjs'), backEnd(readme, server.origin, own));
    const make = (...options: string[]) => promisify(execFile)('node', ['bundle.mjs', ...options], { cwd: folder });
    await make('page.mjs', 'app/page.js', 'browser');
    await make('shop.mjs', 'bundled.mjs', 'node');
    const shop = spawn('node', ['bundled.mjs'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      await expect(async () => expect((await fetch(`${own}/me`)).status).toBe(401)).toPass({ timeout: 60_000 });
      await Authenticator.attach(tab);
      await tab.goto(server.origin);
      await expect(tab).toHaveTitle('open');

      const call = (path: string, method: string) =>
        tab.evaluate(
          async ([url, method]) => {
            const answer = await holdfast.fetch(url as string, { method: method as string });
            return answer.ok ? answer.text() : ((await answer.json()) as { code: string }).code;
          },
          [own + path, method],
        );
      await tab.evaluate(() => holdfast.register('Ada'));
      const user = await tab.evaluate(() => `user ${holdfast.user?.id}`);
      expect(await call('/me', 'GET')).toBe(user);
      expect(await call('/export', 'POST')).toBe('forbidden');
      await tab.evaluate(() => holdfast.startTrial());
      for (let i = 0; i < 3; i++) expect(await call('/export', 'POST')).toBe(user);

      await server.support('revoke', 'Ada');
      await expect.poll(() => call('/export', 'POST'), { timeout: 60_000 }).toMatch(/^(revoked|forbidden)$/);
    } finally {
      shop.kill();
    }
  } finally {
    await server.dispose();
    await rm(folder, { recursive: true, force: true });
  }
});

declare const holdfast: {
  readonly user: { readonly id: string } | null;
  register(name: string): Promise<unknown>;
  startTrial(): Promise<unknown>;
  fetch(url: string, init: RequestInit): Promise<Response>;
};
