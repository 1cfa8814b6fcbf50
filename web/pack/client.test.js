// @holdfast/client as its users install it.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { expect, test } from 'vitest';
import { checkPack } from './packed.js';

/** The most bytes that opening, verifying and reconciling may add to a page. */
const limit = 12_000;

/** The most bytes that the ledger may add, once the app loads it. */
const ledgerLimit = 4_096;

const oneFile = ['holdfast', 'worker'].flatMap((name) => [
  `dist/standalone/${name}.js`,
  `dist/standalone/${name}.js.map`,
]);
const app = checkPack({
  name: '@holdfast/client',
  folder: 'sdk',
  consumer: 'consumer.ts',
  modules: ['idb', 'jose'],
  extra: oneFile,
});

/** What Vite makes of a page with the core; `also` is further code of its script. */
async function buildPage(also = '') {
  const root = app.folder();
  writeFileSync(join(root, 'index.html'), '<!doctype html><script type="module" src="page.js"></script>');
  writeFileSync(
    join(root, 'page.js'),
    `import { openHoldfast } from '@holdfast/client'; globalThis.opened = openHoldfast({ origin: location.origin, roots: {} }); ${also}`,
  );
  const { output } = await build({ root, configFile: false, logLevel: 'silent', build: { write: false } });
  return output;
}

/**
 * The files that are loaded with one. The bundler may put what later files share into files beside the entry, which the page
 * loads with it.
 */
function loadedWith(chunk, output) {
  const names = new Set([chunk.fileName]);
  for (const name of names)
    for (const next of output.find(({ fileName }) => fileName === name).imports) names.add(next);
  return output.filter(({ fileName }) => names.has(fileName));
}

const sizeOf = (files) => files.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);

test('the core is small as a bundler makes it', async () => {
  const output = await buildPage();
  const entry = output.find(({ isEntry }) => isEntry);
  const files = loadedWith(entry, output);
  expect(files.some(({ moduleIds }) => moduleIds.some((id) => id.includes('/idb/')))).toBe(true);
  // Signing in and out, locking, automatic work, requests to other back ends, and diagnoses are loaded on demand.
  expect(entry.dynamicImports).toHaveLength(4);
  const size = sizeOf(files);
  console.log(`SDK core in a page built by Vite: ${size} of ${limit} bytes, gzipped`);
  expect(size).toBeLessThanOrEqual(limit);
});

test('the ledger is small, and loaded when the app asks for it', async () => {
  const output = await buildPage(`globalThis.later = () => import('@holdfast/client/ledger');`);
  const core = loadedWith(
    output.find(({ isEntry }) => isEntry),
    output,
  );
  const ledger = output.find(({ facadeModuleId }) => facadeModuleId?.endsWith('/dist/ledger.js'));
  const size = sizeOf(loadedWith(ledger, output).filter((file) => !core.includes(file)));
  console.log(`ledger, beside the core: ${size} of ${ledgerLimit} bytes, gzipped`);
  expect(size).toBeLessThanOrEqual(ledgerLimit);
});

test('the one-file builds import nothing', () => {
  for (const name of ['holdfast', 'worker']) {
    expect(app.read(`dist/standalone/${name}.js`)).not.toMatch(/\bimport\b|\bfrom\s*['"`]/);
  }
});

test('without a window nothing is known yet, and the process ends by itself', () => {
  const code = `
    import { openHoldfast } from '@holdfast/client';
    const hf = await openHoldfast({ origin: 'https://example.test', roots: () => fetch('https://example.test/roots.json') });
    const { snapshot, has, subscribe, start } = hf;
    subscribe(() => {});
    start();
    const { code } = await hf.signIn().catch((error) => error);
    console.log(snapshot().user, snapshot().entitlement.state, has('export'), code);`;
  const options = { cwd: app.folder(), encoding: 'utf8', timeout: 60_000 };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], options);
  expect(said.trim()).toBe('null none false not_supported');
});
