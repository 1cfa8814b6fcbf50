import { inFull } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { signal } from '@preact/signals';
import { may, noticeable } from './client.ts';
import { download } from './download.ts';
import { notes } from './notes/book.ts';
import { exportName, toMarkdown } from './notes/markdown.ts';

/** The progress of an export; null: none is running, or it is too short to show. */
export const exporting = signal<{ readonly done: number; readonly total: number } | null>(null);

/** The outcome of the last export, in words. */
export const exported = signal<string | null>(null);

let running: AbortController | undefined;

/** Writes all notes to a file and hands it to the browser. Checks the right again, since it may just have ended. */
export async function exportNotes(): Promise<void> {
  if (running || !may('export')) return;
  running = new AbortController();
  const all = notes.value;
  const at = new Date();
  const begun = performance.now();
  exported.value = null;
  try {
    const pieces = await toMarkdown(all, at, (time) => inFull(time), {
      signal: running.signal,
      onProgress(done) {
        if (performance.now() - begun > noticeable) exporting.value = { done, total: all.length };
      },
    });
    download(new Blob(pieces, { type: 'text/markdown' }), exportName(at));
    exported.value = t('{count, plural, one {# note} other {# notes}} exported.', { count: all.length });
  } catch (error) {
    if (!running.signal.aborted) throw error;
    exported.value = t('Cancelled.');
  } finally {
    running = undefined;
    exporting.value = null;
  }
}

export function stopExport(): void {
  running?.abort();
}
