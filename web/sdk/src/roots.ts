/**
 * The root public keys that the app embeds, as `/roots.json` has them. A keyset is trusted only if one of them signed it.
 *
 * @example
 * const roots: Roots = await (await fetch("/roots.json")).json(); // answered from the service worker's precache
 */
export interface Roots {
  readonly current: JsonWebKey;
  /** The root that takes over next, published ahead of time; null when there is none. */
  readonly next: JsonWebKey | null;
}
