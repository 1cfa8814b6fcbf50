import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';

/** Milliseconds between one offer that came to nothing and the next. */
const [shortest, longest] = [5_000, 300_000];

/** What no other try would change. */
const lasting: readonly ErrorCode[] = ['not_supported', 'origin_refused'];

/** What may have changed the outcome: somebody is back, or the network is. */
const returns = ['focus', 'online'];

/**
 * Keeps an offer up that nobody has asked for: `offer` is made again after a failure, with pauses that grow, and sooner when the
 * page is focused or online again. Rejects once `ended`, and with what lasts.
 */
export async function keepOffering<T>(ended: AbortSignal, offer: () => Promise<T>): Promise<T> {
  for (let pause = shortest; ; pause = Math.min(longest, 2 * pause)) {
    try {
      return await offer();
    } catch (error) {
      if (!(error instanceof HoldfastError) || lasting.includes(error.code)) throw error;
    }
    if (!ended.aborted) await untilReturn(ended, pause);
    if (ended.aborted) throw new HoldfastError('cancelled');
  }
}

/** Resolves when `ended`, after `pause`, or after the shortest one where the page is focused or online meanwhile. */
function untilReturn(ended: AbortSignal, pause: number): Promise<void> {
  return new Promise((resolve) => {
    const since = performance.now();
    const listening = new AbortController();
    const { signal } = listening;
    const wait = (delay: number) =>
      setTimeout(() => {
        listening.abort();
        resolve();
      }, delay);
    let timer = wait(pause);
    const sooner = (delay: number) => {
      clearTimeout(timer);
      timer = wait(delay);
    };
    ended.addEventListener('abort', () => sooner(0), { signal });
    for (const type of returns) {
      globalThis.addEventListener?.(type, () => sooner(Math.max(0, since + shortest - performance.now())), { signal });
    }
  });
}
