import { PlusIcon, SearchIcon } from '@holdfast/kit/icons.tsx';
import { inShort } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { computed, signal, useSignal, useSignalEffect } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { now } from '../client.ts';
import { addNote, deleteNote, loaded, notes } from '../notes/book.ts';
import { excerptOf, type Note, nameOf, neighbour } from '../notes/note.ts';
import { search } from '../notes/search.ts';
import { go } from '../route.ts';
import { full, here, withdrawn } from '../standing.ts';
import { Help } from './help.tsx';
import { rowsInSight } from './rows-in-sight.ts';

const query = signal('');
const found = computed(() => search(notes.value, query.value));
const refused = signal(false);

/** The note that gets keyboard focus in the list; null: none in particular. */
let landing: string | null = null;

/** The note created last. */
let newest: string | null = null;

/** Opens a new note, or says why it cannot. An empty newest note is opened instead, so that a double click makes one. */
export function createNote(): void {
  // The notes are still loading: keep the request in the URL.
  if (!loaded.value) {
    go({ at: 'new' }, true);
    return;
  }
  const unwritten = notes.value.find(({ id, title, text }) => id === newest && title === '' && text === '');
  if (unwritten) {
    go({ at: 'note', id: unwritten.id });
    return;
  }
  refused.value = full.value !== null;
  if (refused.value) return;
  const note = addNote();
  if (note) {
    query.value = '';
    newest = note.id;
    go({ at: 'note', id: note.id });
  }
}

/** Deletes the open note and goes back to the list, with focus on its neighbour. */
export function deleteOpenNote(note: Note): void {
  landing = neighbour(found.value, note.id)?.id ?? null;
  deleteNote(note);
  go({ at: 'list' }, true);
}

/** Moves keyboard focus into the list: to the remembered note, else to the list itself. */
export function focusList(list: HTMLElement): void {
  const note = landing && list.querySelector<HTMLElement>(`a[href="#/note/${landing}"]`);
  landing = null;
  (note || list).focus();
}

export function List({ open, place }: { open: string | null; place: RefObject<HTMLElement | null> }) {
  // The list may have another user next.
  useEffect(
    () => () => {
      query.value = '';
      refused.value = false;
      landing = null;
      newest = null;
    },
    [],
  );
  return (
    <section class="list" aria-label={t('Notes')} ref={place} tabIndex={-1}>
      <div class="list-head">
        <label class="search">
          <SearchIcon />
          <input
            type="search"
            aria-label={t('Search notes')}
            placeholder={t('Search')}
            value={query}
            onInput={(event) => (query.value = event.currentTarget.value)}
          />
        </label>
        <button type="button" class="button primary" onClick={createNote}>
          <PlusIcon /> {t('New note')}
        </button>
      </div>
      <Refusal />
      {withdrawn.value && <Withdrawn />}
      <Found open={open} scroller={place} />
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
          {!withdrawn.value && <WaysOut />}
        </div>
      )}
    </div>
  );
}

/** Why premium was taken away, since when, and the way back. */
function Withdrawn() {
  const { headline, meaning } = here.value;
  return (
    <div class="callout">
      <strong>{headline}</strong>
      <p>{meaning}</p>
      <WaysOut />
    </div>
  );
}

function WaysOut() {
  return (
    <div class="actions">
      <Help />
      <a class="button" href="#/account">
        {t('See what to do')}
      </a>
    </div>
  );
}

function Found({ open, scroller }: { open: string | null; scroller: RefObject<HTMLElement | null> }) {
  if (!loaded.value) return null;
  if (notes.value.length === 0) {
    return <p class="empty">{t('No notes yet. Your first one is a tap away.')}</p>;
  }
  const searching = query.value.trim() !== '';
  return (
    <>
      <p class={found.value.length === 0 ? 'empty' : 'unseen'} role="status">
        {found.value.length === 0
          ? t('No note contains “{query}”.', { query })
          : searching && t('{count, number} found', { count: found.value.length })}
      </p>
      {found.value.length > 0 && <Rows open={open} scroller={scroller} />}
    </>
  );
}

/** Renders the visible rows and reserves space for the others. */
function Rows({ open, scroller }: { open: string | null; scroller: RefObject<HTMLElement | null> }) {
  const list = useRef<HTMLUListElement>(null);
  const sight = useSignal({ row: 62, top: 0, height: 1000 });
  const rows = ({ row, top, height }: typeof sight.value) => rowsInSight(found.peek().length, row, top, height);

  useLayoutEffect(() => {
    const view = scroller.current;
    if (!view) return;
    const look = () => {
      const row = list.current?.firstElementChild?.getBoundingClientRect().height;
      const height = view.clientHeight;
      // Hidden on a phone while a note is open: nothing to measure.
      if (!list.current || !row || height === 0) return;
      const top = view.getBoundingClientRect().top - list.current.getBoundingClientRect().top;
      const [before, after] = [rows(sight.peek()), rows({ row, top, height })];
      if (row !== sight.peek().row || before.from !== after.from || before.to !== after.to) {
        sight.value = { row, top, height };
      }
    };
    look();
    const resized = new ResizeObserver(look);
    resized.observe(view);
    view.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      view.removeEventListener('scroll', look);
    };
  }, []);

  // Scroll to the top for the results of another search.
  useSignalEffect(() => {
    query.value;
    scroller.current?.scrollTo(0, 0);
  });

  const total = found.value.length;
  const { from, to } = rows(sight.value);
  const above = `${from * sight.value.row}px`;
  const below = `${(total - to) * sight.value.row}px`;
  return (
    <ul class="notes" ref={list} style={{ paddingTop: above, paddingBottom: below }}>
      {found.value.slice(from, to).map((note, at) => (
        <li key={note.id} aria-setsize={total} aria-posinset={from + at + 1}>
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
