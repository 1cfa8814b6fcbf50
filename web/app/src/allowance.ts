import type { Entitlement } from '@holdfast/client';
import { list, sentences, t } from '@holdfast/kit/words.ts';

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
  const full = free
    ? t('This device holds {count} notes; the free plan allows {limit}. You can read and change them all.', {
        count,
        limit,
      })
    : t('This device holds {count} notes; your plan allows {limit}. You can read and change them all.', {
        count,
        limit,
      });
  // After premium there may be many more than the limit: deleting one of them then makes no room.
  const ways = [];
  if (trial) ways.push(t('start the free trial'));
  if (count === limit) ways.push(t('delete one'));
  if (ways.length === 0) return full;
  return sentences(full, t('For another one, {ways}.', { ways: list(ways, 'disjunction') }));
}
