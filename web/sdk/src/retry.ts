/** Milliseconds. */
const [shortest, longest] = [1_000, 600_000];

/** What a test may want to decide. */
export interface Chance {
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number;
  /** From 0 up to, but not, 1. */
  readonly random: () => number;
}

export const realChance: Chance = { now: () => performance.now(), random: () => Math.random() };

/**
 * When to try again. After a failure the wait is drawn anew from a range that doubles (full jitter): when a server comes
 * back, its clients do not all come at once. Milliseconds.
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
    // Anybody on the way can answer 503: the wait that is asked for is kept, but not for ever.
    this.#barredUntil = this.#chance.now() + Math.min(longest, retryAfter * 1000);
    this.#next = this.#barredUntil + shortest + this.#chance.random() * range;
  }

  /** How many tries have failed since the last that did not. */
  get failures(): number {
    return this.#failures;
  }

  /** How long until the next try. */
  get wait(): number {
    return Math.max(0, this.#next - this.#chance.now());
  }

  /** For how long the server asked to be left alone (Retry-After); no event is a reason to ask sooner. */
  get barred(): number {
    return Math.max(0, this.#barredUntil - this.#chance.now());
  }
}
