import { inSlices } from '../slices.ts';
import type { Note } from './note.ts';

/**
 * Title and text of each note as they are compared, made once: a note never changes, its successor is another object.
 * With this, scanning 5,000 notes takes a few milliseconds; an index would only have to be kept up to date.
 */
const folded = new WeakMap<Note, string>();

/** The search before, among whose finds those of a longer query are. */
let last: { notes: readonly Note[]; words: readonly string[]; found: readonly Note[] } | undefined;

/** The notes that contain every word of `query`, in title or text, whatever case and accents. */
export function search(notes: readonly Note[], query: string): readonly Note[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return notes;
  const narrower = last?.notes === notes && last.words.every((was) => words.some((word) => word.includes(was)));
  const found = (narrower && last ? last.found : notes).filter((note) => {
    const haystack = foldedOf(note);
    return words.every((word) => haystack.includes(word));
  });
  last = { notes, words, found };
  return found;
}

/** Nothing of the notes stays in memory. */
export function forgetSearch(): void {
  last = undefined;
}

/** Does ahead, while nothing else is to be done, what the first search would have to. */
export function prepareSearch(notes: readonly Note[], signal: AbortSignal): Promise<void> {
  return inSlices(notes.length, (at) => foldedOf(notes[at] as Note), { signal });
}

function foldedOf(note: Note): string {
  let text = folded.get(note);
  if (text === undefined) {
    text = fold(`${note.title}\n${note.text}`);
    folded.set(note, text);
  }
  return text;
}

/** Lower case without accents, so that "cafe" finds "Café". Most texts have none, which is quicker to see than to remove. */
function fold(text: string): string {
  const plain = /[^\0-\x7f]/.test(text) ? text.normalize('NFD').replace(/\p{M}+/gu, '') : text;
  return plain.toLowerCase();
}
