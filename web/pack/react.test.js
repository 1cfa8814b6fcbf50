// @holdfast/react as its users install it, beside the packed client, under React 18 and 19.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const workspace = createRequire(here('../react/package.json'));

let app;
let tarball;
let packed;

/** Packs a workspace and unpacks it into the app. */
function install(folder, name) {
  const options = { cwd: here(folder), encoding: 'utf8' };
  const [pack] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', app], options));
  const target = join(app, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(app, pack.filename), '-C', target, '--strip-components=1']);
  return pack;
}

function copy(folder, name) {
  cpSync(folder, join(app, 'node_modules', name), { recursive: true });
}

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'holdfast-react-'));
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  install('../sdk', '@holdfast/client');
  const pack = install('../react', '@holdfast/react');
  tarball = join(app, pack.filename);
  packed = pack.files.map(({ path }) => path);
  for (const name of ['idb', 'react', 'react-dom', 'scheduler', '@types/react', 'csstype']) {
    copy(dirname(workspace.resolve(`${name}/package.json`)), name);
  }
  writeFileSync(join(app, 'consumer.tsx'), consumer);
  const compilerOptions = {
    ...{ noEmit: true, strict: true, skipLibCheck: true, jsx: 'react-jsx', types: [] },
    ...{ target: 'ES2022', lib: ['ES2022', 'DOM'], module: 'NodeNext', moduleResolution: 'NodeNext' },
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['consumer.tsx'] }));
});

afterAll(() => rmSync(app, { recursive: true, force: true }));

const consumer = `
import { Feature, HoldfastProvider, useFeature, useHoldfast } from '@holdfast/react';
import { type JSX, Suspense } from 'react';

declare module '@holdfast/react' {
  interface Register { feature: 'export' | 'sync' }
}

function Page(): JSX.Element {
  const { user, entitlement, hf } = useHoldfast();
  const may: boolean = useFeature('export');
  // @ts-expect-error no such feature
  useFeature('exprot');
  const until: Date | null = entitlement.until;
  return <button disabled={!may} onClick={() => hf.signIn()}>{user?.name ?? String(until)}</button>;
}

export const app = (
  <HoldfastProvider options={{ origin: 'https://example.test', roots: { current: {}, next: null } }}>
    <Suspense fallback="…"><Page /><Feature name="sync" fallback={<i>no</i>}>yes</Feature></Suspense>
  </HoldfastProvider>
);
`;

test('the pack has the source, what is built from it, and nothing else', () => {
  const built = ['.js', '.js.map', '.d.ts', '.d.ts.map'].map((end) => `dist/index${end}`);
  const rest = ['LICENSE', 'README.md', 'package.json', 'src/index.ts'];
  expect(packed.toSorted()).toEqual([...built, ...rest].toSorted());
  expect(readFileSync(join(app, 'node_modules/@holdfast/react/dist/index.js'), 'utf8')).toMatch(/^'use client';/);
});

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer } });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('attw finds nothing', () => {
  const attw = here('node_modules/@arethetypeswrong/cli/dist/index.js');
  const options = ['--profile', 'esm-only', '--no-color', '--no-emoji'];
  expect(() => execFileSync(process.execPath, [attw, tarball, ...options])).not.toThrow();
});

test.each(['5.4', '5.9', '6', '7'])('the types are right in TypeScript %s', (compiler) => {
  const tsc = here(`node_modules/typescript-${compiler}/bin/tsc`);
  execFileSync(process.execPath, [tsc, '-p', app], { stdio: 'inherit' });
});

const page = `
import { createElement as h, StrictMode, Suspense, version } from 'react';
import { renderToString } from 'react-dom/server';
import { Feature, HoldfastProvider, useHoldfast } from '@holdfast/react';
const Name = () => useHoldfast().user?.name ?? 'nobody';
const options = { origin: 'https://example.test', roots: { current: {}, next: null } };
const feature = h(Feature, { name: 'export', fallback: 'no export' }, 'export');
const app = h(StrictMode, null, h(HoldfastProvider, { options }, h(Suspense, { fallback: 'opening' }, h(Name), ', ', feature)));
const served = renderToString(app).replace(/<!--.*?-->/g, '');

const { Window } = await import('${pathToFileURL(workspace.resolve('happy-dom')).href}');
const window = new Window();
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
const container = document.createElement('div');
const { createRoot } = await import('react-dom/client');
createRoot(container).render(app);
while (!container.textContent || container.textContent === 'opening') await new Promise((resolve) => setTimeout(resolve, 5));
console.log(version.split('.')[0] + ' | ' + served + ' | ' + container.textContent);
process.exit();
`;

test.each(['18', '19'])('React %s renders it on a server, and suspends in a page', (version) => {
  const own = createRequire(import.meta.url);
  for (const name of ['react', 'react-dom', 'scheduler']) {
    rmSync(join(app, 'node_modules', name), { recursive: true });
    const found = version === '18' ? own.resolve(`${name}-18/package.json`) : workspace.resolve(`${name}/package.json`);
    copy(dirname(found), name);
  }
  const options = { cwd: app, encoding: 'utf8', timeout: 60_000 };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', page], options);
  expect(said.trim()).toBe(`${version} | nobody, no export | nobody, no export`);
});
