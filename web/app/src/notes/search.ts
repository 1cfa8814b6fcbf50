import { inSlices } from '../slices.ts';
import type { Note } from './note.ts';

/**
 * The normalized title and text of each note, computed once: notes are immutable, and a changed note is another object. With
 * this cache, scanning 5,000 notes takes a few milliseconds, so no index is needed.
 */
const folded = new WeakMap<Note, string>();

/** The previous search: the results of a longer query are among its results. */
let last: { notes: readonly Note[]; words: readonly string[]; found: readonly Note[] } | undefined;

/** The notes that contain every word of `query`, in title or text, ignoring case and accents. */
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

/** Clears all notes from memory. */
export function forgetSearch(): void {
  last = undefined;
}

/** Fills the cache while the browser is idle, ahead of the first search. */
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

/** Lower case without accents, so that "cafe" finds "Café". Most texts have none, and checking is quicker than removing. */
function fold(text: string): string {
  const plain = /[^\0-\x7f]/.test(text) ? text.normalize('NFD').replace(/\p{M}+/gu, '') : text;
  return plain.toLowerCase();
}
