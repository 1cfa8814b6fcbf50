// After `next build`: the service worker, and the Content-Security-Policy that allows the inline scripts of the pages.
// Turbopack loads scripts without a Trusted Types policy, so Trusted Types are switched off.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { generateSW } from 'workbox-build';

const scripts = readdirSync('out', { recursive: true })
  .filter((name) => name.endsWith('.html'))
  .flatMap((name) => [...readFileSync(`out/${name}`, 'utf8').matchAll(/<script(?![^>]* src=)[^>]*>(.*?)<\/script>/gs)])
  .map(([, script]) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
writeFileSync(
  'csp.txt',
  `default-src 'self'; object-src 'none'; base-uri 'none'; script-src 'self' ${[...new Set(scripts)].join(' ')}; ` +
    'require-trusted-types-for',
);

await generateSW({
  globDirectory: 'out',
  globPatterns: ['**/*.{html,js,css,txt,woff2,ico,svg,png}'],
  swDest: 'out/sw.js',
  clientsClaim: true,
  navigateFallback: '/index.html',
  navigateFallbackDenylist: [/^\/(v1|admin|support|\.well-known)\b/],
  inlineWorkboxRuntime: true,
  sourcemap: false,
});
