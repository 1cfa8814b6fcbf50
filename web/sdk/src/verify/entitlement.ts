import type { ErrorCode } from '../base/error-code.ts';
import type { Ending } from './document.ts';
import type { Feature } from './feature.ts';

/**
 * The features that the user may use on this device right now, and why. An immutable snapshot: the object stays the same
 * until something changes, so compare it with `===`.
 *
 * @example
 * const { state, until } = hf.entitlement;
 * if (state === "active") status.textContent = `Premium, works offline until ${until?.toLocaleString()}`;
 */
export interface Entitlement<F extends string = string> {
  /**
   * - `none`: no subscription; also when nobody is signed in (`hf.user` is null), when no document is held, or when the
   *   held one was refused (`error` says why).
   * - `active`, `grace`, `revoked`: as the held document states. Also `grace` when its paid time has run out since.
   * - `expired`: if `error` is null, the subscription is over. Otherwise (`expired`, `keyset_expired`) only the document has
   *   expired and the server has not been reached since: the subscription may be alive.
   * - `clock_behind`: this device's clock is more than ten minutes behind a time already seen (by `clockBehind`). A
   *   reconcile or a corrected clock resolves it.
   *
   * Only `active` and `grace` grant features.
   */
  readonly state: EntitlementState;
  /** Why there are no features, or null. Signing in again resolves `device_forked` and `device_removed`. */
  readonly reason: EntitlementReason | null;
  /** Whether a passkey tap is needed: the server no longer knows this device, or it was never linked. */
  readonly signInNeeded: boolean;
  /** The document's end: features work offline up to this moment, without leeway. null: the document grants none. */
  readonly until: Date | null;
  /** When the next reconcile is due. A hint: nothing ends then. */
  readonly refreshAfter: Date | null;
  readonly paidThrough: Date | null;
  /**
   * Why no payment is expected at `paidThrough`: a trial, days granted by support, or a cancelled subscription. null: a
   * payment is expected, or the reason is unknown. For display only.
   */
  readonly ending: Ending | null;
  /** The plans that grant the features. */
  readonly plans: readonly string[];
  /** The features that may be used now, by name; empty unless `state` is `active` or `grace`. */
  readonly features: Readonly<Partial<Record<F, Feature>>>;
  /** The user's revision in the held document; only grows. */
  readonly revision: number | null;
  /** Why the held document is not in force, or null. */
  readonly error: ErrorCode | null;
  /**
   * While `state` is `clock_behind`: the least number of milliseconds that the clock is behind, to the minute. Otherwise
   * null.
   */
  readonly clockBehind: number | null;
  /** When an answer of the server was last accepted (the server's time). */
  readonly lastContact: Date | null;
}

export type { Ending };

/** See {@link Entitlement.state}. */
export type EntitlementState = 'none' | 'active' | 'grace' | 'expired' | 'revoked' | 'clock_behind';

/** See {@link Entitlement.reason}. Later servers may send others. */
export type EntitlementReason = 'revoked' | 'suspended' | 'disputed' | 'lapsed' | 'device_forked' | 'device_removed';
