import { HoldfastError } from './error.ts';

/** Longer than any one holder's requests may take together. */
const patience = 120_000;

/** Runs `work` alone among all tabs and workers. Rejects with `no_contact` if its turn does not come. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(patience);
  return takeTurn(name, signal, work).catch((cause) => {
    // Once the lock is granted, the signal has no say.
    throw cause === signal.reason ? new HoldfastError('no_contact', undefined, { cause }) : cause;
  });
}

/** Runs `work` under a Web Lock. Without Web Locks, or if they are denied, compare-and-swap in storage must suffice. */
export async function takeTurn<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let granted = false;
  const take = () => {
    granted = true;
    return work();
  };
  try {
    return await navigator.locks.request(name, { signal }, take);
  } catch (error) {
    if (granted || signal.aborted) throw error;
    return work();
  }
}
