import { t } from '@holdfast/kit/words.ts';
import { type ReadonlySignal, signal, useSignal } from '@preact/signals';
import { type ComponentChildren, cloneElement, type VNode } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { keyring } from '../server.ts';
import { confirmed } from '../session.ts';
import { usual } from '../words/reason.ts';
import { said, useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';

/** The open dialog. */
const asked = signal<VNode | null>(null);
let count = 0;

/** Closes the element while it is still in the page, so that focus returns to the element that opened it. */
let close = () => {};

/** Opens a dialog and replaces any other. */
export function ask(dialog: VNode): void {
  close();
  said.value = null;
  asked.value = cloneElement(dialog, { key: count++ });
}

export function Asked() {
  return asked.value;
}

/** Closes the dialog when its page is left. */
export function askNothing(): void {
  close();
  asked.value = null;
}

interface FrameProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** While true, Escape does not close it. */
  readonly busy?: ReadonlySignal<boolean>;
  readonly wide?: boolean;
}

/** A dialog, open while it is rendered. Close it with {@link askNothing}; the user closes it with Escape. */
export function Frame({ title, children, busy, wide = false }: FrameProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    const own = () => element?.close();
    element?.showModal();
    close = own;
    return () => {
      if (close === own) close = () => {};
    };
  }, []);
  return (
    <dialog
      class={`sheet ${wide ? 'wide' : ''}`}
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (!busy?.peek()) askNothing();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

/** The reason and key that the server takes with a change. */
export interface Change {
  readonly reason: string;
  readonly key: (body: unknown) => string;
}

interface ActProps {
  readonly title: string;
  /** The consequences of the change, and further fields. */
  readonly children: ComponentChildren;
  readonly yes: string;
  readonly doing: string;
  readonly danger?: boolean;
  readonly wide?: boolean;
  /** Not possible yet: required information is missing. */
  readonly disabled?: boolean;
  /** Frequent reasons, offered beside free text. */
  readonly reasons?: readonly string[];
  /** Makes the change. If it opens another dialog, that replaces this one; otherwise this one closes. */
  readonly act: (change: Change) => Promise<void>;
}

/**
 * Asks for confirmation of a change and for its reason, which the trail keeps. Stays open until the change is made or
 * cancelled.
 */
export function Act({
  title,
  children,
  yes,
  doing,
  danger = false,
  wide = false,
  disabled = false,
  reasons = usual(),
  act,
}: ActProps) {
  const reason = useSignal('');
  const work = useWork();
  const key = useRef(keyring());
  return (
    <Frame title={title} busy={work.busy} wide={wide}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          if (disabled) return;
          const present = asked.peek();
          const text = reason.peek().trim();
          const done = await work.run(() => confirmed(() => act({ reason: text, key: key.current })));
          if (!done || asked.peek() !== present) return;
          askNothing();
          // If the change has removed the button that opened this, focus moves to the message about it.
          setTimeout(() => {
            if (document.activeElement === document.body) document.querySelector<HTMLElement>('.toast button')?.focus();
          });
        }}
      >
        {children}
        <label class="field">
          <span>{t('Reason')}</span>
          <input
            name="reason"
            autocomplete="off"
            maxLength={1000}
            // A blank reason counts as missing.
            pattern=".*\S.*"
            required
            value={reason}
            onInput={(event) => (reason.value = event.currentTarget.value)}
          />
          <small>
            {t('Kept in the audit trail for your colleagues. A reason about a customer is erased with their account.')}
          </small>
        </label>
        <fieldset class="presets">
          <legend class="unseen">{t('Frequently given')}</legend>
          {reasons.map((text) => (
            <button key={text} type="button" class="button" onClick={() => (reason.value = text)}>
              {text}
            </button>
          ))}
        </fieldset>
        <Failed work={work} />
        <div class="ends">
          <button type="button" class="button" onClick={() => !work.busy.peek() && askNothing()}>
            {t('Cancel')}
          </button>
          <WorkButton work={work} kind={danger ? 'danger solid' : 'primary'} doing={doing} disabled={disabled}>
            {yes}
          </WorkButton>
        </div>
      </form>
    </Frame>
  );
}
