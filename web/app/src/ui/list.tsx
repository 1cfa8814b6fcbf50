import { computed, signal } from '@preact/signals';
import { now } from '../client.ts';
import { addNote, loaded, notes } from '../notes/book.ts';
import { excerptOf, nameOf, search } from '../notes/note.ts';
import { go } from '../route.ts';
import { full, here } from '../standing.ts';
import { inShort } from '../when.ts';
import { PlusIcon, SearchIcon } from './icons.tsx';

const query = signal('');
const found = computed(() => search(notes.value, query.value));
const refused = signal(false);

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

export function List({ open }: { open: string | null }) {
  return (
    <section class="list" aria-label="Notes">
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
            {here.value.remedy === 'trial' ? 'See premium' : 'See what to do'}
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
