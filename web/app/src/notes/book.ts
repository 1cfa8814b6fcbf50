import { computed, signal } from '@preact/signals';
import { byChange, type Note } from './note.ts';
import { readNotes, removeNote, writeNote } from './store.ts';

/** The signed-in user's notes by id; null until they have been read. */
const pages = signal<ReadonlyMap<string, Note> | null>(null);

/** The signed-in user's notes, newest change first. */
export const notes = computed(() => [...(pages.value?.values() ?? [])].sort(byChange));

/** Whether the notes have been read, so that "no notes" can be said truthfully. */
export const loaded = computed(() => pages.value !== null);

/** What is wrong with storing notes, in words; null when all is well. */
export const trouble = signal<string | null>(null);

let owner: string | null = null;
const otherTabs = new BroadcastChannel('fieldbook-notes');
otherTabs.addEventListener('message', () => void read());

/** Shows the notes of `user`, or of nobody. */
export async function openBook(user: string | null): Promise<void> {
  if (user === owner) return;
  owner = user;
  pages.value = null;
  await read();
}

/** A new, empty note, stored at once. */
export function addNote(): Note | null {
  if (owner === null) return null;
  const now = Date.now();
  const note = { id: crypto.randomUUID(), user: owner, title: '', text: '', createdAt: now, changedAt: now };
  put(note);
  void keep(writeNote(note));
  return note;
}

/** Changes a note and stores it: every keystroke, so that no crash or closed tab loses words. */
export function changeNote(note: Note, change: Partial<Pick<Note, 'title' | 'text'>>): void {
  const changed = { ...note, ...change, changedAt: Date.now() };
  put(changed);
  void keep(writeNote(changed));
}

export function deleteNote(note: Note): void {
  const rest = new Map(pages.value);
  rest.delete(note.id);
  pages.value = rest;
  void keep(removeNote(note.id));
}

function put(note: Note): void {
  pages.value = new Map(pages.value).set(note.id, note);
}

async function read(): Promise<void> {
  const reader = owner;
  if (reader === null) return;
  try {
    const found = await readNotes(reader);
    if (reader !== owner) return;
    pages.value = new Map(found.map((note) => [note.id, note]));
    trouble.value = null;
  } catch {
    trouble.value = 'Your notes cannot be read: this browser refuses its storage. Reload, or leave private browsing.';
  }
}

async function keep(change: Promise<void>): Promise<void> {
  try {
    await change;
    trouble.value = null;
    otherTabs.postMessage('changed');
  } catch {
    trouble.value =
      "The last change is not saved: this browser's storage is full or refused. Copy your text, then reload.";
  }
}
