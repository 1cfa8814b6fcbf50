// How what moves all devices at the same moment is spread over time, so that they do not all come at the same moment.
// Milliseconds.

/**
 * After an event that may have reached everybody: the network is back, the server has news. Quick enough for somebody who
 * waits for it. Never at once: other tabs and the worker have heard the same event and are to see the answer of the one
 * that comes first, and a network that is just back often fails the first request.
 */
export function soon(random: () => number): number {
  return 500 + random() * 4_500;
}

/** After an event that nobody is waiting for: a service worker was woken. */
export function unhurried(random: () => number): number {
  return random() * 30_000;
}

/**
 * After a document's `refresh_after`, which is the same for all documents of one second: a device that keeps to its
 * `share` (0 to 1) of the spread comes up to an hour later, but well before the end.
 */
export function afterRefresh(document: { refreshAfter: number; exp: number }, share: number): number {
  return share * Math.min(3_600_000, ((document.exp - document.refreshAfter) * 1000) / 4);
}
