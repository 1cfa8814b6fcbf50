/**
 * The root public keys that the app embeds, in the form of `/roots.json`. A keyset is trusted only if one of them signed it.
 *
 * @example
 * const roots: Roots = await (await fetch("/roots.json")).json(); // answered from the service worker's precache
 */
export interface Roots {
  readonly current: JsonWebKey;
  /** The next root, published before it takes over; null when there is none. */
  readonly next: JsonWebKey | null;
}
