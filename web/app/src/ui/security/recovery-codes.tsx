import { inWords } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { useSignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { now, user } from '../../client.ts';
import { makeRecoveryCodes, newCodes, type Security } from '../../security.ts';
import { ActionButton } from '../action-button.tsx';
import { Outcome } from '../outcome.tsx';
import { Question } from '../question.tsx';

/** The recovery codes for when all passkeys are lost: how many are left, and making a new set. */
export function RecoveryCodes({ codes }: Security) {
  const question = useRef<HTMLDialogElement>(null);
  const some = codes.left > 0 && codes.createdAt;
  return (
    <section class="card" aria-labelledby="recovery-codes">
      <h3 id="recovery-codes">{t('Recovery codes')}</h3>
      <p>
        {t(
          'A code lets you make a new passkey when all others are lost. Keep them on paper, or wherever you keep your keys.',
        )}
      </p>
      <p>
        <strong>
          {some
            ? t('{left} of 10 left, made {some}.', { left: codes.left, some: inWords(some, now.value) })
            : t('You have no recovery codes.')}
        </strong>
      </p>
      <div class="actions">
        <ActionButton
          kind={some ? '' : 'primary'}
          action="recovery-codes"
          onClick={() => {
            if (some) question.current?.showModal();
            else void makeRecoveryCodes();
          }}
        >
          {some ? t('Make new codes') : t('Make recovery codes')}
        </ActionButton>
        <Outcome about={['recovery-codes']} />
      </div>
      <Question
        dialog={question}
        id="new-codes-question"
        title={t('Make new recovery codes?')}
        no={t('Keep the old ones')}
        yes={t('Make new codes')}
        action="recovery-codes"
        onYes={() => void makeRecoveryCodes()}
      >
        <p>{t('The codes that you have stop working at once.')}</p>
      </Question>
      <NewCodes />
    </section>
  );
}

/** Shown only once, so only its button dismisses it. */
function NewCodes() {
  const dialog = useRef<HTMLDialogElement>(null);
  const copied = useSignal('');
  useSignalEffect(() => {
    copied.value = '';
    if (newCodes.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  const list = newCodes.value ?? [];
  const copy = () =>
    navigator.clipboard.writeText(`${list.join('\n')}\n`).then(
      () => (copied.value = t('Copied.')),
      () => (copied.value = t('This browser does not let the page copy. Print them, or write them down.')),
    );
  return (
    <dialog
      class="question codes"
      ref={dialog}
      aria-labelledby="new-codes"
      onCancel={(event) => event.preventDefault()}
      onClose={() => (newCodes.value = null)}
    >
      <h2 id="new-codes">{t('Your recovery codes')}</h2>
      <p>
        {t('For {name} at {host}. They are shown this once, and each works once. Whoever has one can get in.', {
          name: user.value?.name,
          host: location.host,
        })}
      </p>
      <ol>
        {list.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <p class="outcome" role="status">
        {copied}
      </p>
      <form method="dialog">
        <button type="button" class="button" onClick={copy}>
          {t('Copy')}
        </button>
        <button type="button" class="button" onClick={() => print()}>
          {t('Print')}
        </button>
        <button type="submit" class="button primary">
          {t('I have kept them')}
        </button>
      </form>
    </dialog>
  );
}
