// Builds what the package publishes beside src/: the modules, and in dist/standalone/ two entries as one file each, for pages
// without a bundler.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { buildModules } from '../build-modules.js';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
buildModules(import.meta.url);

const { version, license } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
const idb = readFileSync(new URL('../LICENSE', import.meta.resolve('idb')), 'utf8');
for (const [entry, name] of [
  ['index', 'holdfast'],
  ['worker', 'worker'],
]) {
  const bundle = await rolldown({ input: path(`src/${entry}.ts`), platform: 'browser' });
  await bundle.write({
    file: path(`dist/standalone/${name}.js`),
    format: 'es',
    codeSplitting: false,
    minify: true,
    comments: false,
    sourcemap: true,
    postBanner: `/*! @holdfast/client ${version}, ${license}. Contains idb:\n\n${idb.trim()}\n*/`,
  });
}
