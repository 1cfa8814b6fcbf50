import { defaultClientConditions, defaultServerConditions, defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { words } from '../kit/words-plugin.ts';

/**
 * Emptying the output folder deletes its .gitignore. The build writes it again, so that git and go:embed always find the
 * folder.
 */
const keepFolder: Plugin = {
  name: 'keep-folder',
  apply: 'build',
  generateBundle() {
    this.emitFile({
      type: 'asset',
      fileName: '.gitignore',
      source:
        '# Everything here is built from ../app and ../support; this file keeps the folder for go:embed.\n*\n!.gitignore\n',
    });
  },
};

/** The hash of the page as written (Subresource Integrity). */
let pageIntegrity = '';

const hashPage: Plugin = {
  name: 'hash-page',
  apply: 'build',
  async writeBundle(_, bundle) {
    const page = bundle['index.html'];
    if (page?.type !== 'asset') throw new Error('no page was built');
    const bytes = typeof page.source === 'string' ? new TextEncoder().encode(page.source) : page.source;
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes)));
    pageIntegrity = `sha256-${btoa(String.fromCharCode(...hash))}`;
  },
};

function screenshot(name: string, sizes: string, label: string) {
  const form_factor: 'wide' | 'narrow' = name.startsWith('wide') ? 'wide' : 'narrow';
  return { src: `/screenshots/${name}.png`, sizes, type: 'image/png', form_factor, label };
}

export default defineConfig({
  // @holdfast/client as its sources, which need no build.
  resolve: { conditions: ['holdfast-source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['holdfast-source', ...defaultServerConditions] } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2023',
    // Inlined assets would be data: URLs, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    // The server must know this origin: holdfast serve --origin http://localhost:5173
    proxy: {
      '/v1': 'http://localhost:8080',
      '/roots.json': 'http://localhost:8080',
    },
  },
  plugins: [
    words(),
    keepFolder,
    hashPage,
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src',
      filename: 'sw.ts',
      registerType: 'prompt',
      // The plugin's own registration cannot run under Trusted Types; see src/update.ts.
      injectRegister: false,
      injectManifest: {
        // The plugin adds the manifest and its icons itself.
        globPatterns: ['**/*.{html,js,css}'],
        // The support console is built into a folder there, and belongs to the server.
        globIgnores: ['support/**'],
        rollupFormat: 'iife',
        sourcemap: false,
        manifestTransforms: [
          // The page is precached under the URL it is opened by. A later version has the same URL, so the worker checks its
          // hash to see whether it fits the cached scripts.
          async (entries) => ({
            manifest: entries.map((entry) =>
              entry.url === 'index.html' ? { ...entry, url: '/', integrity: pageIntegrity } : entry,
            ),
          }),
          // The root keys belong to the server, not to the build: it fills in both placeholders at start. So new roots
          // arrive like any update.
          async (entries) => ({
            manifest: [
              ...entries,
              { url: '/roots.json', revision: '__ROOTS_REVISION__', integrity: '__ROOTS_INTEGRITY__', size: 0 },
            ],
          }),
        ],
      },
      manifest: {
        id: '/',
        name: 'Fieldbook',
        short_name: 'Fieldbook',
        description: 'A notebook that works offline. One tap of a passkey, no password.',
        lang: 'en',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        background_color: '#f6f5f1',
        theme_color: '#f6f5f1',
        categories: ['productivity'],
        icons: [
          { src: '/icons/icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' },
          { src: '/icons/icon-192.png', sizes: '192x192', type: 'image/png', purpose: 'any' },
          { src: '/icons/icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'any' },
          { src: '/icons/maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
        // Taken from the app: npm --prefix e2e run screenshots
        screenshots: [
          screenshot('wide-note', '1280x800', 'A note beside the list of all notes'),
          screenshot('wide-account', '1280x800', 'What you have, and until when it works offline'),
          screenshot('narrow-list', '585x1266', 'All notes'),
          screenshot('narrow-note', '585x1266', 'A note'),
          screenshot('narrow-account', '585x1266', 'What you have, and until when it works offline'),
        ],
        shortcuts: [
          { name: 'New note', url: '/#/new', icons: [{ src: '/icons/icon-192.png', sizes: '192x192' }] },
          { name: 'Account', url: '/#/account', icons: [{ src: '/icons/icon-192.png', sizes: '192x192' }] },
        ],
      },
    }),
  ],
});
