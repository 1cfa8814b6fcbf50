import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { confirming } from '../client.ts';

/** Asks for one tap of a passkey before something that matters, which goes on by itself after it. */
export function Confirmation() {
  const dialog = useRef<HTMLDialogElement>(null);
  useSignalEffect(() => {
    if (confirming.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  // Leaving the page is a no.
  useEffect(() => () => confirming.peek()?.(false), []);
  return (
    <dialog class="question" ref={dialog} aria-labelledby="confirmation" onClose={() => confirming.peek()?.(false)}>
      <h2 id="confirmation">Is it you?</h2>
      <p>You signed in some time ago. Show your passkey once more, and this goes on.</p>
      <form method="dialog">
        <button type="submit" class="button">
          Cancel
        </button>
        <button type="button" class="button primary" onClick={() => confirming.peek()?.(true)}>
          Continue with a passkey
        </button>
      </form>
    </dialog>
  );
}
