import type { Entitlement, EntitlementReason, EntitlementState } from './entitlement.ts';
import type { ErrorCode } from './error-code.ts';
import type { Standing } from './standing.ts';
import { estimateTime, type TrustedTime } from './trusted-time.ts';

/** How the time stands to the held document. */
export type Phase = 'live' | 'expired' | 'keyset_expired' | 'clock_behind';

const reasons: readonly EntitlementReason[] = ['revoked', 'suspended', 'lapsed', 'device_forked', 'device_removed'];

/** Only what grants can end: a document that says why there is nothing stays true until another one is taken. */
export function phaseOf({ document, keyset }: Standing, time: TrustedTime, clock: number): Phase {
  if (!document || (document.state !== 'active' && document.state !== 'grace')) return 'live';
  const { now, behind } = estimateTime(time, clock);
  if (behind) return 'clock_behind';
  if (keyset && now >= keyset.exp * 1000) return 'keyset_expired';
  return now >= document.exp * 1000 ? 'expired' : 'live';
}

/** Puts the held document into the application's words. */
export function describe(standing: Standing, phase: Phase, deviceUnknown: boolean): Entitlement {
  const { user, device, key, document } = standing;
  const reason = reasons.find((known) => known === document?.reason) ?? null;
  const removed = document?.device === device && (reason === 'device_forked' || reason === 'device_removed');
  return Object.freeze({
    state: stateOf(standing, phase),
    reason,
    signInNeeded: user !== null && (!device || !key || deviceUnknown || removed),
    until: date(document?.exp),
    refreshAfter: date(document?.refreshAfter),
    paidThrough: date(document?.paidThrough),
    plans: document?.plans ?? [],
    features: phase === 'live' ? (document?.features ?? {}) : {},
    revision: document?.rev ?? null,
    error: errorOf(standing, phase),
    lastContact: date(document?.iat),
  });
}

function stateOf({ user, document }: Standing, phase: Phase): EntitlementState {
  if (!user) return 'signed_out';
  if (!document) return 'none';
  if (phase === 'live') return document.state;
  return phase === 'clock_behind' ? 'clock_behind' : 'ended';
}

function errorOf({ error }: Standing, phase: Phase): ErrorCode | null {
  return error ?? (phase === 'live' ? null : phase);
}

function date(seconds: number | null | undefined): Date | null {
  return seconds === null || seconds === undefined ? null : new Date(seconds * 1000);
}
