import { Client } from './client.ts';
import type { Holdfast } from './holdfast.ts';
import { makeContext } from './state/context.ts';
import type { Options } from './state/options.ts';

/**
 * Opens and verifies this device's storage, without network, in milliseconds. Never rejects because of its contents:
 * `storage` names a storage failure, and `entitlement.error` why a document was refused. Rejects with `origin_invalid`.
 * Without a window, as in server-side rendering, it resolves with an {@link emptyHoldfast}.
 *
 * @example
 * const hf = await openHoldfast<'export' | 'sync'>({
 *   origin: location.origin,
 *   roots: async () => (await fetch("/roots.json")).json(),
 * });
 * if (hf.has("export")) showExport(); // hf.has("exprot") does not compile
 */
export async function openHoldfast<F extends string = string>(options: Options): Promise<Holdfast<F>> {
  const context = makeContext(options);
  if (typeof indexedDB === 'undefined') return emptyHoldfast();
  const client = new Client(context);
  await client.state.load();
  if (options.debug) void tellSnags(client, options.debug);
  if (options.autoReconcile ?? true) client.start();
  return client as Holdfast<F>;
}

async function tellSnags({ state }: Client, debug: true | ((message: string) => void)): Promise<void> {
  const log = debug === true ? (message: string) => console.warn(`Holdfast: ${message}`) : debug;
  const parts = await import('./debug/watch.ts').catch(() => null);
  await parts?.watch(state, log);
}

/**
 * A client with which nobody is signed in, for the time until {@link openHoldfast} resolves and for server-side rendering.
 * It keeps no process alive; methods that return a promise reject with `not_supported`.
 *
 * @example
 * const { user } = useSyncExternalStore(hf.subscribe, hf.snapshot, emptyHoldfast().snapshot);
 */
export function emptyHoldfast<F extends string = string>(): Holdfast<F> {
  const context = makeContext({ origin: 'http://localhost', roots: { current: {}, next: null } });
  return new Client(context, 'not_supported') as Holdfast<F>;
}
