import type { ReconcileResult } from './reconcile-result.ts';
import { type Chance, Retry, realChance } from './retry.ts';
import { afterRefresh, soon } from './spread.ts';

/** Results after which what is due is due still. */
const unsettled = ['refused', 'storage_unavailable', 'sign_in_needed'];

/** The range of the wait after a first failure. */
const first = 10_000;

/** So long after a try no contact made by other means is a reason for another: it was not contact that was missing. */
const contactPause = 30_000;

/**
 * When a page reconciles by itself: what was asked for by events, what is due, and what failed, brought into one wait. It
 * knows neither timers nor the network, so that a hundred thousand of them can be watched in a test. Milliseconds.
 */
export class Schedule {
  readonly #chance: Chance;
  readonly #retry: Retry;
  /** When an event asked for a run. */
  #wanted = Number.POSITIVE_INFINITY;
  #lastTry = Number.NEGATIVE_INFINITY;
  #share: number;

  constructor(chance: Chance = realChance) {
    this.#chance = chance;
    this.#retry = new Retry(first, chance);
    this.#share = chance.random();
  }

  /** Somebody looks at the page. */
  atOnce(): void {
    this.#wanted = this.#chance.now();
  }

  /** Something happened that others may have heard at the same moment. Of many such events in a row, the first one counts. */
  soon(): void {
    if (this.#wanted === Number.POSITIVE_INFINITY) this.#wanted = this.#chance.now() + soon(this.#chance.random);
  }

  /** The server has answered something else: what failed for lack of contact, or is `due`, need not wait. */
  contacted(due: boolean): void {
    if ((due || this.failing) && this.#chance.now() - this.#lastTry >= contactPause) this.atOnce();
  }

  /** Another document is held, by whomever it was taken: whatever asked for a run before has got it. */
  taken(): void {
    this.#wanted = Number.POSITIVE_INFINITY;
    this.#share = this.#chance.random();
    this.#retry.succeeded();
  }

  /** A run has ended, here or in another tab. */
  settled(result: ReconcileResult): void {
    const { outcome } = result;
    this.#lastTry = this.#chance.now();
    this.#wanted = Number.POSITIVE_INFINITY;
    if (outcome === 'no_contact') this.#retry.failed(result.retryAfter);
    else if (unsettled.includes(outcome)) this.#retry.failed();
    else this.#retry.succeeded();
  }

  get failing(): boolean {
    return this.#retry.failures > 0;
  }

  /** The first failure after a success: a spell without contact begins. */
  get justFailed(): boolean {
    return this.#retry.failures === 1;
  }

  /** How long after its `refresh_after` this device renews a document. */
  spread(document: { refreshAfter: number; exp: number }): number {
    return afterRefresh(document, this.#share);
  }

  /** How long until the next run, if without events and failures it were due in `due`; infinite: the user's turn. */
  wait(due: number): number {
    const { wait: next, barred } = this.#retry;
    const unasked = this.failing && Number.isFinite(due) ? next : Math.max(due, next);
    return Math.min(unasked, Math.max(barred, this.#wanted - this.#chance.now(), 0));
  }
}
