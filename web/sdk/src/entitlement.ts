import type { Ending } from './document.ts';
import type { ErrorCode } from './error-code.ts';
import type { Feature } from './feature.ts';

/**
 * The features that the user may use on this device right now, and why. A snapshot: the same object until something changes,
 * so it can be compared with `===`.
 *
 * @example
 * const { state, until } = hf.entitlement;
 * if (state === "active") status.textContent = `Premium, works offline until ${until?.toLocaleString()}`;
 */
export interface Entitlement {
  /**
   * - `none`: no subscription; also when nobody is signed in (`hf.user` is null), when no document is held, or when the
   *   held one was refused (`error` says why).
   * - `active`, `grace`, `revoked`: as the held document states it. `grace` too when its paid time ran out meanwhile.
   * - `expired`: the subscription is over, if `error` is null. Else (`expired`, `keyset_expired`) the document's own time
   *   is, and the server was not reached since: the subscription may be alive.
   * - `clock_behind`: this device's clock is more than ten minutes behind a time already seen (`clockBehind` says by
   *   how much). A reconcile settles it, and so does setting the clock right.
   *
   * Features are granted in `active` and `grace` only.
   */
  readonly state: EntitlementState;
  /** Why there are no features, or null. `device_forked` and `device_removed` are mended by signing in again. */
  readonly reason: EntitlementReason | null;
  /** Whether a passkey tap is needed: the server no longer knows this device, or it was never linked. */
  readonly signInNeeded: boolean;
  /** The document's end: features work offline up to this moment, without leeway. null: it grants none. */
  readonly until: Date | null;
  /** When the server is wanted next: a hint, nothing ends then. */
  readonly refreshAfter: Date | null;
  readonly paidThrough: Date | null;
  /**
   * Why no payment is awaited at `paidThrough`: a trial, days that support gave, or a cancelled subscription. null: a payment is
   * awaited, or it is not known. For texts only.
   */
  readonly ending: Ending | null;
  /** The plans that grant the features. */
  readonly plans: readonly string[];
  /** The features that may be used now, by name; empty unless `state` is `active` or `grace`. */
  readonly features: Readonly<Record<string, Feature>>;
  /** The user's revision in the held document; only grows. */
  readonly revision: number | null;
  /** Why the held document does not count, or null. */
  readonly error: ErrorCode | null;
  /** While `state` is `clock_behind`: by how many milliseconds at least, to the minute. Else null. */
  readonly clockBehind: number | null;
  /** When an answer of the server was last taken (the server's time). */
  readonly lastContact: Date | null;
}

export type { Ending };

/** See {@link Entitlement.state}. */
export type EntitlementState = 'none' | 'active' | 'grace' | 'expired' | 'revoked' | 'clock_behind';

/** See {@link Entitlement.reason}. A later server may give others. */
export type EntitlementReason = 'revoked' | 'suspended' | 'disputed' | 'lapsed' | 'device_forked' | 'device_removed';
