import { HoldfastError } from '../base/error.ts';

/** Longer than all requests of one holder may take. */
const patience = 120_000;

/** Runs `work` exclusively among all tabs and workers. Rejects with `no_contact` if the lock is not granted in time. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(patience);
  return takeTurn(name, signal, work).catch((cause) => {
    // Once the lock is granted, the signal has no effect.
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
