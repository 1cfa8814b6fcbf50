// The first visit may load at most 60 kB of script, gzipped: the page's script with everything that it loads automatically,
// and the service worker. Measured on the production build. Signing in, and the page about passkeys and sessions, are
// separate files that are loaded on demand.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const limit = 60_000;

const outDir = await mkdtemp(join(tmpdir(), 'fieldbook-'));
try {
  await build({ root: fileURLToPath(new URL('.', import.meta.url)), logLevel: 'error', build: { outDir } });
  const all = (await readdir(outDir, { recursive: true })).filter((name) => name.endsWith('.js'));
  const scripts = all.filter((name) => !/\b(sign-in|security)-/.test(name));
  if (!scripts.includes('sw.js') || scripts.length !== all.length - 2)
    throw new Error(`not the build as it is meant: ${all}`);
  const sizes = scripts.map(async (name) => gzipSync(await readFile(join(outDir, name)), { level: 9 }).length);
  const size = (await Promise.all(sizes)).reduce((sum, each) => sum + each);
  console.log(`Fieldbook: ${size} of ${limit} bytes of script, gzipped`);
  if (size > limit) process.exitCode = 1;
} finally {
  await rm(outDir, { recursive: true, force: true });
}
