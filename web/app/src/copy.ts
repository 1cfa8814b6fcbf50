import { t } from '@holdfast/kit/words.ts';
import { signal } from '@preact/signals';
import { device, entitlement, user } from './client.ts';
import { download } from './download.ts';
import { notes } from './notes/book.ts';
import { day } from './notes/markdown.ts';

/** The outcome of the last copy, in words. */
export const copied = signal<string | null>(null);

/**
 * Hands the user everything that Fieldbook stores about them in this browser, as JSON: their notes, and what this browser
 * knows of the account. It needs neither premium nor the server, since the data is the user's own.
 */
export function downloadCopy(): void {
  const { state, until, paidThrough, features } = entitlement.value;
  const copy = {
    copiedAt: new Date(),
    user: user.value,
    device: device.value,
    premium: { state, until, paidThrough, features },
    notes: notes.value.map(({ user: _, createdAt, changedAt, ...note }) => ({
      ...note,
      createdAt: new Date(createdAt),
      changedAt: new Date(changedAt),
    })),
  };
  download(
    new Blob([JSON.stringify(copy, null, 2)], { type: 'application/json' }),
    `fieldbook-copy-${day(copy.copiedAt)}.json`,
  );
  copied.value = t('A copy with {count, plural, one {# note} other {# notes}} is downloaded.', {
    count: copy.notes.length,
  });
}
