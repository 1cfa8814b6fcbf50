import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';

/** Milliseconds between a failed offer and the next one. */
const [shortest, longest] = [5_000, 300_000];

/** Errors that another try would not resolve. */
const lasting: readonly ErrorCode[] = [
  'not_supported',
  'origin_refused',
  'cross_origin',
  'roots_unavailable',
  'root_unknown',
  'issuer_mismatch',
];

/** Events after which another try may succeed: the user or the network is back. */
const returns = ['focus', 'online'];

/**
 * Repeats `offer` until it succeeds: after growing pauses, or sooner when the page is focused or online again. Rejects once
 * `ended`, or with an error that another try would not resolve.
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

/** Resolves when `ended`, after `pause`, or after the shortest pause if the page is focused or online meanwhile. */
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
