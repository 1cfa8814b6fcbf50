import { busy, waiting } from '../client.ts';
import type { Action } from '../words/failure.ts';

interface Props {
  readonly action: Action;
  /** The label. */
  readonly children: string;
  /** The label while the action runs, if that takes noticeably long. */
  readonly doing?: string;
  readonly kind?: string;
  readonly label?: string;
  readonly onClick?: () => unknown;
}

/**
 * A button for an action that takes time. Space is reserved for both labels, so that its size never changes, and it stays
 * focusable while it waits, so that keyboard focus is not lost.
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
