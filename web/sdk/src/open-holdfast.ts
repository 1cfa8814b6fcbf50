import { Client } from './client.ts';
import type { Holdfast } from './holdfast.ts';
import type { Options } from './options.ts';
import type { Roots } from './roots.ts';
import { Server } from './server.ts';
import { Store } from './store.ts';
import { type TrustedRoots, trustRoots } from './trusted-roots.ts';

/**
 * Opens what this device holds and verifies it, without network, in milliseconds. Never rejects for what it finds:
 * broken storage and a refused document are told in `entitlement.error`.
 *
 * @example
 * const hf = await openHoldfast({ origin: location.origin, roots: async () => (await fetch("/roots.json")).json() });
 * if (hf.has("export")) showExport();
 */
export async function openHoldfast(options: Options): Promise<Holdfast> {
  const {
    origin,
    rpId,
    database = 'holdfast',
    clock = Date.now,
    timeout = 15_000,
    fetch = (input, init) => globalThis.fetch(input, init),
    deviceName,
    autoReconcile = true,
  } = options;
  const client = new Client(
    {
      origin,
      rpId,
      deviceName,
      clock,
      store: new Store(database),
      server: new Server({ origin, fetch, timeout, clock }),
      roots: rootsLoader(options.roots),
    },
    database,
  );
  await client.load();
  if (autoReconcile) client.start();
  return client;
}

/** Roots are loaded once; a load that failed is tried again when they are wanted next. */
function rootsLoader(roots: Roots | (() => Promise<Roots>)): () => Promise<TrustedRoots> {
  let trusted: TrustedRoots | undefined;
  return async () => {
    trusted ??= await trustRoots(roots);
    return trusted;
  };
}
