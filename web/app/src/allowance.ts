import type { Entitlement } from '@holdfast/client';

/** How many notes the free plan holds on one device. */
export const freeNotes = 10;

/** How many notes may be held before creating another is refused; Infinity: no limit. */
export function noteLimit(features: Entitlement['features']): number {
  const feature = features.notes;
  if (!feature) return freeNotes;
  return feature.limit ?? Number.POSITIVE_INFINITY;
}

/** Why another note cannot be created, with the way forward, or null. Existing notes are never taken away. */
export function refusal(count: number, limit: number, free: boolean): string | null {
  if (count < limit) return null;
  const full = `This device holds ${count} notes; ${free ? 'the free plan' : 'your plan'} allows ${limit}.`;
  return free
    ? `${full} You can read and change them all. For another one, get premium or delete one.`
    : `${full} You can read and change them all. For another one, delete one.`;
}
