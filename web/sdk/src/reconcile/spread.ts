// Delays that spread the devices' requests over time after events that reach all of them at once. Milliseconds.

/**
 * The delay after an event that may have reached all clients: the network is back, or the server has news. Short enough for
 * a waiting user. Never zero: other tabs and the worker have seen the same event and should find the first one's answer, and
 * a network that is just back often fails the first request.
 */
export function soon(random: () => number): number {
  return 500 + random() * 4_500;
}

/** The delay after an event that no user is waiting for: a service worker was woken. */
export function unhurried(random: () => number): number {
  return random() * 30_000;
}

/**
 * The delay after a document's `refresh_after`, which is equal for all documents of one second. With a fixed `share` (0 to
 * 1) of the spread, a device renews up to an hour later, but well before the end.
 */
export function afterRefresh(document: { refreshAfter: number; exp: number }, share: number): number {
  return share * Math.min(3_600_000, ((document.exp - document.refreshAfter) * 1000) / 4);
}
