import type { ComponentChildren, RefObject } from 'preact';

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
  readonly onYes: () => void;
}

/** Asks for confirmation of an action that is hard to undo. */
export function Question({ dialog, id, title, children, no, yes, danger = true, onYes }: Props) {
  return (
    <dialog class="question" ref={dialog} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
      <form method="dialog">
        <button type="submit" class="button">
          {no}
        </button>
        <button
          type="button"
          class={`button ${danger ? 'danger' : 'primary'}`}
          onClick={() => {
            dialog.current?.close();
            onYes();
          }}
        >
          {yes}
        </button>
      </form>
    </dialog>
  );
}
