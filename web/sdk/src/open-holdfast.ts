import { Client } from './client.ts';
import type { Holdfast } from './holdfast.ts';
import { makeContext } from './state/context.ts';
import type { Options } from './state/options.ts';

/**
 * Opens and verifies this device's storage, without network, in milliseconds. Never rejects because of its contents:
 * `storage` names a storage failure, and `entitlement.error` why a document was refused.
 *
 * @example
 * const hf = await openHoldfast({ origin: location.origin, roots: async () => (await fetch("/roots.json")).json() });
 * if (hf.has("export")) showExport();
 */
export async function openHoldfast(options: Options): Promise<Holdfast> {
  const client = new Client(makeContext(options));
  await client.state.load();
  if (options.autoReconcile ?? true) client.start();
  return client;
}
