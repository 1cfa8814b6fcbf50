import type { LinkedDevice } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';

/**
 * The name of each device in a list. Devices of the same name are numbered in the order of linking, so that the numbers do
 * not change with activity.
 */
export function deviceNames(devices: readonly LinkedDevice[]): ReadonlyMap<string, string> {
  const byLinking = [...devices].sort((a, b) => a.linkedAt.getTime() - b.linkedAt.getTime());
  return new Map(
    byLinking.map((device) => {
      const namesakes = byLinking.filter(({ name }) => name === device.name);
      const number = namesakes.indexOf(device) + 1;
      return [
        device.id,
        namesakes.length > 1
          ? t('{name} ({number} of {count})', { name: device.name, number, count: namesakes.length })
          : device.name,
      ];
    }),
  );
}

/** When a device was linked and last seen, and when one that is removed or copied stops counting against the limit. */
export function aboutDevice(
  { linkedAt, lastReconciledAt, freesUpAt }: LinkedDevice,
  now: Date,
  locale?: string,
): string {
  const linked = inWords(linkedAt, now, locale);
  const about = lastReconciledAt
    ? t('Linked {linked}, last seen {seen}', { linked, seen: inWords(lastReconciledAt, now, locale) })
    : t('Linked {linked}, not seen since', { linked });
  if (!freesUpAt) return about;
  return t('{about}. Its place frees up {freed}', { about, freed: inWords(freesUpAt, now, locale) });
}
