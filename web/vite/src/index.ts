import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin, ResolvedConfig } from 'vite';
import { type ManifestOptions, VitePWA } from 'vite-plugin-pwa';

/** The settings of {@link holdfast}. */
export interface HoldfastOptions {
  /** The public origin of the Holdfast server, such as `https://app.example.org`. */
  readonly origin: string;
  /**
   * The file with the server's public root keys, written by `holdfast keys roots`, relative to the project's root. Default:
   * `holdfast-roots.json`. Without the file, `vite dev` asks the running server; a build fails, since whoever answered it
   * then would be trusted for good.
   */
  readonly roots?: string;
  /** The web app manifest; without it, none is written. */
  readonly manifest?: Partial<ManifestOptions>;
  /** The files that the service worker precaches, as globs in the build's folder. */
  readonly precache?: readonly string[];
}

/** The module that pages import: see client.d.ts. */
const virtual = 'virtual:holdfast';

const precached = ['**/*.{html,js,css,mjs,wasm,svg,png,jpg,webp,avif,ico,woff2,webmanifest}'];

/**
 * Embeds the server's origin and root keys as `virtual:holdfast`, and builds the service worker `/sw.js`, which precaches the
 * build and reconciles in the background. `vite dev` says at start if its pages could not reach the server.
 *
 * @example
 * // vite.config.ts
 * export default defineConfig({ plugins: [holdfast({ origin: 'http://localhost:8080' })] });
 */
export function holdfast(options: HoldfastOptions): Plugin[] {
  const settings = embed(options);
  return [
    settings,
    ...VitePWA({
      strategies: 'injectManifest',
      srcDir: fileURLToPath(new URL('../worker', import.meta.url)),
      filename: 'sw.js',
      // The plugin's own registration does not run under Trusted Types: pages call registerWorker instead.
      injectRegister: false,
      manifest: options.manifest ?? false,
      injectManifest: {
        globPatterns: [...(options.precache ?? precached)],
        rollupFormat: 'iife',
        sourcemap: false,
        buildPlugins: { vite: [settings] },
      },
    }),
  ];
}

/** Provides `virtual:holdfast`. */
function embed({ origin, roots = 'holdfast-roots.json' }: HoldfastOptions): Plugin {
  const server = new URL(origin).origin;
  let config: ResolvedConfig;
  return {
    name: 'holdfast',
    configResolved(resolved) {
      config ??= resolved; // the worker is built with a configuration of its own
    },
    configureServer({ httpServer, config: { logger } }) {
      httpServer?.once('listening', async () => {
        const address = httpServer.address();
        if (address === null || typeof address === 'string') return;
        const trouble = await examine(server, `http://localhost:${address.port}`);
        if (trouble) logger.warn(`\n  [holdfast] ${trouble}\n`);
      });
    },
    resolveId: (id) => (id === virtual ? `\0${virtual}` : undefined),
    async load(id) {
      if (id !== `\0${virtual}`) return undefined;
      const file = resolve(config.root, roots);
      const text = await readFile(file, 'utf8').catch(() => {
        if (config.command === 'build') throw new Error(`${file} is missing: holdfast keys roots > ${roots}`);
        return fetchRoots(server);
      });
      const register = fileURLToPath(new URL('register.js', import.meta.url));
      return [
        `export const origin = ${JSON.stringify(server)};`,
        `export const roots = ${JSON.stringify(JSON.parse(text))};`,
        `export { registerWorker } from ${JSON.stringify(register)};`,
      ].join('\n');
    },
  };
}

async function fetchRoots(server: string): Promise<string> {
  const answer = await fetch(`${server}/roots.json`).catch((cause: unknown) => {
    throw new Error(`${server} cannot be reached: start it, or write its roots with holdfast keys roots`, { cause });
  });
  if (!answer.ok) throw new Error(`${server}/roots.json: ${answer.status}`);
  return answer.text();
}

/** Says why pages of `page` could not use the server; null: they can. */
export async function examine(server: string, page: string): Promise<string | null> {
  const answer = await fetch(`${server}/v1/nonce`, { headers: { Origin: page } }).catch(() => null);
  if (answer === null) return `No Holdfast answers at ${server}: start it with holdfast serve --allow-origin ${page}`;
  if (page === server || answer.headers.get('Access-Control-Allow-Origin') === page) return null;
  if (!answer.ok) return `${server}/v1/nonce answered ${answer.status}: is it a Holdfast server?`;
  return `${server} does not serve pages of ${page}: start it with holdfast serve --allow-origin ${page}`;
}
