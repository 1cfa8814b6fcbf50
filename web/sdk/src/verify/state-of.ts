import type { ErrorCode } from '../base/error-code.ts';
import type { Document } from './document.ts';
import type { EntitlementState } from './entitlement.ts';
import type { Keyset } from './keyset.ts';
import type { Moment } from './trusted-time.ts';

/** The state at a moment, with the error if time is the reason that the document grants nothing. */
export interface Verdict {
  readonly state: EntitlementState;
  readonly error: ErrorCode | null;
  /** How far the clock is behind in milliseconds, if that is the reason. */
  readonly behind?: number;
}

/**
 * The state of a verified document at a moment. Only a document that grants something can end; one that says why nothing is
 * granted stays in force until another one is taken. Paid time runs out offline as it does at the server. Grace follows and
 * is bounded by the document's end (its `exp` is never later than paid-through and grace together).
 */
export function stateOf(
  document: Document | null,
  keyset: Pick<Keyset, 'exp'> | null,
  { now, behind }: Moment,
): Verdict {
  if (!document) return { state: 'none', error: null };
  const { state, exp, paidThrough } = document;
  if (state !== 'active' && state !== 'grace') return { state, error: null };
  if (keyset && now >= keyset.exp * 1000) return { state: 'expired', error: 'keyset_expired' };
  // No leeway: at `exp` the document is over (RFC 7519 §4.1.4).
  if (now >= exp * 1000) return { state: 'expired', error: 'expired' };
  // The time is then at least `now`: ends before it have passed, and the rest waits for the clock.
  if (behind) return { state: 'clock_behind', error: 'clock_behind', behind };
  return { state: paidThrough !== null && now >= paidThrough * 1000 ? 'grace' : state, error: null };
}
