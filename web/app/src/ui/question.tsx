import type { ComponentChildren, RefObject } from 'preact';
import type { Action } from '../words/failure.ts';
import { ActionButton } from './action-button.tsx';

interface Props {
  readonly dialog: RefObject<HTMLDialogElement | null>;
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  readonly children: ComponentChildren;
  /** The cancel and confirm buttons. */
  readonly no: string;
  readonly yes: string;
  readonly danger?: boolean;
  /** The action that it confirms, which waits until no other one runs; none for a change that takes no time. */
  readonly action?: Action;
  readonly onYes: () => void;
}

/** Asks for confirmation of an action that is hard to undo. */
export function Question({ dialog, id, title, children, no, yes, danger = true, action, onYes }: Props) {
  const kind = danger ? 'danger' : 'primary';
  const agree = () => {
    dialog.current?.close();
    onYes();
  };
  return (
    <dialog class="question" ref={dialog} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
      <form method="dialog">
        <button type="submit" class="button">
          {no}
        </button>
        {action ? (
          <ActionButton action={action} kind={kind} onClick={agree}>
            {yes}
          </ActionButton>
        ) : (
          <button type="button" class={`button ${kind}`} onClick={agree}>
            {yes}
          </button>
        )}
      </form>
    </dialog>
  );
}
