// The core (open, verify and reconcile, including idb) may add at most 12 kB to a page. Signing in and out, locking, and the
// automatic work are separate files that are loaded on demand and do not count.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const limit = 12_000;

const page = `export { openHoldfast } from '${fileURLToPath(new URL('src/index.ts', import.meta.url))}';`;

const bundle = await rolldown({
  input: 'page.js',
  platform: 'browser',
  external: [/\/(sign-in|auto)\.ts$/],
  plugins: [
    {
      name: 'page',
      resolveId: (id) => (id === 'page.js' ? id : undefined),
      load: (id) => (id === 'page.js' ? page : undefined),
    },
  ],
});
const { output } = await bundle.generate({ format: 'es', minify: true, comments: false });
const [{ code, dynamicImports, moduleIds }] = output;
const size = gzipSync(code, { level: 9 }).length;

const whole = output.length === 1 && dynamicImports.length === 2;
if (!whole || !moduleIds.some((id) => id.includes('/idb/'))) throw new Error('this is not the core as it is meant');
console.log(`SDK core: ${size} of ${limit} bytes, gzipped`);
if (size > limit) process.exitCode = 1;
