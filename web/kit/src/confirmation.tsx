import { type Signal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from './words.ts';

/**
 * Asks for one passkey tap before a change, which then continues automatically. The dialog is open while `confirming` holds
 * a function, and calls it with the answer.
 */
export function Confirmation({
  confirming,
  kind,
}: {
  confirming: Signal<((go: boolean) => void) | null>;
  /** The class of the dialog. */
  kind: string;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useSignalEffect(() => {
    if (confirming.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  // Leaving the page counts as no.
  useEffect(() => () => confirming.peek()?.(false), [confirming]);
  return (
    <dialog class={kind} ref={dialog} aria-labelledby="confirmation" onClose={() => confirming.peek()?.(false)}>
      <h2 id="confirmation">{t('Is it you?')}</h2>
      <p>{t('You showed your passkey more than 10 minutes ago. Show it once more, and this goes on by itself.')}</p>
      <form method="dialog" class="ends">
        <button type="submit" class="button">
          {t('Cancel')}
        </button>
        <button type="button" class="button primary" onClick={() => confirming.peek()?.(true)}>
          {t('Continue with a passkey')}
        </button>
      </form>
    </dialog>
  );
}
