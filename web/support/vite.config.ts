import { defaultClientConditions, defaultServerConditions, defineConfig } from 'vite';
import { words } from '../kit/words-plugin.ts';

export default defineConfig({
  // @holdfast/client as its sources, which need no build.
  resolve: { conditions: ['holdfast-source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['holdfast-source', ...defaultServerConditions] } },
  plugins: [words()],
  base: '/support/',
  build: {
    // Inside the folder that the program embeds, beside the app, which is built first.
    outDir: '../dist/support',
    emptyOutDir: true,
    target: 'es2023',
    // Inlined assets would be data: URLs, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    // The server must know this origin: holdfast serve --origin http://localhost:5173
    proxy: { '/v1': 'http://localhost:8080', '/admin': 'http://localhost:8080' },
  },
});
