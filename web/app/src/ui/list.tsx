import { computed, signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { now } from '../client.ts';
import { addNote, deleteNote, loaded, notes } from '../notes/book.ts';
import { excerptOf, type Note, nameOf, neighbour, search } from '../notes/note.ts';
import { go } from '../route.ts';
import { full, here } from '../standing.ts';
import { inShort } from '../when.ts';
import { PlusIcon, SearchIcon } from './icons.tsx';

const query = signal('');
const found = computed(() => search(notes.value, query.value));
const refused = signal(false);

/** The note at which the keyboard goes on in the list; null: none in particular. */
let landing: string | null = null;

/** Opens a new note, or says why there can be none. */
export function createNote(): void {
  refused.value = full.value !== null;
  if (refused.value) return;
  const note = addNote();
  if (note) {
    query.value = '';
    go({ at: 'note', id: note.id });
  }
}

/** Deletes the open note and goes back to the list, where its neighbour is now. */
export function deleteOpenNote(note: Note): void {
  landing = neighbour(found.value, note.id)?.id ?? null;
  deleteNote(note);
  go({ at: 'list' }, true);
}

/** Moves the keyboard into the list: to the note it lands on, else to the list itself. */
export function focusList(list: HTMLElement): void {
  const note = landing && list.querySelector<HTMLElement>(`a[href="#/note/${landing}"]`);
  landing = null;
  (note || list).focus();
}

export function List({ open, place }: { open: string | null; place: RefObject<HTMLElement | null> }) {
  return (
    <section class="list" aria-label="Notes" ref={place} tabIndex={-1}>
      <div class="list-head">
        <label class="search">
          <SearchIcon />
          <input
            type="search"
            aria-label="Search notes"
            placeholder="Search"
            value={query}
            onInput={(event) => (query.value = event.currentTarget.value)}
          />
        </label>
        <button type="button" class="button primary" onClick={createNote}>
          <PlusIcon /> New note
        </button>
      </div>
      <Refusal />
      <Found open={open} />
    </section>
  );
}

function Refusal() {
  const reason = refused.value ? full.value : null;
  return (
    <div role="alert">
      {reason && (
        <div class="callout">
          <p>{reason}</p>
          {here.value.tone === 'attention' && <p>{here.value.headline}.</p>}
          <a class="button" href="#/account">
            {here.value.tone === 'calm' ? 'See premium' : 'See what to do'}
          </a>
        </div>
      )}
    </div>
  );
}

function Found({ open }: { open: string | null }) {
  if (!loaded.value) return null;
  if (notes.value.length === 0) {
    return <p class="empty">No notes yet. Your first one is a tap away.</p>;
  }
  if (found.value.length === 0) {
    return (
      <p class="empty" role="status">
        No note contains “{query}”.
      </p>
    );
  }
  return (
    <ul class="notes">
      {found.value.map((note) => (
        <li key={note.id}>
          <a href={`#/note/${note.id}`} aria-current={note.id === open ? 'page' : undefined}>
            <strong>{nameOf(note)}</strong>
            <span class="excerpt">
              <time dateTime={new Date(note.changedAt).toISOString()}>
                {inShort(new Date(note.changedAt), now.value)}
              </time>{' '}
              {excerptOf(note)}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}
