import { HoldfastError } from './error.ts';

/** Longer than any one holder's requests may take together. */
const patience = 120_000;

/** One at a time over all tabs and workers; where there are no Web Locks, the compare-and-swap in storage must do. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  const signal = AbortSignal.timeout(patience);
  return locks.request(name, { signal }, work).catch((cause) => {
    // Once the lock is granted, the signal has no say.
    throw cause === signal.reason ? new HoldfastError('no_contact', undefined, { cause }) : cause;
  });
}
