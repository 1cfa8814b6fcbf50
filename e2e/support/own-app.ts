import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';

const web = new URL('../../web/', import.meta.url);

/** Somebody's own app: pages at an origin of their own, with the SDK as a bundler makes it and nothing of Fieldbook. */
export class OwnApp {
  readonly origin: string;
  readonly #server: Server;
  readonly #files: Map<string, string>;

  private constructor(server: Server, files: Map<string, string>) {
    this.#server = server;
    this.#files = files;
    this.origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  }

  static async serve(): Promise<OwnApp> {
    const { rolldown } = await import(pathToFileURL(createRequire(web).resolve('rolldown')).href);
    const bundle = await rolldown({
      input: {
        sdk: fileURLToPath(new URL('sdk/src/index.ts', web)),
        ledger: fileURLToPath(new URL('sdk/src/ledger.ts', web)),
        vault: fileURLToPath(new URL('sdk/src/vault.ts', web)),
        worker: fileURLToPath(new URL('sdk/src/worker.ts', web)),
      },
      platform: 'browser',
    });
    const { output } = await bundle.generate({ format: 'es', entryFileNames: '[name].js' });
    const files = new Map<string, string>(
      output.map(({ fileName, code }: { fileName: string; code: string }) => [`/${fileName}`, code]),
    );
    const server = createServer(({ url = '' }, response) => {
      const code = files.get(url);
      response.setHeader('Content-Type', code === undefined ? 'text/html' : 'text/javascript');
      response.end(code ?? '<!doctype html><title>Own app</title><link rel="icon" href="data:,">');
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    return new OwnApp(server, files);
  }

  /** Gives the app a service worker, `/sw.js`: a module, which uploads acts when the browser wakes it. It never dawdles. */
  addWorker(origin: string, roots: string): void {
    this.#files.set(
      '/sw.js',
      `import { ledgerUploads, reconcileInBackground } from '/worker.js';
      Math.random = () => 0;
      reconcileInBackground({ origin: ${JSON.stringify(origin)}, roots: ${roots}, ledger: ledgerUploads });`,
    );
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
