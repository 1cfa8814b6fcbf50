import { t } from '@holdfast/kit/words.ts';
/** One note, as kept in this browser. */
export interface Note {
  /** UUID. */
  readonly id: string;
  /** The user it belongs to: several people may use one browser, each sees their own. */
  readonly user: string;
  readonly title: string;
  readonly text: string;
  /** Milliseconds since 1970, by this device's clock. */
  readonly createdAt: number;
  readonly changedAt: number;
}

/** Reads a stored note that may be damaged, keeping what is valid. A damaged note never hides the others. */
export function mended(note: { readonly [name in keyof Note]?: unknown } & Pick<Note, 'id' | 'user'>): Note {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const time = (value: unknown) =>
    typeof value === 'number' && Number.isFinite(new Date(value).getTime()) ? value : 0;
  return {
    id: note.id,
    user: note.user,
    title: text(note.title),
    text: text(note.text),
    createdAt: time(note.createdAt),
    changedAt: time(note.changedAt),
  };
}

/** The name of a note in lists and files: its title, else its first line, else "Untitled". */
export function nameOf(note: Note): string {
  return note.title.trim() || firstLine(note.text) || t('Untitled');
}

/** The line below the name in lists: the first text that is not part of the name. */
export function excerptOf(note: Note): string {
  const text = note.text.trim();
  if (note.title.trim()) return firstLine(text);
  return firstLine(text.slice(firstLine(text).length));
}

/** Most recently changed first; the id breaks ties, so that the order is stable. */
export function byChange(a: Note, b: Note): number {
  return b.changedAt - a.changedAt || (a.id < b.id ? -1 : 1);
}

/** The note that takes this one's place when it is deleted: the next, else the previous, else none. */
export function neighbour(notes: readonly Note[], id: string): Note | null {
  const at = notes.findIndex((note) => note.id === id);
  return at < 0 ? null : (notes[at + 1] ?? notes[at - 1] ?? null);
}

function firstLine(text: string): string {
  return (text.trimStart().split('\n', 1)[0] ?? '').trim();
}
