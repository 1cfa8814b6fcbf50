import { failingWith } from '../base/failing-with.ts';
import { readPublicKey } from './key.ts';
import type { Roots } from './roots.ts';

/** An embedded root, ready to verify. */
export interface TrustedRoot {
  /** RFC 7638 thumbprint: the kid of the keysets it signs. */
  readonly kid: string;
  readonly key: CryptoKey;
}

/**
 * The roots by rank: the current one, then the next one if any. A keyset of a later root outranks one of an earlier root.
 */
export type TrustedRoots = readonly TrustedRoot[];

/**
 * Loads and imports the roots. Rejects with `roots_unavailable` if they cannot be loaded, if a slot is not a P-256 public
 * key, or if there is no current root. `patience`: milliseconds.
 */
export async function trustRoots(roots: Roots | (() => Promise<Roots>), patience = 5_000): Promise<TrustedRoots> {
  return failingWith('roots_unavailable', async () => {
    const { current, next } = typeof roots === 'function' ? await load(roots, patience) : roots;
    return Promise.all([current, ...(next ? [next] : [])].map(readPublicKey));
  });
}

/** A service worker that the browser stops while it answers makes the load fail or hang, so it is tried once more. */
function load(roots: () => Promise<Roots>, patience: number): Promise<Roots> {
  const silence = () =>
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('the roots did not come')), patience));
  const ask = () => Promise.race([roots(), silence()]);
  return ask().catch(ask);
}
