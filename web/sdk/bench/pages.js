// Builds dist/bench, with which e2e/load measures the offline decision: two pages, cached by one service worker. One opens
// the SDK and asks for a feature, the other does one raw WebCrypto verification.
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = here('../dist/bench/');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const bundle = await rolldown({
  input: { setup: here('setup.ts'), sdk: here('sdk.ts'), raw: here('raw.ts') },
  platform: 'browser',
});
await bundle.write({ dir: folder, format: 'es', minify: true });

for (const [page, script] of [
  ['index', 'setup'],
  ['sdk', 'sdk'],
  ['raw', 'raw'],
]) {
  writeFileSync(
    `${folder}${page}.html`,
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${script}</title>
<link rel="icon" href="data:,"><script type="module" src="/${script}.js"></script></html>
`,
  );
}
writeFileSync(`${folder}sample.json`, JSON.stringify(sample()));
const files = readdirSync(folder).map((name) => `'/${name}'`);
writeFileSync(`${folder}sw.js`, readFileSync(here('sw.js'), 'utf8').replace("'__FILES__'", files.join(', ')));

/** A key, a text as long as a document, and its signature. */
function sample() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const text = 'x'.repeat(1_000);
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { jwk: publicKey.export({ format: 'jwk' }), text, signature: [...signature] };
}
