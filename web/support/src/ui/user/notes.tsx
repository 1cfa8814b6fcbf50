import type { Account, Note } from '@holdfast/api';
import { rich } from '@holdfast/kit/rich.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { call, keyring } from '../../server.ts';
import { confirmed, may } from '../../session.ts';
import { names } from '../../surroundings.ts';
import { actorWords } from '../../words/trail.ts';
import { said, useWork } from '../../work.ts';
import { Act, ask } from '../act.tsx';
import { Failed, WorkButton } from '../button.tsx';
import { When } from '../when.tsx';
import type { CardProps } from './card.ts';

/** Support's notes about the user. */
export function Notes({ account, changed }: CardProps) {
  const text = useSignal('');
  const work = useWork();
  const key = useRef(keyring());
  const path = `/admin/v1/users/${account.user.id}/notes`;
  return (
    <section class="card" aria-labelledby="notes-about">
      <h2 id="notes-about">{t('Notes')}</h2>
      {account.notes.length === 0 && <p>{t('None yet.')}</p>}
      <ul class="rows">
        {account.notes.map((note) => (
          <li key={note.id}>
            <div>
              <p class="note">{note.text}</p>
              <small>
                {rich('By {author}, {when}', {
                  author: actorWords(note.author, account.user.id, names.value),
                  when: <When at={note.at} />,
                })}
              </small>
            </div>
            {may('support:write') && (
              <button
                type="button"
                class="button"
                aria-label={t('Delete the note “{text}”', { text: note.text.slice(0, 40) })}
                onClick={() => ask(<Delete account={account} changed={changed} note={note} path={path} />)}
              >
                {t('Delete…')}
              </button>
            )}
          </li>
        ))}
      </ul>
      {may('support:write') && (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const body = { text: text.peek().trim() };
            if (body.text === '') return;
            const done = await work.run(() => confirmed(() => call('POST', path, { body, key: key.current(body) })));
            if (!done) return;
            key.current = keyring();
            text.value = '';
            await changed();
          }}
        >
          <label class="field">
            <span>{t('New note')}</span>
            <textarea
              class="prose"
              rows={2}
              maxLength={2000}
              value={text}
              onInput={(event) => (text.value = event.currentTarget.value)}
            />
            <small>
              {t('Colleagues read it here. So can {name}: an export of the account contains it.', {
                name: account.user.name,
              })}
            </small>
          </label>
          <Failed work={work} />
          <WorkButton work={work} doing={t('Writing…')} disabled={text.value.trim() === ''}>
            {t('Write note')}
          </WorkButton>
        </form>
      )}
    </section>
  );
}

interface DeleteProps {
  readonly account: Account;
  readonly changed: () => Promise<void>;
  readonly note: Note;
  readonly path: string;
}

function Delete({ account, changed, note, path }: DeleteProps) {
  return (
    <Act
      title={t('Delete the note about {name}?', { name: account.user.name })}
      reasons={[t('Out of date'), t('Asked by the customer')]}
      yes={t('Delete it')}
      doing={t('Deleting…')}
      act={async ({ reason }) => {
        await call('DELETE', `${path}/${note.id}`, { body: { reason } });
        await changed();
        said.value = { text: t('The note is deleted.') };
      }}
    >
      <p class="note">{note.text}</p>
      <p>{t('It cannot be brought back. The trail keeps that there was one, and never its text.')}</p>
    </Act>
  );
}
