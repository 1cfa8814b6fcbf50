import { t } from '@holdfast/kit/words.ts';
import { inSlices, type SliceOptions } from '../slices.ts';
import { type Note, nameOf } from './note.ts';

/**
 * All notes as one Markdown document, in pieces to join: for each note in order, a heading, the date of the last change, and
 * the text as written. `say` formats a time.
 */
export async function toMarkdown(
  notes: readonly Note[],
  exportedAt: Date,
  say: (time: Date) => string,
  options?: SliceOptions,
): Promise<string[]> {
  const about = t('{count, plural, one {# note} other {# notes}}, exported {time}.', {
    count: notes.length,
    time: say(exportedAt),
  });
  const pieces = [`# Fieldbook\n\n${about}`];
  const add = (at: number) => pieces.push('\n\n---\n\n', section(notes[at] as Note, say));
  await inSlices(notes.length, add, options);
  return [...pieces, '\n'];
}

/** Names the file by the local day, so that a folder of exports sorts itself. */
export function exportName(exportedAt: Date): string {
  return `fieldbook-${day(exportedAt)}.md`;
}

/** The local day as `YYYY-MM-DD`. */
export function day(time: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

function section(note: Note, say: (time: Date) => string): string {
  const body = note.text.trim();
  const changed = `*${t('Last changed {time}', { time: say(new Date(note.changedAt)) })}*`;
  return `## ${escapeInline(nameOf(note))}\n\n${changed}${body ? `\n\n${body}` : ''}`;
}

/** A title is one line of plain text: characters that are Markdown markup are escaped. */
function escapeInline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>#]/g, '\\$&');
}
