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
 * one: an empty list is no list.
 */
export async function trustRoots(roots: Roots | (() => Promise<Roots>)): Promise<TrustedRoots> {
  return failingWith('roots_unavailable', async () => {
    const { current, next } = typeof roots === 'function' ? await roots() : roots;
    return Promise.all([current, ...(next ? [next] : [])].map(readPublicKey));
  });
}
