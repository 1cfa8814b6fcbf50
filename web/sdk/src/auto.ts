// What happens by itself while a page is open: a file of its own, loaded once the page has what it holds.
import type { Context } from './context.ts';
import type { Entitlement } from './entitlement.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import { Retry } from './retry.ts';
import type { Standing } from './standing.ts';
import type { Moment } from './trusted-time.ts';

/** How often the time seen is noted, and at the latest noticed: a sleeping machine's timers stand still. */
const tickInterval = 60_000;

/** What is to be known of the client. */
export interface Subject {
  readonly standing: Standing;
  readonly entitlement: Entitlement;
  /** A run is under way in this page. */
  readonly reconciling: boolean;
  /** The trusted time; a later reading is remembered. */
  moment(): Moment;
  /** Tells the listeners if something has changed. */
  tell(): void;
  reconcile(): Promise<ReconcileResult>;
}

/** Notes the time, notices what has ended and, once started, reconciles when it is due or may help. */
export class Automatic {
  readonly #context: Context;
  readonly #client: Subject;
  readonly #retry = new Retry();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends the listening; undefined while not started. */
  #triggers: AbortController | undefined;
  #closed = false;

  constructor(context: Context, client: Subject) {
    this.#context = context;
    this.#client = client;
  }

  start(): void {
    if (this.#closed || this.#triggers) return;
    this.#triggers = this.#listen();
    this.trigger();
  }

  stop(): void {
    this.#triggers?.abort();
    this.#triggers = undefined;
  }

  close(): void {
    this.#closed = true;
    this.stop();
    clearTimeout(this.#timer);
  }

  /** A run of this page has ended. */
  settled(result: ReconcileResult): void {
    this.#retry.settled(result);
    this.next();
  }

  /** Now might be the time to reconcile. */
  trigger(): void {
    this.#client.tell();
    if (this.#closed || !this.#triggers || this.#client.reconciling || this.#retry.barred) return;
    void this.#client.reconcile();
  }

  /** Does what is due, and comes back when the next thing is. */
  next(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#client.tell();
    const { now } = this.#client.moment();
    const wait = this.#triggers ? this.#retry.wait(this.#due(now)) : Number.POSITIVE_INFINITY;
    if (wait === 0 && !this.#client.reconciling) {
      this.trigger();
      return;
    }
    const { document, keyset } = this.#client.standing;
    const ends = [document?.paidThrough, document?.exp, keyset?.exp].map((end) => (end ?? 0) * 1000 - now);
    const delay = Math.min(tickInterval, wait || tickInterval, ...ends.filter((end) => end > 0));
    this.#timer = setTimeout(() => {
      void this.#noteTime();
      this.next();
    }, delay);
  }

  /** Milliseconds until the server is wanted. */
  #due(now: number): number {
    const { standing, entitlement } = this.#client;
    if (!standing.user || entitlement.signInNeeded) return Number.POSITIVE_INFINITY;
    const { refreshAfter, error } = entitlement;
    return refreshAfter && !error ? Math.max(0, refreshAfter.getTime() - now) : 0;
  }

  #listen(): AbortController {
    const events = new AbortController();
    const { signal } = events;
    const seen = () => {
      if (document.visibilityState === 'visible') this.trigger();
      else void this.#noteTime();
    };
    globalThis.addEventListener?.('online', () => this.trigger(), { signal });
    globalThis.document?.addEventListener('visibilitychange', seen, { signal });
    return events;
  }

  /** The mark on disk only rises, unless another document was taken meanwhile. */
  async #noteTime(): Promise<void> {
    const { taken } = this.#client.standing;
    if (taken === undefined) return;
    const { now: mark } = this.#client.moment();
    const { store } = this.#context;
    await store
      .update((held) => {
        const known = held.time ?? { mark: 0, skew: 0 };
        return held.document === taken && known.mark < mark ? { time: { ...known, mark } } : null;
      })
      .catch(() => {});
  }
}
