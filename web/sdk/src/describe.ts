import type { Entitlement, EntitlementReason } from './entitlement.ts';
import type { Standing } from './standing.ts';
import type { Verdict } from './state.ts';

const reasons: readonly EntitlementReason[] = ['revoked', 'suspended', 'lapsed', 'device_forked', 'device_removed'];

/** Puts the held document into the application's words. */
export function describe(standing: Standing, { state, error }: Verdict, deviceUnknown: boolean): Entitlement {
  const { user, device, key, document } = standing;
  const reason = reasons.find((known) => known === document?.reason) ?? null;
  // Reasons that are about this device, not about the subscription.
  const removed = document?.device === device && reason !== null && reason.startsWith('device_');
  return Object.freeze({
    state,
    reason,
    signInNeeded: user !== null && (!device || !key || deviceUnknown || removed),
    until: date(document?.exp),
    refreshAfter: date(document?.refreshAfter),
    paidThrough: date(document?.paidThrough),
    plans: document?.plans ?? [],
    features: state === 'active' || state === 'grace' ? (document?.features ?? {}) : {},
    revision: document?.rev ?? null,
    error: standing.error ?? error,
    lastContact: date(document?.iat),
  });
}

function date(seconds: number | null | undefined): Date | null {
  return seconds === null || seconds === undefined ? null : new Date(seconds * 1000);
}
