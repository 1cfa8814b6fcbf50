import { thousands } from '@holdfast/kit/when.ts';
import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { signOut } from '../../client.ts';
import { notes } from '../../notes/book.ts';
import { Question } from '../question.tsx';

/** Signing out, with the choice to delete the notes: they are stored nowhere else, so they stay by default. */
export function SignOut() {
  const question = useRef<HTMLDialogElement>(null);
  const wipe = useSignal(false);
  const count = notes.value.length;
  const all = count === 1 ? 'Your note is' : `Your ${thousands(count)} notes are`;
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
        Sign out
      </button>
      <Question
        dialog={question}
        id="sign-out-question"
        title="Sign out of this device?"
        no="Stay"
        yes={wipe.value ? 'Sign out and delete notes' : 'Sign out'}
        danger={wipe.value}
        action="sign-out"
        onYes={() => void signOut(wipe.value)}
      >
        <p>Premium does not work here until you sign in again. Signing out works offline, too.</p>
        {count > 0 && (
          <fieldset class="choices">
            <legend>What happens to your notes on this device?</legend>
            <Choice wipe={false} chosen={wipe}>
              <strong>Keep on this device</strong>
              <small>They open again when you sign in. Anyone who can use this browser profile can read them.</small>
            </Choice>
            <Choice wipe={true} chosen={wipe}>
              <strong>Delete from this device</strong>
              <small>{all} kept nowhere else and cannot be brought back. Download a copy first if you want one.</small>
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
