import type { Passkey } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { busy, now, support } from '../../client.ts';
import { addPasskey, deletePasskey, renamePasskey, type Security } from '../../security.ts';
import { aboutPasskey } from '../../words/passkey.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';
import { Question } from '../question.tsx';

/** The passkeys of the account: each can be renamed or deleted, and more can be added. */
export function Passkeys({ passkeys, sessions }: Security) {
  const chosen = useSignal<Passkey | null>(null);
  const name = useSignal('');
  const ending = useSignal(true);
  const renaming = useRef<HTMLDialogElement>(null);
  const deleting = useRef<HTMLDialogElement>(null);
  const used = sessions.find(({ current }) => current)?.passkey;
  const opened = sessions.filter(({ current, passkey }) => !current && passkey === chosen.value?.id).length;
  return (
    <section class="card" aria-labelledby="passkeys">
      <h3 id="passkeys">{t('Passkeys')}</h3>
      <p>{t('Each of them signs you in. With two, losing one is no trouble.')}</p>
      <ul class="devices">
        {passkeys.map((passkey) => (
          <li key={passkey.id} class="roomy">
            <span>
              <strong>{passkey.name}</strong>
              <small>
                {passkey.here && (
                  <>
                    <em class="badge">{t('This device')}</em>{' '}
                  </>
                )}
                {passkey.id === used && (
                  <>
                    <em class="badge good">{t('In use here')}</em>{' '}
                  </>
                )}
                {aboutPasskey(passkey, now.value)}
              </small>
            </span>
            <div class="pair">
              <button
                type="button"
                class="button"
                aria-label={t('Rename {name}', { name: passkey.name })}
                onClick={() => {
                  chosen.value = passkey;
                  name.value = passkey.name;
                  renaming.current?.showModal();
                }}
              >
                {t('Rename')}
              </button>
              <button
                type="button"
                class="button"
                aria-label={t('Delete {name}', { name: passkey.name })}
                onClick={() => {
                  chosen.value = passkey;
                  ending.value = true;
                  deleting.current?.showModal();
                }}
              >
                {t('Delete')}
              </button>
            </div>
          </li>
        ))}
      </ul>
      <div class="actions">
        {support.value?.usable !== false && (
          <ActionButton action="add-passkey" doing={t('Waiting for your passkey…')} onClick={addPasskey}>
            {t('Add a passkey')}
          </ActionButton>
        )}
        <Outcome about={['add-passkey', 'rename-passkey', 'delete-passkey']} />
      </div>
      <dialog class="question" ref={renaming} aria-labelledby="rename-passkey">
        <h2 id="rename-passkey">{t('Rename {name}', { name: chosen.value?.name })}</h2>
        <form
          method="dialog"
          onSubmit={(event) => {
            const wanted = name.value.trim();
            if (busy.peek() !== null) event.preventDefault();
            else if (chosen.value && wanted !== '') void renamePasskey(chosen.value, wanted);
          }}
        >
          <label class="field">
            <span>{t('Name')}</span>
            <input
              maxLength={100}
              required
              value={name}
              onInput={(event) => (name.value = event.currentTarget.value)}
            />
          </label>
          <button type="button" class="button" onClick={() => renaming.current?.close()}>
            {t('Cancel')}
          </button>
          <ActionButton action="rename-passkey" kind="primary">
            {t('Rename')}
          </ActionButton>
        </form>
      </dialog>
      <Question
        dialog={deleting}
        id="delete-passkey"
        title={t('Delete {passkey}?', { passkey: chosen.value?.name })}
        no={t('Keep it')}
        yes={t('Delete')}
        action="delete-passkey"
        onYes={() => {
          if (chosen.value) void deletePasskey(chosen.value, ending.value && opened > 0);
        }}
      >
        <p>{t('It will no longer work on any device. This cannot be undone.')}</p>
        {opened > 0 && (
          <div class="choices">
            <label>
              <input
                type="checkbox"
                checked={ending}
                onChange={(event) => (ending.value = event.currentTarget.checked)}
              />
              <span>
                <strong>{t('End its sessions, too')}</strong>
                <small>
                  {t(
                    '{opened, plural, one {# other session was opened with it.} other {# other sessions were opened with it.}} Whoever has the passkey is out then.',
                    { opened },
                  )}
                </small>
              </span>
            </label>
          </div>
        )}
      </Question>
    </section>
  );
}
