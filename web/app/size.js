// The first visit may load at most 60 kB of script, gzipped: the page's script with everything that it loads automatically,
// and the service worker. Measured on the production build. Signing in, the pages about the account, passkeys and sessions,
// with the lock screen, the words for failures, and German are loaded on demand, with the files that only they need.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const limit = 60_000;
const onDemand = ['sign-in', 'account', 'security', 'failure', 'de'];

const outDir = await mkdtemp(join(tmpdir(), 'fieldbook-'));
try {
  const root = fileURLToPath(new URL('.', import.meta.url));
  const { output } = await build({ root, logLevel: 'error', build: { outDir } });
  const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((chunk) => [chunk.fileName, chunk]));
  const left = new Set();
  const loaded = new Map();
  const load = (chunk) => {
    if (onDemand.includes(chunk.name)) left.add(chunk.name);
    else if (!loaded.has(chunk.fileName)) {
      loaded.set(chunk.fileName, chunk.code);
      for (const name of [...chunk.imports, ...chunk.dynamicImports]) load(chunks.get(name));
    }
  };
  load(output.find(({ isEntry }) => isEntry));
  if (left.size !== onDemand.length) throw new Error(`loaded on demand are only ${[...left]}`);
  const scripts = [...loaded.values(), await readFile(join(outDir, 'sw.js'))];
  const size = scripts.reduce((sum, script) => sum + gzipSync(script, { level: 9 }).length, 0);
  console.log(`Fieldbook: ${size} of ${limit} bytes of script, gzipped`);
  if (size > limit) process.exitCode = 1;
} finally {
  await rm(outDir, { recursive: true, force: true });
}
