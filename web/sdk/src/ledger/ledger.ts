import type { Action } from './action.ts';
import type { AppStore } from './app-store.ts';

/**
 * The user's acts with features, also offline, in one chain per device: recorded here, signed, and judged by the server at
 * the next reconcile. {@link Holdfast.ledger} says what waits, and changes of it are reported as all others.
 *
 * @example
 * await ledger.record('notes', 'note.save', note, { write: (store) => store.put(note, note.id) });
 */
export interface Ledger<F extends string = string> {
  /**
   * Records an act, without network. It resolves with the act once it is on disk, together with what `write` wrote. Rejects
   * before the act, and writes nothing, with `locked`, `signed_out`, `device_unknown` (not linked), `not_granted`, `expired`,
   * `keyset_expired` or `clock_behind` (the document is not in force), `over_limit`, `payload_too_large` (over 16 KiB as
   * JSON), `payload_too_deep`, `payload_invalid`, `invalid_request` (a name is empty or longer than 64 characters),
   * `write_failed`, `storage_full` or `storage_unavailable`.
   */
  record(feature: F, action: string, payload: unknown, options?: RecordOptions): Promise<RecordedAct>;
  /** Runs `work` on the app's own records alone, in one transaction. It may await nothing but the store's own methods. */
  app<T>(work: (store: AppStore) => T | Promise<T>): Promise<T>;
  /** The acts kept here: those that wait (`code` is null), then those that were refused. */
  acts(): AsyncIterableIterator<RecordedAct>;
  /** The refused acts as a file for the user: one JSON object in each line, with `entry` and `code`. */
  exportRefused(): Promise<Blob>;
  /** Deletes a refused act: only when the user says so. Others are left alone. */
  drop(act: Pick<RecordedAct, 'device' | 'seq'>): Promise<void>;
  /**
   * The user's accepted acts from all devices, in the server's order, and new ones as they are accepted, until the loop or
   * `signal` ends. It begins after the last action that the app has taken: an action is taken when the loop asks for the
   * next one. After a crash a few are repeated, so applying one twice must do no harm. Without network it waits. Rejects with
   * `signed_out`, `device_unknown` or the server's problem code.
   */
  actions(options?: ActionsOptions): AsyncIterableIterator<Action>;
}

/**
 * How to record an act.
 *
 * @example
 * const options: RecordOptions = { write: (store) => store.put(note, note.id) };
 */
export interface RecordOptions {
  /**
   * Writes the app's own records in the transaction that stores the act. It may await nothing but the store's own methods:
   * anything else ends the transaction.
   */
  readonly write?: (store: AppStore) => unknown;
}

/**
 * How to follow the feed.
 *
 * @example
 * const options: ActionsOptions = { signal: controller.signal };
 */
export interface ActionsOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/**
 * An act that was recorded on this device.
 *
 * @example
 * for await (const act of ledger.acts()) if (act.code) list.append(describe(act.action, act.code));
 */
export interface RecordedAct {
  readonly device: string;
  /** Its number in the device's chain. */
  readonly seq: number;
  /** By this device's clock. */
  readonly at: Date;
  readonly feature: string;
  readonly action: string;
  readonly payload: unknown;
  /**
   * Null: it waits for its verdict. Otherwise why it was refused: the server's code (`revoked`, `expired`, `over_limit`,
   * `not_granted`, `too_old`, `from_future`, `quarantined`), `superseded` by the host, or `device_replaced`: this
   * installation was linked again before the act was sent. Record it once more if the user wants that.
   */
  readonly code: string | null;
}
