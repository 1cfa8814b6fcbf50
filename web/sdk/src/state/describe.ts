import type { Entitlement, EntitlementReason } from '../verify/entitlement.ts';
import type { Verdict } from '../verify/state-of.ts';
import type { Standing } from './standing.ts';

const none = { plans: Object.freeze([]), features: Object.freeze({}) };

/** Describes the held document as an {@link Entitlement}. */
export function describe(standing: Standing, { state, error, behind }: Verdict, deviceUnknown: boolean): Entitlement {
  const { user, device, key, document } = standing;
  const reason = (document?.reason ?? null) as EntitlementReason | null;
  // Reasons that concern this device, not the subscription.
  const grants = document?.state === 'active' || document?.state === 'grace';
  const removed = document?.device === device && reason?.startsWith('device_') === true;
  return Object.freeze({
    state,
    reason,
    signInNeeded: user !== null && (!device || !key || deviceUnknown || removed),
    // A document that grants nothing has no end: it stays in force until another one is taken.
    until: grants ? date(document.exp) : null,
    refreshAfter: date(document?.refreshAfter),
    paidThrough: date(document?.paidThrough),
    ending: document?.ending ?? null,
    plans: document?.plans ?? none.plans,
    features: (state === 'active' || state === 'grace') && document ? document.features : none.features,
    revision: document?.rev ?? null,
    error: standing.error ?? error,
    // Rounded to the minute, so that it does not change with every reading.
    clockBehind: behind === undefined ? null : Math.round(behind / 60_000) * 60_000,
    lastContact: date(document?.iat),
  });
}

function date(seconds: number | null | undefined): Date | null {
  return seconds === null || seconds === undefined ? null : new Date(seconds * 1000);
}
