import { byChange, type Note, nameOf } from './note.ts';

/**
 * All notes as one Markdown document: a heading and the date of the last change for each, newest first; texts stay as
 * they were written. `say` puts a time into words.
 */
export function toMarkdown(notes: readonly Note[], exportedAt: Date, say: (time: Date) => string): string {
  const count = notes.length === 1 ? '1 note' : `${notes.length} notes`;
  const parts = [`# Fieldbook\n\n${count}, exported ${say(exportedAt)}.`];
  for (const note of [...notes].sort(byChange)) {
    const body = note.text.trim();
    parts.push(
      `## ${escapeInline(nameOf(note))}\n\n*Last changed ${say(new Date(note.changedAt))}*${body ? `\n\n${body}` : ''}`,
    );
  }
  return `${parts.join('\n\n---\n\n')}\n`;
}

/** Names the file by the local day, so that a folder of exports sorts itself. */
export function exportName(exportedAt: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `fieldbook-${exportedAt.getFullYear()}-${two(exportedAt.getMonth() + 1)}-${two(exportedAt.getDate())}.md`;
}

/** A title is one line of plain text: characters that Markdown would take for markup are escaped. */
function escapeInline(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>#]/g, '\\$&');
}
