import { busy, waiting } from '../client.ts';
import type { Action } from '../words/failure.ts';

interface Props {
  readonly action: Action;
  /** What it says. */
  readonly children: string;
  /** What it says while that is done, if it takes long enough to be noticed. */
  readonly doing?: string;
  readonly kind?: string;
  readonly label?: string;
  readonly onClick?: () => unknown;
}

/**
 * A button for something that takes time. Both of its texts have their room from the beginning, so that it never
 * changes its size; and it stays focusable while it has to wait, so that the keyboard does not lose its place.
 */
export function ActionButton({ action, children, doing, kind = '', label, onClick }: Props) {
  const now = doing !== undefined && waiting.value === action;
  return (
    <button
      type={onClick ? 'button' : 'submit'}
      class={`button ${kind} ${waiting.value === null ? '' : 'held'}`}
      aria-label={label}
      aria-disabled={busy.value !== null}
      onClick={() => {
        if (busy.peek() === null) void onClick?.();
      }}
    >
      <span class="either">
        <span class={now ? 'unsaid' : ''}>{children}</span>
        {doing && <span class={now ? '' : 'unsaid'}>{doing}</span>}
      </span>
    </button>
  );
}
