import { t } from '@holdfast/kit/words.ts';
import { computed, signal } from '@preact/signals';
import { byChange, type Note } from './note.ts';
import { forgetSearch, prepareSearch } from './search.ts';
import { readNote, readNotes, removeNote, removeNotes, writeNote } from './store.ts';

/** The open user's notes, most recently changed first; null until they have been read. */
const pages = signal<readonly Note[] | null>(null);

/** The open user's notes, most recently changed first. */
export const notes = computed(() => pages.value ?? []);

/** Whether the notes have been read, so that "no notes" is true. */
export const loaded = computed(() => pages.value !== null);

/** The failure in storing notes, in words; null: none. */
export const trouble = signal<string | null>(null);

/** The message to other tabs: one note was changed or deleted, or (null) more than one. */
type Tidings = { readonly id: string } | null;

let owner: string | null = null;
let preparing: AbortController | undefined;
const otherTabs = openChannel();

/** Null if the browser denies channels: other tabs then see changes when opened again. */
function openChannel(): BroadcastChannel | null {
  try {
    const channel = new BroadcastChannel('fieldbook-notes');
    channel.addEventListener('message', ({ data }: MessageEvent<Tidings>) => void (data ? reread(data.id) : read()));
    return channel;
  } catch {
    return null;
  }
}

/** Opens the notes of `user`; null: clears all notes from memory. */
export async function openBook(user: string | null): Promise<void> {
  if (user === owner) return;
  owner = user;
  preparing?.abort();
  forgetSearch();
  pages.value = null;
  trouble.value = null;
  await read();
}

/** Creates an empty note and stores it at once; null: the book is not open yet. */
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

/** Deletes every note of `user` from this device. Rejects if any remain. */
export async function wipeBook(user: string): Promise<void> {
  await removeNotes(user);
  if (user === owner) pages.value = [];
  otherTabs?.postMessage(null);
}

/** The list is almost sorted, so sorting costs one comparison per note. */
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
    trouble.value = t(
      'Your notes cannot be read: this browser stores nothing here. Free some space or allow site data, then reload.',
    );
  }
}

/** Applies another tab's change to one note: a keystroke there must not read 5,000 notes here. */
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
    trouble.value = t(
      "The last change is not saved: this browser's storage is full or refused. Copy your text, then reload.",
    );
  }
}
