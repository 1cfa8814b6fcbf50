// @holdfast/client as its users install it: packed once, and unpacked outside the repository.
import { execFile, execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What a tool prints about a fault; '' if it finds none. */
const faults = (script, ...options) =>
  promisify(execFile)(process.execPath, [script, ...options]).then(
    () => '',
    (error) => error.stdout || String(error),
  );

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { resolve } = createRequire(import.meta.url);

/** The most bytes that opening, verifying and reconciling may add to a page. */
const limit = 12_000;

let app;
let tarball;
let packed;

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
  const [pack] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', app], { cwd: here('../sdk'), encoding: 'utf8' }),
  );
  tarball = join(app, pack.filename);
  packed = pack.files.map(({ path }) => path);
  const client = join(app, 'node_modules/@holdfast/client');
  mkdirSync(client, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', client, '--strip-components=1']);
  cpSync(dirname(resolve('idb/package.json')), join(app, 'node_modules/idb'), { recursive: true });
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  copyFileSync(here('consumer.ts'), join(app, 'consumer.ts'));
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipDefaultLibCheck: true,
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    types: [],
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['consumer.ts'] }));
});

afterAll(() => rmSync(app, { recursive: true, force: true }));

const read = (path) => readFileSync(join(app, 'node_modules/@holdfast/client', path), 'utf8');

test('the pack has the sources, what is built from them, and nothing else', () => {
  const modules = readdirSync(here('../sdk/src'), { recursive: true }).filter((name) => name.endsWith('.ts'));
  const built = modules.flatMap((name) =>
    ['.js', '.js.map', '.d.ts', '.d.ts.map'].map((end) => `dist/${name.replace(/\.ts$/, end)}`),
  );
  const oneFile = ['holdfast', 'worker'].flatMap((name) => [`${name}.js`, `${name}.js.map`]);
  expect(packed.toSorted()).toEqual(
    [
      ...['LICENSE', 'README.md', 'package.json'],
      ...modules.map((name) => `src/${name}`),
      ...built,
      ...oneFile.map((name) => `dist/standalone/${name}`),
    ].toSorted(),
  );
  expect(read('LICENSE')).toBe(readFileSync(here('../../LICENSE'), 'utf8'));
});

test('the source maps lead to sources in the pack', () => {
  const missing = packed
    .filter((path) => path.endsWith('.map'))
    .flatMap((path) => JSON.parse(read(path)).sources.map((source) => join(dirname(path), source)))
    .filter((source) => !packed.includes(source) && !source.includes('node_modules/idb/'));
  expect(missing).toEqual([]);
});

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer } });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('attw finds nothing', async () => {
  const attw = here('node_modules/@arethetypeswrong/cli/dist/index.js');
  const options = ['--profile', 'esm-only', '--no-color', '--no-emoji'];
  expect(await faults(attw, tarball, ...options)).toBe('');
});

const compilers = ['5.4', '5.9', '6', '7'];
const resolutions = { bundler: 'ESNext', node16: 'Node16', nodenext: 'NodeNext' };

test.concurrent.each(
  compilers.flatMap((compiler) =>
    Object.entries(resolutions).map(([resolution, module]) => [compiler, resolution, module]),
  ),
)('the types are right in TypeScript %s, resolved as %s', async (compiler, resolution, module) => {
  const folder = here(`node_modules/typescript-${compiler}`);
  expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version).toMatch(new RegExp(`^${compiler}\\.`));
  const options = ['-p', app, '--moduleResolution', resolution, '--module', module];
  expect(await faults(join(folder, 'bin/tsc'), ...options)).toBe('');
});

test('the core is small as a bundler makes it', async () => {
  writeFileSync(join(app, 'index.html'), '<!doctype html><script type="module" src="page.js"></script>');
  writeFileSync(
    join(app, 'page.js'),
    `import { openHoldfast } from '@holdfast/client'; globalThis.opened = openHoldfast({ origin: location.origin, roots: {} });`,
  );
  const { output } = await build({ root: app, configFile: false, logLevel: 'silent', build: { write: false } });
  const entry = output.find(({ isEntry }) => isEntry);
  expect(entry.imports).toEqual([]);
  expect(entry.moduleIds.some((id) => id.includes('/idb/'))).toBe(true);
  // Signing in and out, locking, automatic work, and requests to other back ends are loaded on demand.
  expect(entry.dynamicImports).toHaveLength(3);
  const size = gzipSync(entry.code, { level: 9 }).length;
  console.log(`SDK core in a page built by Vite: ${size} of ${limit} bytes, gzipped`);
  expect(size).toBeLessThanOrEqual(limit);
});

test('the one-file builds import nothing', () => {
  for (const name of ['holdfast', 'worker']) {
    expect(read(`dist/standalone/${name}.js`)).not.toMatch(/\bimport\b|\bfrom\s*['"`]/);
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
  const options = { cwd: app, encoding: 'utf8', timeout: 60_000 };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], options);
  expect(said.trim()).toBe('null none false not_supported');
});

test('every entry can be imported without a window', async () => {
  const { exports } = JSON.parse(read('package.json'));
  const entries = Object.values(exports).filter((entry) => entry.default);
  expect(entries).toHaveLength(6);
  for (const { default: path } of entries) {
    const code = `console.log(Object.values(await import('./node_modules/@holdfast/client/${path}')).length)`;
    const started = execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: app, encoding: 'utf8' });
    expect(Number(started)).toBeGreaterThan(0);
  }
});
