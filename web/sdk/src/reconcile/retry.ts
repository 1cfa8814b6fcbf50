/** Milliseconds. */
const [shortest, longest] = [1_000, 600_000];

/** The inputs that a test may control. */
export interface Chance {
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
}

export const realChance: Chance = { now: () => performance.now(), random: () => Math.random() };

/**
 * Retry says when to try again. Each failure draws the wait from a range that doubles (full jitter), so that clients do not
 * all return at once after an outage. Milliseconds.
 */
export class Retry {
  readonly #chance: Chance;
  readonly #first: number;
  #failures = 0;
  #next = 0;
  #barredUntil = 0;

  /** `first` is the range of the wait after a first failure. */
  constructor(first: number, chance: Chance) {
    this.#first = first;
    this.#chance = chance;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#barredUntil = 0;
    this.#next = this.#chance.now() + shortest;
  }

  /** `retryAfter`: the seconds that the server asked to wait. */
  failed(retryAfter = 0): void {
    const range = Math.min(longest, this.#first * 2 ** this.#failures);
    this.#failures += 1;
    // Anybody on the way can answer 503, so the requested wait is honoured but bounded.
    this.#barredUntil = this.#chance.now() + Math.min(longest, retryAfter * 1000);
    this.#next = this.#barredUntil + shortest + this.#chance.random() * range;
  }

  /** The number of failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** The time until the next try. */
  get wait(): number {
    return Math.max(0, this.#next - this.#chance.now());
  }

  /** The time left of the server's Retry-After; no event justifies an earlier request. */
  get barred(): number {
    return Math.max(0, this.#barredUntil - this.#chance.now());
  }
}
