import { Client } from './client.ts';
import { makeContext } from './context.ts';
import type { Holdfast } from './holdfast.ts';
import type { Options } from './options.ts';

/**
 * Opens what this device holds and verifies it, without network, in milliseconds. Never rejects for what it finds:
 * what is wrong with storage is told in `storage`, and why a document is refused in `entitlement.error`.
 *
 * @example
 * const hf = await openHoldfast({ origin: location.origin, roots: async () => (await fetch("/roots.json")).json() });
 * if (hf.has("export")) showExport();
 */
export async function openHoldfast(options: Options): Promise<Holdfast> {
  const client = new Client(makeContext(options));
  await client.load();
  if (options.autoReconcile ?? true) client.start();
  return client;
}
