import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, createServer as createDevServer } from 'vite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { examine, holdfast } from '../src/index.ts';

const roots = { current: { kty: 'EC', kid: 'one' }, next: null };
const page = 'http://localhost:5173';

let app: string;
let server: Server;
let origin: string;
/** The server's answer to GET /v1/nonce. */
let nonce: { status: number; allowed?: string };

beforeEach(async () => {
  nonce = { status: 200, allowed: page };
  server = createServer((request, response) => {
    if (request.url === '/roots.json') {
      response.end(JSON.stringify(roots));
      return;
    }
    if (nonce.allowed) response.setHeader('Access-Control-Allow-Origin', nonce.allowed);
    response.statusCode = nonce.status;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  app = await mkdtemp(join(tmpdir(), 'holdfast-vite-'));
  await writeFile(join(app, 'index.html'), '<!doctype html><script type="module" src="/page.js"></script>');
  await writeFile(
    join(app, 'page.js'),
    "import { origin, registerWorker, roots } from 'virtual:holdfast'; console.log(origin, roots); registerWorker();",
  );
});

afterEach(async () => {
  server.close();
  await rm(app, { recursive: true });
});

const settings = (given: string) => ({
  root: app,
  configFile: false as const,
  logLevel: 'silent' as const,
  plugins: [holdfast({ origin: given })],
});

test('a build without roots fails, and names the command that writes them', async () => {
  await expect(build(settings(origin))).rejects.toThrow('holdfast keys roots > holdfast-roots.json');
});

test('vite dev takes the roots of the running server', async () => {
  const dev = await createDevServer({ ...settings(`${origin}/`), server: { middlewareMode: true } });
  const module = await dev.transformRequest('virtual:holdfast');
  await dev.close();
  expect(module?.code).toContain(`"${origin}"`);
  expect(module?.code).toContain('"kid":"one"');
});

test('vite dev says why its pages could not use the server', async () => {
  expect(await examine(origin, page)).toBeNull();
  nonce = { status: 200 };
  expect(await examine(origin, page)).toBe(
    `${origin} does not serve pages of ${page}: start it with holdfast serve --allow-origin ${page}`,
  );
  nonce = { status: 404 };
  expect(await examine(origin, page)).toContain('is it a Holdfast server?');
  server.close();
  server.closeAllConnections();
  expect(await examine(origin, page)).toContain('No Holdfast answers at');
});
