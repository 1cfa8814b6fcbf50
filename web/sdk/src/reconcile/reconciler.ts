import type { Standing } from '../state/standing.ts';
import type { State } from '../state/state.ts';
import type { Automatic } from './auto.ts';
import { type RareParts, reconcileOnce } from './reconcile-once.ts';
import type { ReconcileResult } from './reconcile-result.ts';

/** Reconciler runs this page's reconciles one at a time and loads the automatic work. */
export class Reconciler {
  readonly #state: State;
  readonly #rare: () => Promise<RareParts>;
  /** The run under way. */
  running: Promise<ReconcileResult> | undefined;
  #queued: Promise<ReconcileResult> | undefined;
  /** The automatic work; undefined until its file is loaded. */
  automatic: Automatic | undefined;
  #started = false;

  constructor(state: State, rare: () => Promise<RareParts>) {
    this.#state = state;
    this.#rare = rare;
    state.loaded = () => void this.goOn();
  }

  reconcile(): Promise<ReconcileResult> {
    if (!this.running) return this.run();
    // The run under way may have sent its request before the caller's reason arose, so the call gets the next run.
    this.#queued ??= this.running.then(() => {
      this.#queued = undefined;
      return this.reconcile();
    });
    return this.#queued;
  }

  /** Starts a run. With `since`, it sends nothing and returns `superseded` if another document is held by then. */
  run(since?: Standing): Promise<ReconcileResult> {
    this.running = this.#run(since).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  start(): () => void {
    this.#started = true;
    this.automatic?.start();
    return () => {
      this.#started = false;
      this.automatic?.stop();
    };
  }

  /**
   * Lets the automatic work take a result and decide what is next. Loads its file on first use; if the file does not arrive,
   * the next use tries again.
   */
  async goOn(result?: ReconcileResult): Promise<void> {
    if (!this.automatic) {
      const parts = await import('./auto.ts').catch(() => null);
      if (!parts || this.#state.ended) return;
      this.automatic ??= new parts.Automatic(this.#state, this);
      if (this.#started) this.automatic.start();
    }
    this.automatic.next(result);
  }

  async #run(since?: Standing): Promise<ReconcileResult> {
    const state = this.#state;
    const result = await reconcileOnce(state.context, this.#rare, since);
    const { outcome } = result;
    const taken = outcome === 'reconciled' || outcome === 'forked';
    // The document is for another user: the device was linked under a session that had changed hands.
    const foreign = outcome === 'refused' && result.code === 'subject_mismatch';
    // An answer to another request does not come from the server.
    if (outcome === 'no_contact') state.reach(false);
    if (taken) state.unknown = null;
    else if (outcome === 'sign_in_needed' || foreign) state.unknown = state.standing.device;
    if (taken || outcome === 'superseded') await state.changed();
    else state.tell();
    void this.goOn(result);
    return result;
  }
}
