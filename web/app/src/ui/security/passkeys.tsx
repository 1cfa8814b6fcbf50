import type { Passkey } from '@holdfast/client';
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
      <h3 id="passkeys">Passkeys</h3>
      <p>Each of them signs you in. With two, losing one is no trouble.</p>
      <ul class="devices">
        {passkeys.map((passkey) => (
          <li key={passkey.id} class="roomy">
            <span>
              <strong>{passkey.name}</strong>
              <small>
                {passkey.here && (
                  <>
                    <em class="badge">This device</em>{' '}
                  </>
                )}
                {passkey.id === used && (
                  <>
                    <em class="badge good">In use here</em>{' '}
                  </>
                )}
                {aboutPasskey(passkey, now.value)}
              </small>
            </span>
            <div class="pair">
              <button
                type="button"
                class="button"
                aria-label={`Rename ${passkey.name}`}
                onClick={() => {
                  chosen.value = passkey;
                  name.value = passkey.name;
                  renaming.current?.showModal();
                }}
              >
                Rename
              </button>
              <button
                type="button"
                class="button"
                aria-label={`Delete ${passkey.name}`}
                onClick={() => {
                  chosen.value = passkey;
                  ending.value = true;
                  deleting.current?.showModal();
                }}
              >
                Delete
              </button>
            </div>
          </li>
        ))}
      </ul>
      <div class="actions">
        {support.value?.usable !== false && (
          <ActionButton action="add-passkey" doing="Waiting for your passkey…" onClick={addPasskey}>
            Add a passkey
          </ActionButton>
        )}
        <Outcome about={['add-passkey', 'rename-passkey', 'delete-passkey']} />
      </div>
      <dialog class="question" ref={renaming} aria-labelledby="rename-passkey">
        <h2 id="rename-passkey">Rename {chosen.value?.name}</h2>
        <form
          method="dialog"
          onSubmit={(event) => {
            const wanted = name.value.trim();
            if (busy.peek() !== null) event.preventDefault();
            else if (chosen.value && wanted !== '') void renamePasskey(chosen.value, wanted);
          }}
        >
          <label class="field">
            <span>Name</span>
            <input
              maxLength={100}
              required
              value={name}
              onInput={(event) => (name.value = event.currentTarget.value)}
            />
          </label>
          <button type="button" class="button" onClick={() => renaming.current?.close()}>
            Cancel
          </button>
          <ActionButton action="rename-passkey" kind="primary">
            Rename
          </ActionButton>
        </form>
      </dialog>
      <Question
        dialog={deleting}
        id="delete-passkey"
        title={`Delete ${chosen.value?.name}?`}
        no="Keep it"
        yes="Delete"
        action="delete-passkey"
        onYes={() => {
          if (chosen.value) void deletePasskey(chosen.value, ending.value && opened > 0);
        }}
      >
        <p>It will no longer work on any device. This cannot be undone.</p>
        {opened > 0 && (
          <div class="choices">
            <label>
              <input
                type="checkbox"
                checked={ending}
                onChange={(event) => (ending.value = event.currentTarget.checked)}
              />
              <span>
                <strong>End its sessions, too</strong>
                <small>
                  {opened === 1 ? '1 other session was' : `${opened} other sessions were`} opened with it. Whoever has
                  it is out then.
                </small>
              </span>
            </label>
          </div>
        )}
      </Question>
    </section>
  );
}
