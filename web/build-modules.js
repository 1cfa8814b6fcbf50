// Builds what a package publishes beside src/: dist/ has each module with its types and source maps, and LICENSE is the
// project's. Inside the workspace, the sources are used directly.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** `folder` is the package's URL. */
export function buildModules(folder) {
  const path = (name) => fileURLToPath(new URL(name, folder));
  rmSync(path('dist'), { recursive: true, force: true });
  copyFileSync(path('../../LICENSE'), path('LICENSE'));
  execFileSync('npx', ['tsc', '-p', path('tsconfig.build.json')], { stdio: 'inherit' });
  // The compiler renames imports in scripts only.
  for (const name of readdirSync(path('dist'), { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const types = readFileSync(path(`dist/${name}`), 'utf8');
    writeFileSync(path(`dist/${name}`), types.replace(/(['"]\.{1,2}\/[^'"\n]*)\.ts(?=['"])/g, '$1.js'));
  }
}

/** Builds @holdfast/client unless it is built: the compiler reads its types as its users do. Pack it before its dependents. */
export function needClient() {
  if (existsSync(new URL('sdk/dist/', import.meta.url))) return;
  execFileSync(process.execPath, [fileURLToPath(new URL('sdk/build.js', import.meta.url))], { stdio: 'inherit' });
}
