// @holdfast/react as its users install it, under React 18 and 19.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { checkPack } from './packed.js';

const workspace = createRequire(new URL('../react/package.json', import.meta.url));
const own = createRequire(import.meta.url);

const app = checkPack({
  name: '@holdfast/react',
  folder: 'react',
  // The oldest and the newest: with the types of others, each run takes seconds.
  compilers: ['5.4', '7'],
  consumer: 'react-app.tsx',
  requires: [{ name: '@holdfast/client', folder: 'sdk' }],
  modules: ['idb', 'react', 'react-dom', 'scheduler', '@types/react', 'csstype'],
  compilerOptions: { jsx: 'react-jsx' },
});

test('its module is for the client in frameworks with server components', () => {
  expect(app.read('dist/index.js')).toMatch(/^'use client';/);
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
  const folder = app.folder();
  for (const name of ['react', 'react-dom', 'scheduler']) {
    const found = version === '18' ? own.resolve(`${name}-18/package.json`) : workspace.resolve(`${name}/package.json`);
    rmSync(join(folder, 'node_modules', name), { recursive: true });
    cpSync(dirname(found), join(folder, 'node_modules', name), { recursive: true });
  }
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000 };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', page], options);
  expect(said.trim()).toBe(`${version} | nobody, no export | nobody, no export`);
});
