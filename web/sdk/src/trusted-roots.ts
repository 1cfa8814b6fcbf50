import { failingWith } from './failing-with.ts';
import { readPublicKey } from './key.ts';
import type { Roots } from './roots.ts';

/** An embedded root, ready to verify. */
export interface TrustedRoot {
  /** RFC 7638 thumbprint: the kid of the keysets it signs. */
  readonly kid: string;
  readonly key: CryptoKey;
}

/** By rank: the current root, then the next one if there is one. A keyset of a later root outranks one of an earlier root. */
export type TrustedRoots = readonly TrustedRoot[];

/**
 * Rejects with `roots_unavailable` if they cannot be loaded, unless every slot is a P-256 public key, and where there is no current
 * one: an empty list is no list. `patience`: milliseconds.
 */
export async function trustRoots(roots: Roots | (() => Promise<Roots>), patience = 5_000): Promise<TrustedRoots> {
  return failingWith('roots_unavailable', async () => {
    const { current, next } = typeof roots === 'function' ? await load(roots, patience) : roots;
    return Promise.all([current, ...(next ? [next] : [])].map(readPublicKey));
  });
}

/** A service worker that the browser ends while it answers fails, or never does: it is asked once more. */
function load(roots: () => Promise<Roots>, patience: number): Promise<Roots> {
  const silence = () =>
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('the roots did not come')), patience));
  const ask = () => Promise.race([roots(), silence()]);
  return ask().catch(ask);
}
