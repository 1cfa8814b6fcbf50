// Builds what the package publishes beside src/: dist/ has each module with its types and source maps, dist/standalone/ two
// entries as one file each, for pages without a bundler. Inside the workspace, the sources are used directly.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
rmSync(path('dist'), { recursive: true, force: true });
copyFileSync(path('../../LICENSE'), path('LICENSE'));
execFileSync('npx', ['tsc', '-p', path('tsconfig.build.json')], { stdio: 'inherit' });

// The compiler renames imports in scripts only.
for (const name of readdirSync(path('dist'), { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const types = readFileSync(path(`dist/${name}`), 'utf8');
  writeFileSync(path(`dist/${name}`), types.replace(/(['"]\.{1,2}\/[^'"\n]*)\.ts(?=['"])/g, '$1.js'));
}

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
