// The automatic work of an open page, in a separate file that is loaded once the page has read its storage.

import { HoldfastError } from '../base/error.ts';
import type { Context } from '../state/context.ts';
import { describe } from '../state/describe.ts';
import { announceLedger } from '../state/ledger-channel.ts';
import { readTime } from '../state/standing.ts';
import type { State } from '../state/state.ts';
import type { Document } from '../verify/document.ts';
import { makeUpLater, renewWhileClosed } from './background.ts';
import { EventStream } from './events.ts';
import { Healing } from './healing.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import type { Reconciler } from './reconciler.ts';
import { Schedule } from './schedule.ts';

/** The interval for storing the observed time, and an upper bound on noticing it: timers stop while a machine sleeps. */
const tickInterval = 60_000;

/** The tick while the clock is behind, so that a corrected clock takes effect at once. */
const behindInterval = 1_000;

/** The delay before asking the server again after an unexpected lock; it doubles each time, up to an hour. */
const [firstDoubt, longestDoubt] = [60_000, 3_600_000];

/** Automatic stores the time, notices what has ended and, once started, reconciles when due or when it may help. */
export class Automatic {
  readonly #context: Context;
  readonly #state: State;
  readonly #reconciler: Reconciler;
  readonly #schedule = new Schedule();
  readonly #stream: EventStream;
  readonly #healing: Healing;
  /** The document last reported to the schedule. */
  #taken: unknown;
  /** The revision that the server announced, while it may not have been fetched. */
  #told: number | null = null;
  /** The last document that granted something. */
  #granted: Document | undefined;
  /** The delay before asking again after an unexpected lock; 0: there was none. */
  #doubt = 0;
  /** This page's jitter for that delay, so that clients do not ask all at once. */
  readonly #share = Math.random();
  /** The mark last stored. */
  #noted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Removes the listeners; undefined while not started. */
  #triggers: AbortController | undefined;
  #closed = false;

  constructor(state: State, reconciler: Reconciler) {
    const { context } = state;
    this.#context = context;
    this.#state = state;
    this.#reconciler = reconciler;
    this.#taken = state.standing.taken;
    this.#compare();
    this.#stream = new EventStream(context.origin, context.name, {
      heard: (revision) => this.#heard(revision),
      acted: () => announceLedger(context.name),
      sessionEnded: () => this.#soon(),
      hasSession: () => hasSession(context),
    });
    this.#healing = new Healing(state);
    state.want = () => this.#soon();
  }

  start(): void {
    if (this.#closed || this.#triggers) return;
    this.#triggers = this.#listen();
    void renewWhileClosed();
    this.#schedule.atOnce();
    this.next();
  }

  stop(): void {
    this.#triggers?.abort();
    this.#triggers = undefined;
    this.#stream.follow(null);
  }

  close(): void {
    this.#closed = true;
    this.stop();
    this.#stream.close();
    this.#healing.close();
    clearTimeout(this.#timer);
  }

  /** Call after the server has answered another request. */
  contacted(): void {
    this.#schedule.contacted(this.#state.moment().now >= this.#dueAt());
    this.next();
  }

  /** This browser has a new session. */
  signedIn(): void {
    this.#stream.signedIn();
  }

  /** Runs what is due and sets the timer for the next. `result` is that of a run of this page that has just ended. */
  next(result?: ReconcileResult): void {
    if (result) this.#settled(result);
    clearTimeout(this.#timer);
    if (this.#closed) return;
    void this.#healing.look(result?.outcome === 'storage_unavailable');
    this.#state.tell();
    this.#notice();
    const { document, keyset, user } = this.#state.standing;
    const { now, behind } = this.#state.moment();
    let wait = Number.POSITIVE_INFINITY;
    if (this.#triggers) {
      this.#stream.follow(user?.id ?? null);
      const spread = document && !this.#doubt ? this.#schedule.spread(document) : 0;
      wait = this.#schedule.wait(Math.max(0, this.#dueAt() + spread - now));
    }
    if (wait === 0 && !this.#reconciler.running) {
      void this.#run();
      return;
    }
    const ends = [document?.paidThrough, document?.exp, keyset?.exp].map((end) => (end ?? 0) * 1000 - now);
    const delay = Math.min(
      behind ? behindInterval : tickInterval,
      wait || tickInterval,
      ...ends.filter((end) => end > 0),
    );
    this.#timer = setTimeout(() => {
      if (this.#state.time.mark - this.#noted >= tickInterval / 2) void this.#noteTime();
      this.next();
    }, delay);
  }

  #settled(result: ReconcileResult): void {
    const { outcome } = result;
    this.#schedule.settled(result);
    if (outcome === 'no_contact' && this.#schedule.justFailed && this.#triggers) void makeUpLater(this.#context);
    if (outcome === 'reconciled') this.#stream.reachable();
    // An act recorded during the run asked for another one, which the run's end would forget.
    const { waiting = 0, problem } = this.#state.ledger ?? {};
    if ((outcome === 'reconciled' || outcome === 'superseded') && waiting > 0 && !problem) this.#schedule.soon();
  }

  async #run(): Promise<void> {
    const told = this.#told;
    const { outcome } = await this.#reconciler.run(this.#state.standing);
    // An answer that another tab took may be older than the announced revision.
    if (outcome !== 'superseded' && told === this.#told) this.#told = null;
    if (this.#told !== null) this.#soon();
  }

  /** Takes the user's revision, as the server pushed it. */
  #heard(revision: number): void {
    const { document } = this.#state.standing;
    if (revision === document?.rev || this.#state.entitlement.signInNeeded) {
      this.contacted();
      return;
    }
    this.#told = revision;
    this.#soon();
  }

  #soon(): void {
    this.#schedule.soon();
    this.next();
  }

  /** Another document may have been taken, here or elsewhere. That run satisfies every earlier request for one. */
  #notice(): void {
    const { taken, document } = this.#state.standing;
    // Compared as text: a damaged record read twice does not equal itself.
    if (`${taken}` === `${this.#taken}`) return;
    this.#taken = taken;
    this.#schedule.taken();
    this.#compare();
    if (document?.rev === this.#told) this.#told = null;
    if (this.#told !== null) this.#schedule.soon();
  }

  /**
   * Notices an unexpected lock: the subscription is over although nobody ended it and, by this device's clock, the last
   * document that granted something has not ended. The server's clock may be ahead.
   */
  #compare(): void {
    const { document } = this.#state.standing;
    if (document && grants(document)) this.#granted = document;
    const { exp = 0 } = this.#granted ?? {};
    const over = document && !grants(document) && (document.reason ?? 'lapsed') === 'lapsed';
    const doubtful = over && document.sub === this.#granted?.sub && this.#context.clock() < exp * 1000;
    this.#doubt = doubtful ? Math.min(longestDoubt, 2 * this.#doubt || firstDoubt) : 0;
  }

  /** When the next run is due, by the trusted time. */
  #dueAt(): number {
    const { standing, entitlement } = this.#state;
    // The server may not have heard of the last user's sign-out.
    if (!standing.user) return this.#schedule.failing ? 0 : Number.POSITIVE_INFINITY;
    // Either the signed document says so or the device holds no key. An unsigned problem document may come from anybody on
    // the way, so after one the server is asked again, at growing intervals.
    if (describe(standing, entitlement, false).signInNeeded) return Number.POSITIVE_INFINITY;
    const { document } = standing;
    if (this.#doubt && document) return document.iat * 1000 + this.#doubt * (1 + this.#share);
    return document && !entitlement.error ? document.refreshAfter * 1000 : 0;
  }

  #listen(): AbortController {
    const events = new AbortController();
    const { signal } = events;
    // Load what other tabs and the worker have taken first: it may make the run unnecessary.
    const want = async (when: 'atOnce' | 'soon') => {
      await this.#state.load();
      this.#schedule[when]();
      this.next();
    };
    const seen = () => {
      if (document.visibilityState === 'visible') {
        void want('atOnce');
        return;
      }
      // The page may never become visible again.
      void this.#noteTime();
      if (this.#schedule.failing) void makeUpLater(this.#context);
    };
    globalThis.addEventListener?.('online', () => void want('soon'), { signal });
    // A request tells the page whether the server is out of reach, too: it may be on this machine.
    globalThis.addEventListener?.('offline', () => void hasSession(this.#context).catch(() => {}), { signal });
    globalThis.document?.addEventListener('visibilitychange', seen, { signal });
    return events;
  }

  /** Raises the mark on disk. It never lowers it, unless another document was taken meanwhile. */
  async #noteTime(): Promise<void> {
    const { taken } = this.#state.standing;
    if (taken === undefined) return;
    this.#state.moment();
    const { time } = this.#state;
    this.#noted = time.mark;
    const { store } = this.#context;
    await store
      .update((held) => {
        const known = readTime(held.time);
        return held.document === taken && known.mark < time.mark ? { time } : null;
      })
      .catch(() => {});
  }
}

function grants({ state }: Document): boolean {
  return state === 'active' || state === 'grace';
}

async function hasSession({ server }: Context): Promise<boolean> {
  try {
    await server.request('GET', '/v1/session');
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'unauthenticated') return false;
    throw error;
  }
}
