import type { User } from '@holdfast/client';
import { LockIcon } from '@holdfast/kit/icons.tsx';
import { t } from '@holdfast/kit/words.ts';
import { untracked, useSignalEffect } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { lock, lockOptions } from '../client.ts';
import { loaded, notes } from '../notes/book.ts';
import { notices } from '../notices.ts';
import { go, route } from '../route.ts';
import { here } from '../standing.ts';
import { Editor } from './editor.tsx';
import { account, Later, security } from './later.tsx';
import { createNote, focusList, List } from './list.tsx';
import { Mark } from './mark.tsx';
import { StatusBar } from './status-bar.tsx';

/** The signed-in app: the list beside the open note or the account; on narrow screens one of them at a time. */
export function Notebook({ user }: { user: User }) {
  const place = route.value;
  const pane = useRef<HTMLElement>(null);
  const list = useRef<HTMLElement>(null);
  const open = place.at === 'note' ? notes.value.find((note) => note.id === place.id) : undefined;

  useSignalEffect(() => {
    if (!loaded.value) return;
    const wanted = route.value;
    if (wanted.at === 'new') {
      untracked(() => {
        go({ at: 'list' }, true);
        createNote();
      });
    } else if (wanted.at === 'note' && !notes.value.some((note) => note.id === wanted.id)) go({ at: 'list' }, true);
  });

  // If the focused element was hidden or removed, focus moves to the view that appeared.
  const settings = place.at === 'account' || place.at === 'security';
  const address = place.at === 'note' ? place.id : place.at;
  const shown = useRef(address);
  useLayoutEffect(() => {
    const left = shown.current !== address;
    shown.current = address;
    const focused = document.activeElement;
    const lost = !focused || focused === document.body;
    if (address === 'list' && left && (lost || !focused.checkVisibility())) {
      if (list.current) focusList(list.current);
    } else if (address !== 'list' && !lost && !focused.checkVisibility()) pane.current?.focus();
  }, [address]);

  return (
    <div class="notebook" data-view={settings || open ? 'pane' : 'list'}>
      <button type="button" class="skip" onClick={() => pane.current?.focus()}>
        {t('Skip to the open page')}
      </button>
      <header class="bar">
        <h1 class="brand">
          <a class="home" href="#/">
            <Mark /> Fieldbook
          </a>
        </h1>
        {here.value.remedy === 'trial' ? (
          <a class="badge" href="#/account" aria-label={t('{badge}: try premium', { badge: here.value.badge })}>
            {here.value.badge}
          </a>
        ) : (
          <span class={`badge ${here.value.tone}`}>{here.value.badge}</span>
        )}
        {(lockOptions.value.onStart || lockOptions.value.idle) && (
          <button type="button" class="button quiet lock" onClick={() => void lock()}>
            <LockIcon /> {t('Lock')}
          </button>
        )}
        <a class="account-link" href="#/account" aria-current={settings ? 'page' : undefined}>
          <span class="avatar" aria-hidden="true">
            {[...user.name][0]?.toLocaleUpperCase()}
          </span>
          {t('Account')}
        </a>
      </header>
      <StatusBar />
      <main class="panes">
        <List open={open?.id ?? null} place={list} />
        <section class="pane" id="pane" ref={pane} tabIndex={-1} aria-label={settings ? t('Account') : t('Note')}>
          {place.at === 'account' ? (
            <Later part={account}>{({ Account }) => <Account user={user} />}</Later>
          ) : place.at === 'security' ? (
            <Later part={security}>{({ Security }) => <Security />}</Later>
          ) : open ? (
            <Editor key={open.id} note={open} />
          ) : (
            <div class="blank">
              <Mark />
              <p>{notes.value.length > 0 ? t('Choose a note, or write a new one.') : t('Nothing written yet.')}</p>
            </div>
          )}
        </section>
      </main>
      {notices.value.length > 0 && (
        <Later part={security} unasked>
          {({ Notices }) => <Notices />}
        </Later>
      )}
    </div>
  );
}
