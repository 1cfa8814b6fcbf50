import type { ReconcileResult } from './reconcile-result.ts';

const [shortest, first, longest] = [1_000, 5_000, 600_000];

/**
 * When to try again by itself. After a failure the wait is drawn anew from a range that doubles (full jitter): when a
 * server comes back, its clients do not all come at once. Milliseconds of a clock that nobody sets.
 */
export class Retry {
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #next = 0;
  #barredUntil = 0;

  constructor(now = () => performance.now(), random = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  settled(result: ReconcileResult): void {
    const { outcome } = result;
    const failed = outcome === 'no_contact' || outcome === 'refused' || outcome === 'storage_unavailable';
    // Anybody on the way can answer 503: the wait that is asked for is kept, but not for ever.
    const asked = outcome === 'no_contact' ? Math.min(longest, (result.retryAfter ?? 0) * 1000) : 0;
    const range = failed ? Math.min(longest, first * 2 ** this.#failures) : 0;
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#barredUntil = this.#now() + asked;
    this.#next = this.#barredUntil + shortest + this.#random() * range;
  }

  /** How long to wait, if there were no failure and a document were due in `due`. */
  wait(due: number): number {
    const next = this.#next - this.#now();
    return Math.max(0, this.#failures > 0 && Number.isFinite(due) ? next : Math.max(due, next));
  }

  /** The server asked to be left alone (Retry-After); being online or visible again is no reason to ask sooner. */
  get barred(): boolean {
    return this.#now() < this.#barredUntil;
  }
}
