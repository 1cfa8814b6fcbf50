// Builds dist/, the published package; inside the workspace, the sources are used directly.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
rmSync(folder('dist'), { recursive: true, force: true });
execFileSync('npx', ['tsc', '-p', folder('tsconfig.build.json')], { stdio: 'inherit' });

const { name, version, description, license, type, sideEffects, dependencies } = JSON.parse(
  readFileSync(folder('package.json'), 'utf8'),
);
const published = { name, version, description, license, type, sideEffects, dependencies };
const entry = (name) => ({ types: `./${name}.d.ts`, default: `./${name}.js` });
const exports = {
  '.': entry('index'),
  './explanation': entry('explanation'),
  './prompt': entry('prompt'),
  './worker': entry('worker'),
};
writeFileSync(folder('dist/package.json'), `${JSON.stringify({ ...published, exports }, null, 2)}\n`);
