import type { Entitlement } from '@holdfast/client';

/** How many notes the free plan holds on one device. */
export const freeNotes = 10;

/** How many notes may be held before creating another is refused; Infinity: no limit. */
export function noteLimit(features: Entitlement['features']): number {
  const feature = features.notes;
  if (!feature) return freeNotes;
  return feature.limit ?? Number.POSITIVE_INFINITY;
}

/**
 * Why another note cannot be created, with the ways forward, or null. Existing notes are never taken away. `trial` says
 * whether the user may start one.
 */
export function refusal(
  count: number,
  limit: number,
  { free, trial }: { readonly free: boolean; readonly trial: boolean },
): string | null {
  if (count < limit) return null;
  const full = `This device holds ${count} notes; ${free ? 'the free plan' : 'your plan'} allows ${limit}. You can read and change them all.`;
  // After premium there may be many more than the limit: deleting one of them then makes no room.
  const ways = [trial && 'start the free trial', count === limit && 'delete one'].filter(Boolean);
  return ways.length > 0 ? `${full} For another one, ${ways.join(' or ')}.` : full;
}
