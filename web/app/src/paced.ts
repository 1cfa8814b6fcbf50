/**
 * Returns a function that calls `ask` at most once in `pause` milliseconds; calls during the pause cause one call after it.
 * For work that follows every return of the network, which may happen many times in a minute.
 */
export function paced(ask: () => unknown, pause: number): () => void {
  let free = Number.NEGATIVE_INFINITY;
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(
      () => {
        waiting = false;
        free = performance.now() + pause;
        ask();
      },
      Math.max(0, free - performance.now()),
    );
  };
}
