import { t } from '@holdfast/kit/words.ts';
import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { signOut } from '../../account-actions.ts';
import { notes } from '../../notes/book.ts';
import { Question } from '../question.tsx';

/** Signing out, with the choice to delete the notes: they are stored nowhere else, so they stay by default. */
export function SignOut() {
  const question = useRef<HTMLDialogElement>(null);
  const wipe = useSignal(false);
  const count = notes.value.length;
  return (
    <>
      <button
        type="button"
        class="button"
        onClick={() => {
          wipe.value = false;
          question.current?.showModal();
        }}
      >
        {t('Sign out')}
      </button>
      <Question
        dialog={question}
        id="sign-out-question"
        title={t('Sign out of this device?')}
        no={t('Stay')}
        yes={wipe.value ? t('Sign out and delete notes') : t('Sign out')}
        danger={wipe.value}
        action="sign-out"
        onYes={() => void signOut(wipe.value)}
      >
        <p>{t('Premium does not work here until you sign in again. Signing out works offline, too.')}</p>
        {count > 0 && (
          <fieldset class="choices">
            <legend>{t('What happens to your notes on this device?')}</legend>
            <Choice wipe={false} chosen={wipe}>
              <strong>{t('Keep on this device')}</strong>
              <small>
                {t('They open again when you sign in. Anyone who can use this browser profile can read them.')}
              </small>
            </Choice>
            <Choice wipe={true} chosen={wipe}>
              <strong>{t('Delete from this device')}</strong>
              <small>
                {t(
                  '{count, plural, one {Your note is kept nowhere else and cannot be brought back.} other {Your # notes are kept nowhere else and cannot be brought back.}} Download a copy first if you want one.',
                  { count },
                )}
              </small>
            </Choice>
          </fieldset>
        )}
      </Question>
    </>
  );
}

function Choice({ wipe, chosen, children }: { wipe: boolean; chosen: Signal<boolean>; children: ComponentChildren }) {
  return (
    <label>
      <input type="radio" name="notes" checked={chosen.value === wipe} onChange={() => (chosen.value = wipe)} />
      <span>{children}</span>
    </label>
  );
}
