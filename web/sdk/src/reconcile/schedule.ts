import type { ReconcileResult } from './reconcile-result.ts';
import { type Chance, Retry, realChance } from './retry.ts';
import { afterRefresh, soon } from './spread.ts';

/** Results after which a due run stays due. */
const unsettled = ['refused', 'storage_unavailable', 'sign_in_needed'];

/** The range of the wait after a first failure. */
const first = 10_000;

/** For this long after a try, contact made by other means triggers no other: lack of contact was not the cause. */
const contactPause = 30_000;

/**
 * Schedule says when a page reconciles automatically: it combines events, due times and failures into one wait. It uses
 * neither timers nor the network, so that a test can run a hundred thousand of them. Milliseconds.
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

  /** The page became visible. */
  atOnce(): void {
    this.#wanted = this.#chance.now();
  }

  /** An event that other clients may have seen at the same moment. Of many in a row, the first one counts. */
  soon(): void {
    if (this.#wanted === Number.POSITIVE_INFINITY) this.#wanted = this.#chance.now() + soon(this.#chance.random);
  }

  /** The server has answered another request: a run that is `due` or failed for lack of contact need not wait. */
  contacted(due: boolean): void {
    if ((due || this.failing) && this.#chance.now() - this.#lastTry >= contactPause) this.atOnce();
  }

  /** A new document is held, whichever tab took it: it satisfies all earlier requests for a run. */
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

  /** Whether this is the first failure after a success: a period without contact begins. */
  get justFailed(): boolean {
    return this.#retry.failures === 1;
  }

  /** The delay after its `refresh_after` before this device renews a document. */
  spread(document: { refreshAfter: number; exp: number }): number {
    return afterRefresh(document, this.#share);
  }

  /**
   * The time until the next run, given that without events and failures it is due in `due`; infinite: only the user can act.
   */
  wait(due: number): number {
    const { wait: next, barred } = this.#retry;
    const unasked = this.failing && Number.isFinite(due) ? next : Math.max(due, next);
    return Math.min(unasked, Math.max(barred, this.#wanted - this.#chance.now(), 0));
  }
}
