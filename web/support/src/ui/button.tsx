import type { Work } from '../work.ts';

interface Props {
  readonly work: Work;
  /** The label. */
  readonly children: string;
  /** The label while the action runs. */
  readonly doing?: string;
  readonly kind?: string;
  readonly disabled?: boolean;
  /** Without it, the button submits its form. */
  readonly onClick?: () => unknown;
}

/**
 * A button for an action that takes time. Space is reserved for both labels, so that its size never changes, and it stays
 * focusable while it waits, so that keyboard focus is not lost.
 */
export function WorkButton({ work, children, doing, kind = '', disabled = false, onClick }: Props) {
  const busy = work.busy.value;
  const now = doing !== undefined && busy;
  return (
    <button
      type={onClick ? 'button' : 'submit'}
      class={`button ${kind} ${busy || disabled ? 'held' : ''}`}
      aria-disabled={busy || disabled}
      onClick={() => {
        if (!work.busy.peek() && !disabled) void onClick?.();
      }}
    >
      <span class="either">
        <span class={now ? 'unsaid' : ''}>{children}</span>
        {doing && <span class={now ? '' : 'unsaid'}>{doing}</span>}
      </span>
    </button>
  );
}

/** Shows why an action failed. The live region always exists, so that screen readers announce it. */
export function Failed({ work }: { work: Pick<Work, 'failed'> }) {
  return (
    <p class="outcome bad" role="alert">
      {work.failed.value}
    </p>
  );
}
