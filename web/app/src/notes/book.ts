import { computed, signal } from '@preact/signals';
import { byChange, type Note } from './note.ts';
import { forgetSearch, prepareSearch } from './search.ts';
import { readNote, readNotes, removeNote, removeNotes, writeNote } from './store.ts';

/** The open user's notes, newest change first; null until they have been read. */
const pages = signal<readonly Note[] | null>(null);

/** The open user's notes, newest change first. */
export const notes = computed(() => pages.value ?? []);

/** Whether the notes have been read, so that "no notes" can be said truthfully. */
export const loaded = computed(() => pages.value !== null);

/** What is wrong with storing notes, in words; null when all is well. */
export const trouble = signal<string | null>(null);

/** What other tabs are told: one note has changed or is gone, or (null) more than that. */
type Tidings = { readonly id: string } | null;

let owner: string | null = null;
let preparing: AbortController | undefined;
const otherTabs = openChannel();

/** Null where the browser denies channels: other tabs then see changes when they are opened again. */
function openChannel(): BroadcastChannel | null {
  try {
    const channel = new BroadcastChannel('fieldbook-notes');
    channel.addEventListener('message', ({ data }: MessageEvent<Tidings>) => void (data ? reread(data.id) : read()));
    return channel;
  } catch {
    return null;
  }
}

/** Shows the notes of `user`; of nobody: nothing of them stays in memory. */
export async function openBook(user: string | null): Promise<void> {
  if (user === owner) return;
  owner = user;
  preparing?.abort();
  forgetSearch();
  pages.value = null;
  trouble.value = null;
  await read();
}

/** A new, empty note, stored at once; null: the book is not open yet. */
export function addNote(): Note | null {
  if (owner === null || !loaded.value) return null;
  const now = Date.now();
  const note = { id: crypto.randomUUID(), user: owner, title: '', text: '', createdAt: now, changedAt: now };
  put(note);
  void keep(writeNote(note), { id: note.id });
  return note;
}

/** Changes a note and stores it: every keystroke, so that no crash or closed tab loses words. */
export function changeNote(note: Note, change: Partial<Pick<Note, 'title' | 'text'>>): void {
  const changed = { ...note, ...change, changedAt: Date.now() };
  put(changed);
  void keep(writeNote(changed), { id: note.id });
}

export function deleteNote(note: Note): void {
  take(note.id);
  void keep(removeNote(note.id), { id: note.id });
}

/** Deletes every note of `user` from this device. Rejects if they are still there. */
export async function wipeBook(user: string): Promise<void> {
  await removeNotes(user);
  if (user === owner) pages.value = [];
  otherTabs?.postMessage(null);
}

/** The order is almost right already, so that sorting costs one comparison for each note. */
function put(note: Note): void {
  pages.value = [note, ...notes.value.filter(({ id }) => id !== note.id)].sort(byChange);
}

function take(gone: string): void {
  pages.value = notes.value.filter(({ id }) => id !== gone);
}

async function read(): Promise<void> {
  const reader = owner;
  if (reader === null) return;
  try {
    const found = (await readNotes(reader)).sort(byChange);
    if (reader !== owner) return;
    pages.value = found;
    trouble.value = null;
    preparing?.abort();
    preparing = new AbortController();
    prepareSearch(found, preparing.signal).catch(() => {});
  } catch {
    trouble.value =
      'Your notes cannot be read: this browser stores nothing here. Free some space or allow site data, then reload.';
  }
}

/** Takes over what another tab has done with one note: a keystroke there must not read 5,000 notes here. */
async function reread(id: string): Promise<void> {
  const reader = owner;
  if (reader === null || !loaded.value) return;
  const note = await readNote(id).catch(() => null);
  if (note === null || reader !== owner) return;
  if (note === undefined) take(id);
  else if (note.user === reader) put(note);
}

async function keep(change: Promise<void>, tidings: Tidings): Promise<void> {
  try {
    await change;
    trouble.value = null;
    otherTabs?.postMessage(tidings);
  } catch {
    trouble.value =
      "The last change is not saved: this browser's storage is full or refused. Copy your text, then reload.";
  }
}
