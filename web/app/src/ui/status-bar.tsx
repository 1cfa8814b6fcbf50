import { thousands } from '@holdfast/kit/when.ts';
import { loaded, notes } from '../notes/book.ts';
import { limit, line } from '../standing.ts';

/** One line of fixed height at the bottom of the page; empty when all is well. */
export function StatusBar() {
  const { text, tone } = line.value;
  return (
    <footer class="status-bar">
      <p role="status" class={tone === 'attention' ? 'attention' : ''}>
        {text}
      </p>
      {loaded.value && <p class="count">{count(notes.value.length, limit.value)}</p>}
    </footer>
  );
}

function count(held: number, allowed: number): string {
  if (Number.isFinite(allowed)) return `${thousands(held)} of ${thousands(allowed)} notes`;
  return held === 1 ? '1 note' : `${thousands(held)} notes`;
}
