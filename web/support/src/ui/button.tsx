import type { Work } from '../work.ts';

interface Props {
  readonly work: Work;
  /** What it says. */
  readonly children: string;
  /** What it says while that is done. */
  readonly doing?: string;
  readonly kind?: string;
  readonly disabled?: boolean;
  /** Without it, the button submits its form. */
  readonly onClick?: () => unknown;
}

/**
 * A button for something that takes time. Both of its texts have their room from the beginning, so that it never changes
 * its size; and it stays focusable while it has to wait, so that the keyboard does not lose its place.
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

/** Says why something failed. The live region is always there, so that it is read out. */
export function Failed({ work }: { work: Pick<Work, 'failed'> }) {
  return (
    <p class="outcome bad" role="alert">
      {work.failed.value}
    </p>
  );
}
